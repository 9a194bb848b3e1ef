"""One attempt to deliver, against servers and a DNS on loopback."""

import ssl
from dataclasses import replace

import pytest
import trustme

from tests.deliver.delivering import CONFIG, CONTENT, PARCEL, PATIENT, delivering
from tests.net.scripted import DROP, HANG, scripted
from waybill.deliver.config import ZoneRoute
from waybill.deliver.evidence import Failure
from waybill.model.cause import Cause, Responder
from waybill.model.outcome import Attempt, Result, Speaker, Stage

TWO_HOSTS = {
    "b.test": ["MX 10 mx1.b.test", "MX 20 mx2.b.test"],
    "mx1.b.test": ["A 127.0.0.2"],
    "mx2.b.test": ["A 127.0.0.1"],
}
OFFER = b"250-mx.test\r\n250-PIPELINING\r\n250 STARTTLS\r\n"


def notes(attempt: Attempt) -> list[str]:
    return [line.text for line in attempt.transcript if line.who is Speaker.NOTE]


async def test_delivered() -> None:
    """A delivery is an Outcome too: accepted, in the receiver's words, with every fact of the conversation."""
    async with scripted() as server, delivering(server.port) as setup:
        attempt = await setup.deliverer.attempt(PARCEL)
    outcome = attempt.outcome
    assert (outcome.result, outcome.cause, outcome.responder, outcome.status, outcome.diagnostic, outcome.rule) == (
        Result.DELIVERED,
        Cause.ACCEPTED_BY_RECEIVER,
        Responder.REMOTE,
        "2.0.0",
        "smtp; 250 2.0.0 taken",
        "accepted",
    )
    assert (attempt.mx, attempt.ip, attempt.port, attempt.source_ip, attempt.helo, attempt.reused_connection) == (
        "mx.b.test",
        "127.0.0.1",
        server.port,
        "127.0.0.1",
        "us.test",
        False,
    )
    assert attempt.hosts == (f"mx.b.test [127.0.0.1]:{server.port}: 250 2.0.0 taken",)
    assert attempt.started_at <= attempt.transcript[0].at <= attempt.transcript[-1].at <= attempt.ended_at
    assert notes(attempt)[0].endswith("answered for b.test MX: 10 mx.b.test.")
    assert server.contents == [CONTENT]


@pytest.mark.parametrize(
    ("domain", "failure"),
    [
        ("nodomain.test", Failure.DOMAIN_NOT_FOUND),
        ("null.test", Failure.NULL_MX),
        ("empty.test", Failure.NO_ADDRESS),
        ("fail.test", Failure.DNS_FAILURE),
        ("silent.test", Failure.DNS_TIMEOUT),
        ("[127.0.0.1]", Failure.ADDRESS_LITERAL),
        ("private.test", Failure.PRIVATE_ADDRESS),
    ],
)
async def test_no_route(domain: str, failure: Failure) -> None:
    """What DNS says is evidence of the routing stage, and no connection is tried."""
    zones = {
        "null.test": ["MX 0 ."],
        "empty.test": ["TXT x"],
        "fail.test": ["SERVFAIL"],
        "silent.test": ["TIMEOUT"],
        "private.test": ["A 127.0.0.1"],
    }
    config = replace(CONFIG, allow_private=False)
    async with delivering(25, zones, config) as setup:
        attempt = await setup.deliverer.attempt(replace(PARCEL, recipient=f"b@{domain}"))
    (evidence,) = setup.verdicts.seen
    assert (evidence.stage, evidence.failure, evidence.text) == (Stage.ROUTE, failure, attempt.outcome.diagnostic)
    assert (attempt.ip, attempt.outcome.result) == (None, Result.DEFERRED)
    assert evidence.text in notes(attempt)


async def test_the_next_host_after_a_network_failure() -> None:
    """A host that refuses the connection is passed over, and what became of each is kept."""
    async with scripted() as server, delivering(server.port, TWO_HOSTS) as setup:
        attempt = await setup.deliverer.attempt(PARCEL)
    assert attempt.outcome.result is Result.DELIVERED
    assert attempt.hosts == (
        f"mx1.b.test [127.0.0.2]:{server.port}: Connection refused by mx1.b.test [127.0.0.2]:{server.port}",
        f"mx2.b.test [127.0.0.1]:{server.port}: 250 2.0.0 taken",
    )
    assert attempt.mx == "mx2.b.test"


@pytest.mark.parametrize(
    "first",
    [
        {"CONNECT": b"421 4.3.2 busy\r\n"},
        {"CONNECT": DROP},
        {"CONNECT": b"554 5.7.1 go away\r\n"},
        {"EHLO": b"451 4.3.0 later\r\n"},
        {"EHLO": b"554 5.7.1 go away\r\n"},
        {"MAIL": b"451 4.3.2 not now\r\n"},
        {"MAIL": DROP},
        {"RCPT": DROP},
        {"DATA": b"nonsense\r\n"},
    ],
)
async def test_the_next_address_after_a_host_that_cannot_be_spoken_to(first: dict[str, bytes]) -> None:
    """Before the content is sent, a host that fails is followed by the next."""
    (verb, answer), *_ = first.items()
    usual = {"CONNECT": b"220 hi\r\n", "EHLO": b"250 hi\r\n", "MAIL": b"250 ok\r\n", "RCPT": b"250 ok\r\n"}
    second = usual.get(verb, b"354 go\r\n")
    zones = {"b.test": ["MX 10 mx.b.test", "MX 20 mx2.b.test"], "mx.b.test": ["A 127.0.0.1"]}
    zones["mx2.b.test"] = ["A 127.0.0.1"]
    async with scripted(says={verb: [answer, second]}) as server, delivering(server.port, zones) as setup:
        attempt = await setup.deliverer.attempt(PARCEL)
    assert (attempt.outcome.result, attempt.mx, len(attempt.hosts)) == (Result.DELIVERED, "mx2.b.test", 2)
    assert [CONTENT] == [content for content in server.contents if content]  # a DATA sent ahead is ended with nothing


@pytest.mark.parametrize(
    ("verb", "answer"),
    [
        ("MAIL", b"550 5.7.1 not from you\r\n"),
        ("RCPT", b"550 5.1.1 nobody\r\n"),
        ("RCPT", b"450 4.2.1 later\r\n"),
        ("MESSAGE", b"550 5.7.1 spam\r\n"),
    ],
)
async def test_the_first_definitive_answer_decides(verb: str, answer: bytes) -> None:
    """What a server says about the message is not asked of the next server again."""
    zones = {"b.test": ["MX 10 mx.b.test", "MX 20 mx2.b.test"], "mx.b.test": ["A 127.0.0.1"]}
    zones["mx2.b.test"] = ["A 127.0.0.1"]
    async with scripted(says={verb: [answer]}) as server, delivering(server.port, zones) as setup:
        attempt = await setup.deliverer.attempt(PARCEL)
    (evidence,) = setup.verdicts.seen
    assert evidence.reply is not None
    assert (evidence.reply.text, evidence.host, evidence.ip) == (
        answer.decode().strip(),
        "mx.b.test",
        "127.0.0.1",
    )
    assert (server.connections, len(attempt.hosts)) == (1, 1)


async def test_a_drop_at_starttls_is_a_failure_of_tls() -> None:
    """It is tried once more in clear, where TLS is not required, and the record says why; where it is, it waits for TLS."""
    offer = b"250-hi\r\n250 STARTTLS\r\n"
    zones = {"b.test": ["MX 10 mx.b.test"], "mx.b.test": ["A 127.0.0.1"]}
    async with scripted(EHLO=offer, STARTTLS=DROP) as server, delivering(server.port, zones) as setup:
        attempt = await setup.deliverer.attempt(PARCEL)
        required = await setup.deliverer.attempt(replace(PARCEL, tls_required=True))
    assert Result.DELIVERED is attempt.outcome.result
    assert attempt.clear_because is not None
    assert "TLS was asked for and broke off" in attempt.clear_because
    assert Result.DELIVERED is not required.outcome.result
    assert Failure.TLS_FAILED is setup.verdicts.seen[-1].failure


@pytest.mark.parametrize(("answer", "failure"), [(DROP, Failure.CONNECTION_LOST), (HANG, Failure.TIMEOUT)])
async def test_no_answer_to_the_message(answer: bytes, failure: Failure) -> None:
    """After the content is sent no other server is tried, and the doubt is said."""
    config = replace(CONFIG, timeouts=replace(PATIENT, message=0.1))
    zones = {"b.test": ["MX 10 mx.b.test", "MX 20 mx2.b.test"], "mx.b.test": ["A 127.0.0.1"]}
    zones["mx2.b.test"] = ["A 127.0.0.1"]
    async with scripted(MESSAGE=answer) as server, delivering(server.port, zones, config) as setup:
        attempt = await setup.deliverer.attempt(PARCEL)
    (evidence,) = setup.verdicts.seen
    assert (evidence.stage, evidence.failure) == (Stage.MESSAGE, failure)
    assert "sending it again may duplicate it" in attempt.outcome.diagnostic
    assert server.contents == [CONTENT]


async def test_of_several_failures_a_servers_words_count_most() -> None:
    """A refused connection and a 421: the 421 is the evidence, and the attempt shows that host."""
    async with scripted(CONNECT=b"421 4.3.2 busy\r\n") as server:
        zones = {**TWO_HOSTS, "b.test": ["MX 10 mx2.b.test", "MX 20 mx1.b.test", "MX 30 none.b.test"]}
        async with delivering(server.port, zones) as setup:
            attempt = await setup.deliverer.attempt(PARCEL)
    (evidence,) = setup.verdicts.seen
    assert (evidence.text, evidence.host, attempt.mx) == ("421 4.3.2 busy", "mx2.b.test", "mx2.b.test")
    assert len(attempt.hosts) == 3


async def test_a_lasting_failure_of_one_host_does_not_decide() -> None:
    """An MX without an address beside one that is down: the domain may come back."""
    async with scripted() as server:
        pass
    zones = {"b.test": ["MX 10 none.b.test", "MX 20 mx.b.test"], "mx.b.test": ["A 127.0.0.1"]}
    async with delivering(server.port, zones) as setup:
        await setup.deliverer.attempt(PARCEL)
    (evidence,) = setup.verdicts.seen
    assert evidence.failure is Failure.CONNECTION_REFUSED


async def test_no_more_addresses_than_configured() -> None:
    """An attempt ends after so many addresses, however many there are, and says so."""
    async with scripted(CONNECT=b"421 4.3.2 busy\r\n") as server:
        zones = {"b.test": [f"A 127.0.0.{last}" for last in range(1, 9)]}
        async with delivering(server.port, zones, replace(CONFIG, max_addresses=3)) as setup:
            attempt = await setup.deliverer.attempt(PARCEL)
    assert len(attempt.hosts) == 4
    assert attempt.hosts[3].endswith(": not tried, since 3 addresses are enough for one attempt")


async def test_no_longer_than_configured() -> None:
    """Once an attempt has lasted so long, it begins with no further address."""
    async with scripted(CONNECT=b"421 4.3.2 busy\r\n") as server:
        config = replace(CONFIG, max_seconds=-1)
        async with delivering(server.port, TWO_HOSTS, config) as setup:
            attempt = await setup.deliverer.attempt(PARCEL)
    assert len(attempt.hosts) == 2
    assert attempt.hosts[1].endswith(": not tried, since -1 s are enough for one attempt")


async def test_all_mail_is_caught() -> None:
    """With a zone route for all domains the message goes to that receiver, whatever DNS says."""
    async with scripted() as server:
        zone = ZoneRoute(zone=".", smtp_port=server.port, ip="127.0.0.1", host="capture")
        config = replace(CONFIG, allow_private=False, zone_routes=(zone,))
        async with delivering(25, {"x.test": []}, config) as setup:
            attempt = await setup.deliverer.attempt(replace(PARCEL, recipient="b@nodomain.test"))
    assert (attempt.outcome.result, attempt.mx) == (Result.DELIVERED, "capture")


async def test_a_relay_takes_everything() -> None:
    """With a relay the MX is not asked."""
    async with scripted(EHLO=b"250-r\r\n250 AUTH PLAIN\r\n", AUTH=b"235 ok\r\n") as server:
        config = replace(CONFIG, relay=f"smtp://me:hush@127.0.0.1:{server.port}")
        async with delivering(25, {"x.test": []}, config) as setup:
            attempt = await setup.deliverer.attempt(PARCEL)
    assert (attempt.outcome.result, attempt.port) == (Result.DELIVERED, server.port)
    assert "AUTH PLAIN (secret)" in [line.text for line in attempt.transcript]


@pytest.fixture(scope="module")
def context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("mx.b.test").configure_cert(context)
    return context


async def test_a_relay_is_logged_in_to_over_tls(context: ssl.SSLContext) -> None:
    """Over smtps everything is encrypted from the first octet; over smtp after STARTTLS, before the password."""
    login = {"EHLO": [OFFER], "AUTH": [b"235 ok\r\n"]}
    for scheme, implicit in (("smtps", True), ("smtp", False)):
        async with scripted(context, login, implicit=implicit) as server:
            config = replace(CONFIG, relay=f"{scheme}://me:hush@localhost:{server.port}", allow_private=False)
            async with delivering(25, {"localhost": ["A 127.0.0.1"]}, config) as setup:
                attempt = await setup.deliverer.attempt(PARCEL)
        assert (attempt.outcome.result, attempt.site, attempt.provider) == (Result.DELIVERED, "localhost", None)
        assert attempt.tls is not None
        assert [line for line in server.heard if line.startswith(("STARTTLS", "AUTH"))] == [
            *([] if implicit else ["STARTTLS"]),
            "AUTH PLAIN AG1lAGh1c2g=",
        ]


async def test_tls_is_recorded(context: ssl.SSLContext) -> None:
    """An unverified session is used all the same, and the attempt says why it is not verified."""
    async with scripted(context, EHLO=OFFER) as server, delivering(server.port) as setup:
        attempt = await setup.deliverer.attempt(replace(PARCEL, tls_required=True))
    assert attempt.outcome.result is Result.DELIVERED
    assert attempt.tls is not None
    assert (attempt.tls.version, attempt.tls.verified) == ("TLSv1.3", False)
    assert attempt.tls.why_not_verified


async def test_broken_tls_goes_in_clear_and_is_remembered() -> None:
    """A failed handshake leads to one more try in clear, in the same attempt; the next message does not try TLS."""
    broken = [b"220 go\r\n", b"this is no handshake, whatever else it may be\r\n"]
    async with scripted(EHLO=OFFER, STARTTLS=[broken]) as server, delivering(server.port) as setup:
        first = await setup.deliverer.attempt(PARCEL)
        second = await setup.deliverer.attempt(PARCEL)
    assert (first.outcome.result, first.tls) == (Result.DELIVERED, None)
    assert "TLS is not required, so this is tried once more, in clear" in notes(first)
    assert (second.outcome.result, second.reused_connection) == (Result.DELIVERED, True)
    assert (server.connections, server.heard.count("STARTTLS")) == (2, 1)


async def test_required_tls_never_goes_in_clear() -> None:
    """Neither without STARTTLS nor after a failed handshake."""
    broken = [b"220 go\r\n", b"this is no handshake, whatever else it may be\r\n"]
    for offer, failure in ((OFFER, Failure.TLS_FAILED), (b"250 mx\r\n", Failure.TLS_NOT_OFFERED)):
        async with scripted(EHLO=offer, STARTTLS=[broken]) as server, delivering(server.port) as setup:
            attempt = await setup.deliverer.attempt(replace(PARCEL, tls_required=True))
        (evidence,) = setup.verdicts.seen
        assert (evidence.stage, evidence.failure, evidence.tls_required) == (Stage.STARTTLS, failure, True)
        assert (attempt.outcome.result, server.contents) == (Result.DEFERRED, [])
