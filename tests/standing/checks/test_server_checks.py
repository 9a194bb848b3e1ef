"""The checks that talk with servers: TLS, certificates, policies, mailboxes and the way home, against real ones on loopback."""

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from tests.net.certificates import issue
from tests.net.policy_host import page
from tests.standing.checks.world import BOUNCED, POLICY, SCRIPT, SENDER, STRANGER, amiss, gravest, tlsa, world
from waybill.lab.script import Offers, Rule
from waybill.model.outcome import Stage
from waybill.standing.checks.check import Verdict

FAIL, WARN, UNKNOWN, PASS = Verdict.FAIL, Verdict.WARN, Verdict.UNKNOWN, Verdict.PASS
SELF_SIGNED = issue("mx.shop.example")


def refuse(address: str, reply: str) -> Rule:
    return Rule(stage=Stage.RCPT, recipient=address, reply=reply)


@pytest.mark.parametrize(
    ("reply", "verdict", "words"),
    [
        ("550 5.1.1 No such user", FAIL, "mx.shop.example refuses mail for {}: “550 5.1.1 No such user”."),
        ("550 User unknown", FAIL, "refuses mail for {}: “550 User unknown”."),
        ("451 4.7.1 Greylisted", UNKNOWN, "asks to come again before it says anything about {}"),
        ("550 5.7.1 Your address is listed", UNKNOWN, "refuses to talk with us, so {} could not be asked about"),
    ],
)
@pytest.mark.parametrize("role", ["postmaster", "abuse"])
async def test_mailboxes(role: str, reply: str, verdict: Verdict, words: str, tmp_path: Path) -> None:
    """A mailbox that is not there is a fault; a server that puts us off or does not like us says nothing of it."""
    address = f"{role}@shop.example"
    async with world(tmp_path, rules=(refuse(address, reply),)) as it:
        report = await it.report()
    found = gravest(report, role)
    assert (verdict, True) == (found.verdict, words.format(address) in found.text), found.text
    assert {role} == amiss(report)
    [heard] = found.evidence
    assert f"C: RCPT TO:<{address}>\nS: {reply}" in heard.text
    assert "DATA" not in heard.text


async def test_a_server_that_hangs_up(tmp_path: Path) -> None:
    """What it answered before counts."""
    rule = Rule(stage=Stage.RCPT, recipient="abuse@shop.example", disconnect=True)
    async with world(tmp_path, rules=(rule,)) as it:
        report = await it.report()
    assert {"abuse"} == amiss(report)
    found = gravest(report, "abuse")
    assert (UNKNOWN, True) == (found.verdict, "did not get as far as answering about abuse@shop.example" in found.text)


async def test_a_server_that_takes_no_null_sender(tmp_path: Path) -> None:
    """It cannot be asked; and no bounce would reach it."""
    rule = Rule(stage=Stage.MAIL, reply="550 5.1.7 null sender refused")
    async with world(tmp_path, rules=(rule,)) as it:
        report = await it.report()
    assert {"postmaster", "abuse", "mail_from"} == amiss(report)
    assert FAIL is gravest(report, "mail_from").verdict


@pytest.mark.parametrize(
    ("offers", "ids", "verdict", "words"),
    [
        (Offers(), {"starttls", "mta_sts", "dane"}, WARN, "mx.shop.example offers no TLS."),
        (Offers(starttls=STRANGER.context()), {"starttls", "mta_sts", "dane"}, WARN, "its certificate is not verified"),
        (Offers(starttls=SELF_SIGNED.context()), {"starttls", "mta_sts"}, WARN, "self-signed certificate"),
    ],
)
async def test_tls(offers: Offers, ids: set[str], verdict: Verdict, words: str, tmp_path: Path) -> None:
    """Without TLS, or with a certificate that nobody can verify, what the domain promises by MTA-STS and DANE is broken."""
    async with world(tmp_path, script=replace(SCRIPT, offers=offers)) as it:
        if ids == {"starttls", "mta_sts"}:
            it.publish({f"_{it.tools.port}._tcp.mx.shop.example": [tlsa(SELF_SIGNED)]})
        report = await it.report()
    found = gravest(report, "starttls")
    assert (verdict, True) == (found.verdict, words in found.text), found.text
    assert ids == amiss(report)
    assert all(FAIL is gravest(report, each).verdict for each in ids - {"starttls"})


async def test_starttls_that_breaks_off(tmp_path: Path) -> None:
    """It is offered, and does not work."""
    rule = Rule(stage=Stage.STARTTLS, reply="220 Go ahead", disconnect=True)
    async with world(tmp_path, rules=(rule,)) as it:
        found = await it.check("starttls")
    assert (FAIL, True) == (found.verdict, "offers STARTTLS, and it does not work" in found.text)


async def test_nobody_listens(tmp_path: Path) -> None:
    """The domain's own servers are unknown, since it may be this machine's provider; where our door should be it is a fault."""
    async with world(tmp_path) as it:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            it.tools = replace(it.tools, port=free.getsockname()[1])
        report = await it.report()
    assert {"starttls", "postmaster", "abuse", "mail_from"} == amiss(report)
    assert UNKNOWN is gravest(report, "starttls").verdict
    found = gravest(report, "mail_from")
    assert (FAIL, True) == (found.verdict, "Nobody listens at in.shop.example [127.0.0.1]" in found.text)


async def test_another_server_where_bounces_come_in(tmp_path: Path) -> None:
    """It does not know our mailboxes."""
    async with world(tmp_path, script=replace(SCRIPT, domains=("shop.example",))) as it:
        report = await it.report()
    found = gravest(report, "mail_from")
    assert (FAIL, {"mail_from"}) == (found.verdict, amiss(report))
    assert "does not take mail for dmarc-reports@bounce.shop.example, as our inbound door would" in found.text


async def test_a_custom_mail_from_domain(tmp_path: Path) -> None:
    """Its MX must lead where the bounce domain's leads; the record to publish names that host."""
    async with world(tmp_path) as it:
        it.sender = replace(SENDER, mail_from="m.shop.example")
        spf = it.zones[BOUNCED][1]
        it.publish({"m.shop.example": ["MX 10 mx.shop.example", spf]})
        found = await it.check("mail_from")
        assert (FAIL, "m.shop.example. MX 10 in.shop.example.") == (found.verdict, str(found.records[0]))
        it.publish({"m.shop.example": [str(found.records[0]).partition(". ")[2], spf]})
        it.forget()
        assert set() == amiss(await it.report())


async def test_no_bounce_domain_that_others_could_reach(tmp_path: Path) -> None:
    """For a domain that sends from here that is a fault; any other is looked at as it is."""
    async with world(tmp_path) as it:
        it.sender = replace(SENDER, bounce_domain="", mail_from="bounce.localhost")
        found = await it.check("mail_from")
        assert (FAIL, True) == (found.verdict, "Set inbound.bounce_domain" in found.remedy)
        it.sender = replace(SENDER, bounce_domain="", mail_from="shop.example", identity="")
        assert PASS is (await it.check("mail_from")).verdict


@pytest.mark.parametrize(
    ("policy", "verdict", "words"),
    [
        (POLICY.replace("mx: mx.", "mx: old."), FAIL, "does not list mx.shop.example, and its mode is enforce"),
        (POLICY.replace("mx: mx.", "mx: old.").replace("enforce", "testing"), WARN, "its mode is testing"),
        (POLICY.replace("enforce", "testing"), PASS, "is in mode testing"),
        (POLICY.replace("enforce", "none"), PASS, "asks for nothing"),
        (POLICY.replace("mx.shop", "*.shop"), PASS, "(enforce) fits the servers"),
        ("version: STSv1\r\nmode: maybe\r\n", FAIL, "mode is 'maybe'"),
    ],
)
async def test_mta_sts(policy: str, verdict: Verdict, words: str, tmp_path: Path) -> None:
    """The policy as fetched, held against the servers that the domain has."""
    async with world(tmp_path) as it:
        it.host.publish(policy)
        found = await it.check("mta_sts")
    assert (verdict, True) == (found.verdict, words in found.text), found.text


async def test_the_policy_hosts_certificate(tmp_path: Path) -> None:
    """One for another name counts for nothing, and neither does a page that is not there."""
    async with world(tmp_path, certificate=STRANGER) as it:
        found = await it.check("mta_sts")
    assert (FAIL, True) == (found.verdict, "its certificate is not to be trusted" in found.text)
    async with world(tmp_path) as it:
        it.host.answer = page("gone", status="404 Not Found")
        assert "the answer is 404" in (await it.check("mta_sts")).text


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (f"TLSA 3 1 1 {'ab' * 32}", "does not show what its TLSA records promise"),
        (f"TLSA 1 1 1 {'ab' * 32}", "None of the TLSA records of mx.shop.example can be used for mail"),
    ],
)
async def test_dane(record: str, words: str, tmp_path: Path) -> None:
    """A record that does not fit, or that SMTP has no use for; and that the zone's signature cannot be seen is said."""
    async with world(tmp_path) as it:
        it.publish({f"_{it.tools.port}._tcp.mx.shop.example": [record]})
        report = await it.report()
    found = gravest(report, "dane")
    assert (FAIL, {"dane"}) == (found.verdict, amiss(report))
    assert words in found.text
    assert "Whether the zone is signed cannot be seen" in found.text


async def test_what_is_optional(tmp_path: Path) -> None:
    """A domain without MTA-STS, DANE, BIMI and TLS reports passes all the same."""
    async with world(tmp_path) as it:
        names = ("_mta-sts.shop.example", "_smtp._tls.shop.example", "default._bimi.shop.example")
        it.publish({name: [] for name in (*names, f"_{it.tools.port}._tcp.mx.shop.example")})
        assert set() == amiss(await it.report())


async def test_a_second_server(tmp_path: Path) -> None:
    """Each server is looked at."""
    async with world(tmp_path) as it:
        it.publish(
            {"shop.example": ["MX 10 mx.shop.example", "MX 20 mx2.shop.example"], "mx2.shop.example": ["A 127.0.0.1"]}
        )
        report = await it.report()
    assert ["mx.shop.example", "mx2.shop.example"] == [each.subject for each in report.checks if each.id == "starttls"]
    assert {"starttls", "mta_sts"} == amiss(report)  # the certificate and the policy are for the first alone
