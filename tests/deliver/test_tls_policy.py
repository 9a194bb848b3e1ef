"""What DANE and MTA-STS ask of a receiver's TLS, from DNS to the attempt's record, with real certificates."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.deliver.delivering import CONFIG
from tests.deliver.policed import GOOD, OFFER, OWN, ROOT, WEB, Alias, SignedDns, dane, mta_sts, on_the_way, signed_zone
from tests.net.certificates import issue
from tests.net.policy_host import POLICY, policy_host
from tests.net.scripted import scripted
from waybill.deliver.config import ZoneRoute
from waybill.deliver.evidence import Failure
from waybill.deliver.tls_policy import OPPORTUNISTIC
from waybill.model.cause import Cause, Responder, Scope
from waybill.model.outcome import Attempt, Result, Speaker
from waybill.net.dane import Tlsa


def notes(attempt: Attempt) -> str:
    return "\n".join(line.text for line in attempt.transcript if line.who is Speaker.NOTE)


def refused(attempt: Attempt) -> tuple[str, Cause, str]:
    """The rule, the cause and the status of an attempt that was put off because of TLS."""
    outcome = attempt.outcome
    assert (outcome.result, outcome.permanent, outcome.suppress) == (Result.DEFERRED, False, False)
    assert outcome.scope is Scope.RECIPIENT_DOMAIN
    return outcome.rule, outcome.cause, outcome.status


# DANE


@pytest.mark.parametrize("record", [OWN.tlsa(3, 1, 1), OWN.tlsa(3, 0, 2)], ids=["3 1 1", "3 0 2"])
async def test_dane_fits(tmp_path: Path, record: Tlsa) -> None:
    """A certificate that nobody signed, for another name and expired, is verified by its TLSA record."""
    async with dane(tmp_path, OWN, record) as way:
        attempt = await way.send()
        again = await way.send()
    assert (attempt.outcome.result, attempt.tls_policy) == (Result.DELIVERED, "dane")
    assert attempt.tls is not None
    assert (attempt.tls.verified, attempt.tls.why_not_verified) == (True, None)
    assert f"DANE: mx.b.test publishes TLSA records in a signed zone ({record})" in notes(attempt)
    assert f"the certificate fits the TLSA record {record}" in notes(attempt)
    assert (again.reused_connection, again.tls_policy, again.tls) == (True, "dane", attempt.tls)


async def test_dane_authority(tmp_path: Path) -> None:
    """An authority of the receiver's own, named in DNS, vouches for its host."""
    async with dane(tmp_path, issue("b.test", by=issue("Own", authority=True)), ROOT.tlsa(2, 1, 1)) as way:
        assert refused(await way.send())[0] == "failure-dane-mismatch"
    async with dane(tmp_path, GOOD, ROOT.tlsa(2, 1, 1)) as way:
        assert (await way.send()).tls_policy == "dane"


async def test_dane_mismatch(tmp_path: Path) -> None:
    """No record fits: nothing is sent, and the words say what was published and what was shown."""
    async with dane(tmp_path, OWN, GOOD.tlsa(3, 1, 1)) as way:
        attempt = await way.send()
    assert refused(attempt) == ("failure-dane-mismatch", Cause.TLS_REQUIRED, "4.7.5")
    assert attempt.outcome.responder is Responder.REMOTE
    assert str(GOOD.tlsa(3, 1, 1)) in attempt.outcome.diagnostic
    assert OWN.tlsa(3, 0, 1).data.hex()[:16] in attempt.outcome.diagnostic
    assert attempt.tls_policy == "dane"
    assert attempt.tls is not None
    assert (attempt.tls.verified, attempt.tls.peer_subject) == (False, "CN=whatever.test")
    assert way.server.contents == []


@pytest.mark.parametrize(
    "unsigned",
    [("b.test",), (".mx.b.test",), ("b.test", "mx.b.test")],
    ids=["all of it", "TLSA", "MX and host"],
)
async def test_unsigned_records_ask_for_nothing(tmp_path: Path, unsigned: tuple[str, ...]) -> None:
    """A TLSA record that anybody could have forged, or to which an unsigned way leads, does not count."""
    async with dane(tmp_path, OWN, GOOD.tlsa(3, 1, 1), unsigned=unsigned) as way:
        attempt = await way.send()
    assert (attempt.outcome.result, attempt.tls_policy, attempt.clear_because) == (Result.DELIVERED, None, None)
    assert attempt.tls is not None
    assert not attempt.tls.verified


async def test_a_tlsa_answer_that_is_kept_from_us(tmp_path: Path) -> None:
    """RFC 7672 §2.1.2: the host is passed over, and the next one is taken; there is no downgrade."""
    async with scripted(OWN.context(), EHLO=OFFER) as server:
        zones = signed_zone(server.port)
        zones[f"_{server.port}._tcp.mx.b.test"] = ["SERVFAIL"]
        async with on_the_way(tmp_path, server, SignedDns(zones)) as way:
            attempt = await way.send()
        assert refused(attempt) == ("failure-dns-failure", Cause.DNS_FAILURE, "4.4.3")
        assert (attempt.tls_policy, server.connections) == ("dane", 0)
        assert "whether it has TLSA records is not known" in attempt.outcome.diagnostic
        zones["b.test"] = ["MX 10 mx.b.test", "MX 20 mx2.b.test"]
        zones["mx2.b.test"] = ["A 127.0.0.1"]
        async with on_the_way(tmp_path, server, SignedDns(zones)) as way:
            attempt = await way.send()
    assert (attempt.outcome.result, attempt.mx, attempt.tls_policy) == (Result.DELIVERED, "mx2.b.test", None)
    assert "mx.b.test: passed over" in attempt.hosts[0]


@pytest.mark.parametrize(
    "zones",
    [
        {"b.test": ["SERVFAIL"]},
        {"b.test": ["MX 10 mx.b.test"], "mx.b.test": ["SERVFAIL"]},
        {"b.test": ["MX 10 mx.b.test"], "mx.b.test": ["TIMEOUT"]},
    ],
    ids=["MX", "address", "silence"],
)
async def test_a_way_that_is_gone_in_between(tmp_path: Path, zones: dict[str, list[str]]) -> None:
    """Records that were there for the route and cannot be had for the decision do not take DANE away."""
    async with scripted() as server, on_the_way(tmp_path, server, SignedDns(zones)) as way:
        decided = await way.policies.decide("b.test", "mx.b.test", server.port)
    timeout = zones.get("mx.b.test") == ["TIMEOUT"]
    assert (decided.name, decided.refusal) == ("dane", Failure.DNS_TIMEOUT if timeout else Failure.DNS_FAILURE)


async def test_dane_needs_tls(tmp_path: Path) -> None:
    """Neither a host without STARTTLS nor one whose handshake fails gets the message in clear."""
    for ehlo, rule in ((b"250 mx\r\n", "failure-tls-not-offered"), (OFFER, "failure-tls-failed")):
        broken = [b"220 go\r\n", b"this is no handshake, whatever else it may be\r\n"]
        async with scripted(EHLO=ehlo, STARTTLS=[broken]) as server:
            zones = signed_zone(server.port, OWN.tlsa(3, 1, 1))
            async with on_the_way(tmp_path, server, SignedDns(zones)) as way:
                attempt = await way.send()
        assert refused(attempt)[:2] == (rule, Cause.TLS_REQUIRED)
        assert "mx.b.test publishes TLSA records in a signed zone" in attempt.outcome.diagnostic
        assert server.contents == []


async def test_records_that_mail_cannot_use(tmp_path: Path) -> None:
    """TLS is required all the same, and any certificate will do (RFC 7672 §2.2)."""
    async with dane(tmp_path, OWN, GOOD.tlsa(1, 1, 1)) as way:
        attempt = await way.send()
    assert (attempt.outcome.result, attempt.tls_policy) == (Result.DELIVERED, "dane")
    assert attempt.tls is not None
    assert not attempt.tls.verified
    assert "none can be used for mail" in notes(attempt)


async def test_an_alias(tmp_path: Path) -> None:
    """RFC 7672 §2.2.2: the records at the end of a signed chain count first, then those at its start; SNI names theirs."""
    asked: list[str | None] = []
    context = OWN.context()
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    for owner, unsigned in (("real.c.test", ()), ("mx.b.test", ()), ("mx.b.test", ("c.test",))):
        async with scripted(context, EHLO=OFFER) as server:
            zones = {
                "b.test": ["MX 10 mx.b.test"],
                "mx.b.test": ["CNAME real.c.test"],
                "real.c.test": ["A 127.0.0.1"],
                f"_{server.port}._tcp.{owner}": signed_zone(0, OWN.tlsa(3, 1, 1))["_0._tcp.mx.b.test"],
            }

            async with on_the_way(tmp_path, server, Alias(zones, unsigned)) as way:
                attempt = await way.send()
        assert (attempt.outcome.result, attempt.tls_policy) == (Result.DELIVERED, "dane")
    assert asked == ["real.c.test", "mx.b.test", "mx.b.test"]


# MTA-STS


async def test_enforced_and_good(tmp_path: Path) -> None:
    """A listed host with a verified certificate."""
    async with mta_sts(tmp_path, GOOD, POLICY) as way:
        attempt = await way.send()
    assert (attempt.outcome.result, attempt.tls_policy) == (Result.DELIVERED, "mta-sts enforce")
    assert attempt.tls is not None
    assert attempt.tls.verified
    assert "MTA-STS: The MTA-STS policy of b.test (id 20260101, mode enforce, fetched 20" in notes(attempt)


async def test_enforced_and_a_bad_certificate(tmp_path: Path) -> None:
    """The words name the host, the fault of its certificate, and the policy with its id and the time of its fetch."""
    async with mta_sts(tmp_path, OWN, POLICY) as way:
        attempt = await way.send()
    assert refused(attempt) == ("failure-mta-sts-certificate", Cause.TLS_REQUIRED, "4.7.5")
    assert "The certificate of mx.b.test" in attempt.outcome.diagnostic
    assert "expired on" in attempt.outcome.diagnostic
    assert "The MTA-STS policy of b.test (id 20260101, mode enforce, fetched 20" in attempt.outcome.diagnostic
    assert way.server.contents == []


async def test_enforced_and_no_tls(tmp_path: Path) -> None:
    """A host that hides STARTTLS gets nothing in clear."""
    async with mta_sts(tmp_path, GOOD, POLICY, ehlo=b"250 mx\r\n") as way:
        attempt = await way.send()
    assert refused(attempt)[:2] == ("failure-tls-not-offered", Cause.TLS_REQUIRED)
    assert "requires TLS with a verified certificate for mx.b.test" in attempt.outcome.diagnostic


async def test_a_host_that_the_policy_does_not_list(tmp_path: Path) -> None:
    """It is passed over without a word to it."""
    async with mta_sts(tmp_path, GOOD, POLICY.replace("mx: mx.b", "mx: *.mx.b")) as way:
        attempt = await way.send()
    assert refused(attempt) == ("failure-mta-sts-host", Cause.TLS_REQUIRED, "4.7.5")
    assert "allows the MX hosts *.mx.b.test, and mx.b.test is not among them" in attempt.outcome.diagnostic
    assert attempt.hosts[0].startswith("mx.b.test: passed over")
    assert way.server.connections == 0


@pytest.mark.parametrize("ehlo", [OFFER, b"250 mx\r\n"])
async def test_a_policy_that_only_tests(tmp_path: Path, ehlo: bytes) -> None:
    """Everything goes as without it, and what would have failed is noted."""
    policy = POLICY.replace("enforce", "testing").replace("mx: mx.", "mx: other.")
    async with mta_sts(tmp_path, OWN, policy, ehlo=ehlo) as way:
        attempt = await way.send()
    assert (attempt.outcome.result, attempt.tls_policy) == (Result.DELIVERED, "mta-sts testing")
    assert "mx.b.test is not among them; in mode enforce it would be passed over" in notes(attempt)
    fault = "it was sent in clear" if attempt.tls is None else "its certificate is not verified: expired on"
    assert f"in mode enforce this host would not have got the message, since {fault}" in notes(attempt)


async def test_no_policy_to_be_had(tmp_path: Path) -> None:
    """A policy that is announced and cannot be fetched: as if there was none, and the transcript says so."""
    async with mta_sts(tmp_path, OWN, "gone") as way:
        attempt = await way.send()
    assert (attempt.outcome.result, attempt.tls_policy) == (Result.DELIVERED, None)
    assert "b.test may have a policy, which could not be had" in notes(attempt)
    async with mta_sts(tmp_path, OWN, POLICY.replace("enforce", "none")) as way:
        assert (await way.send()).tls_policy is None


async def test_dane_goes_first(tmp_path: Path) -> None:
    """Where DANE can be used, MTA-STS neither adds to it nor overrides it (RFC 8461 §2)."""
    async with mta_sts(tmp_path, OWN, POLICY, unsigned=()) as way:
        assert (await way.send()).tls_policy == "dane"
    async with mta_sts(tmp_path, GOOD, POLICY, unsigned=()) as way:
        assert refused(await way.send())[0] == "failure-dane-mismatch"


async def test_mta_sts_beside_unusable_records(tmp_path: Path) -> None:
    """TLSA records that mail cannot use leave the certificate to the MTA-STS policy."""
    async with scripted(OWN.context(), EHLO=OFFER) as server, policy_host(WEB) as host:
        zones = {
            **signed_zone(server.port, OWN.tlsa(1, 1, 1)),
            "_mta-sts.b.test": ["TXT v=STSv1; id=20260101"],
            "mta-sts.b.test": ["A 127.0.0.1"],
        }
        async with on_the_way(tmp_path, server, SignedDns(zones), policy_port=host.port) as way:
            assert refused(await way.send())[0] == "failure-mta-sts-certificate"


# neither


async def test_without_policies(tmp_path: Path) -> None:
    """TLS is used if there is any; why there was none is recorded; and the second message asks DNS nothing."""
    async with (
        scripted() as server,
        on_the_way(tmp_path, server, SignedDns(signed_zone(server.port), ("test",))) as way,
    ):
        attempt = await way.send()
        asked = list(way.dns.queries)
        await way.send()
        assert asked == way.dns.queries
        assert way.policies.known("b.test", "mx.b.test", server.port) == OPPORTUNISTIC
        required = await way.send(tls_required=True)
    assert (attempt.tls_policy, attempt.tls) == (None, None)
    assert attempt.clear_because == f"mx.b.test [127.0.0.1]:{server.port} does not offer STARTTLS"
    assert required.tls_policy == "configuration set"


async def test_why_in_clear(tmp_path: Path) -> None:
    """A refused STARTTLS and a broken handshake are each said, and for as long as the break is remembered."""
    for answer in (b"454 4.7.0 no keys\r\n", [b"220 go\r\n", b"this is no handshake, whatever else it may be\r\n"]):
        async with (
            scripted(EHLO=OFFER, STARTTLS=[answer]) as server,
            on_the_way(tmp_path, server, SignedDns(signed_zone(server.port), ("test",))) as way,
        ):
            because = [(await way.send()).clear_because or "" for _ in range(2)]
        if isinstance(answer, bytes):
            assert (
                because
                == [f'mx.b.test [127.0.0.1]:{server.port} offers STARTTLS and answered it with "454 4.7.0 no keys"'] * 2
            )
        else:
            assert because[0].endswith("; TLS is not required, so it was sent in clear")
            assert "this server is not asked for TLS" in because[1]
            assert all(f"TLS handshake with mx.b.test [127.0.0.1]:{server.port} failed" in each for each in because)


@pytest.mark.parametrize("way", ["relay", "zone"])
async def test_a_way_that_the_settings_name(tmp_path: Path, way: str) -> None:
    """Neither a relay nor the server of a zone is held to what the recipient's domain publishes; nothing is looked up."""
    async with scripted(OWN.context(), EHLO=OFFER) as server, policy_host(WEB) as host:
        config = replace(CONFIG, relay=f"smtp://127.0.0.1:{server.port}")
        if way == "zone":
            config = replace(CONFIG, zone_routes=(ZoneRoute(zone="b.test", smtp_port=server.port),))
        zones = {
            **signed_zone(server.port, GOOD.tlsa(3, 1, 1)),
            "_mta-sts.b.test": ["TXT v=STSv1; id=20260101"],
            "mta-sts.b.test": ["A 127.0.0.1"],
        }
        async with on_the_way(tmp_path, server, SignedDns(zones), policy_port=host.port, config=config) as setup:
            attempt = await setup.send()
            asked = {kind for _, kind in setup.dns.queries}
    assert (attempt.outcome.result, attempt.tls_policy) == (Result.DELIVERED, None)
    assert asked <= {"MX", "A", "AAAA"}
    assert host.asked == []
