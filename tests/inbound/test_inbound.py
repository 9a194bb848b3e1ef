"""Reports come home over SMTP, and the ledger on disk shows what they changed."""

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.inbound.reports import ACCOUNT, CONFIG, RECIPIENT, SECRET, Home, classify, incident, open_home
from tests.mail.test_aggregate import DMARC, TLS, mailed
from tests.net.dialogue import connected
from waybill.deliver.classify import classify_text
from waybill.inbound import Inbound, InboundConfig
from waybill.lab.report import write_auto_reply, write_bounce, write_complaint
from waybill.mail.return_path import encode
from waybill.model.cause import Cause
from waybill.model.event import AutoReplied, BounceReceived, Complained, DelayReported, EventKind
from waybill.model.message import Status
from waybill.model.resource import INSTALLATION, Account, ConfigurationSet, Identity
from waybill.model.suppression import GLOBAL, Reason


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    async with open_home(tmp_path) as opened:
        yield opened


@contextlib.asynccontextmanager
async def inbound(home: Home, config: InboundConfig = CONFIG) -> AsyncIterator[Inbound]:
    door = Inbound(store=home.store, clock=lambda: 9_000, classify=classify, config=config)
    await door.start()
    try:
        yield door
    finally:
        await door.close(grace=0.2)


async def bring(door: Inbound, address: str, data: bytes, sender: str = "") -> list[str]:
    """Sends a mail to the door; the replies to RCPT, DATA and the message."""
    async with connected(door.address) as client:
        await client.say(f"MAIL FROM:<{sender}>\r\n".encode())
        [taken] = await client.say(f"RCPT TO:<{address}>\r\n".encode())
        if not taken.startswith("250"):
            return [taken]
        [go] = await client.say(b"DATA\r\n")
        return [taken, go[:3], *await client.say(data + b".\r\n")]


async def test_a_bounce_that_comes_home(home: Home) -> None:
    """The delivered message has bounced, and its recipient is suppressed, on both lists."""
    delivery = await home.delivered()
    address = encode(delivery.id, "bounce.test", SECRET)
    async with inbound(home) as door:
        assert await bring(door, address.upper(), write_bounce(incident(address))) == ["250 Ok", "354", "250 Ok"]
    after = await home.read(delivery)
    assert (after.status, after.cause) == (Status.BOUNCED, Cause.USER_UNKNOWN)
    event = (await home.event(delivery, EventKind.BOUNCE_RECEIVED)).fact
    assert isinstance(event, BounceReceived)
    assert (event.status, event.action, event.rule, event.suppress) == ("5.1.1", "failed", "test-user-unknown", True)
    assert event.diagnostic.startswith("smtp; 550 5.1.1 <")
    entries = await home.store.suppressed(delivery.account, [RECIPIENT], 9_000)
    assert sorted((entry.account, entry.reason, entry.author, entry.feedback_id) for entry in entries) == [
        (owner, Reason.BOUNCE, "rule:test-user-unknown", event.feedback_id) for owner in (GLOBAL, delivery.account)
    ]
    assert await home.kinds(delivery) == ["delivered", "bounce_received", "suppression_added", "suppression_added"]


async def test_a_complaint_that_comes_home(home: Home) -> None:
    """The delivered message is complained about, and its recipient is on the account's list."""
    delivery = await home.delivered()
    address = encode(delivery.id, "bounce.test", SECRET)
    report = write_complaint(incident(address), "Some FBL/1.0")
    async with inbound(home) as door:
        assert (await bring(door, address, report, "fbl@b.example"))[-1] == "250 Ok"
        assert (await bring(door, address, report, "fbl@b.example"))[-1] == "250 Ok"
        assert door.counts == {"complaint": 1, "duplicate": 1}
    after = await home.read(delivery)
    assert (after.status, after.cause) == (Status.COMPLAINED, Cause.COMPLAINT)
    fact = (await home.event(delivery, EventKind.COMPLAINED)).fact
    assert isinstance(fact, Complained)
    assert (fact.feedback_type, fact.user_agent, fact.reported_by) == ("abuse", "Some FBL/1.0", "mx.b.example")
    [entry] = await home.store.suppressed(delivery.account, [RECIPIENT], 9_000)
    assert (entry.account, entry.reason, entry.author) == (
        delivery.account,
        Reason.COMPLAINT,
        "rule:complaint-report",
    )


async def test_an_auto_reply_is_no_bounce(home: Home) -> None:
    """The ledger notes it; the message stays delivered, and nobody is suppressed."""
    delivery = await home.delivered()
    address = encode(delivery.id, "bounce.test", SECRET)
    async with inbound(home) as door:
        assert (await bring(door, address, write_auto_reply(incident(address))))[-1] == "250 Ok"
    fact = (await home.event(delivery, EventKind.AUTO_REPLIED)).fact
    assert fact == AutoReplied(subject="Out of office", auto_submitted="auto-replied (vacation)")
    assert (await home.read(delivery)).status is Status.DELIVERED
    assert await home.store.suppressed(delivery.account, [RECIPIENT], 9_000) == []


async def test_a_notice_of_delay(home: Home) -> None:
    """The message stays delivered and is late; the same notice again adds nothing, and a bounce decides."""
    delivery = await home.delivered()
    address = encode(delivery.id, "bounce.test", SECRET)
    bounce = write_bounce(incident(address))
    delay = bounce.replace(b"Action: failed", b"Action: delayed\r\nWill-Retry-Until: Thu, 1 Jan 1970 00:01:00 +0000")
    delay = delay.replace(b"5.1.1", b"4.4.1").replace(b"550", b"450")
    async with inbound(home) as door:
        assert (await bring(door, address, delay))[-1] == "250 Ok"
        assert (await bring(door, address, delay))[-1] == "250 Ok"
        assert door.counts == {"delay": 1, "duplicate": 1}
        after = await home.read(delivery)
        assert (after.status, after.cause) == (Status.DELIVERED, Cause.DELAYED_AFTER_ACCEPTANCE)
        fact = (await home.event(delivery, EventKind.DELAY_REPORTED)).fact
        assert isinstance(fact, DelayReported)
        assert (fact.status, fact.retry_until) == ("4.4.1", 60_000)
        assert (await bring(door, address, bounce))[-1] == "250 Ok"
    assert (await home.read(delivery)).status is Status.BOUNCED


async def test_other_mail_changes_nothing(home: Home) -> None:
    """A letter and noise are taken and counted."""
    delivery = await home.delivered()
    address = encode(delivery.id, "bounce.test", SECRET)
    async with inbound(home) as door:
        assert (await bring(door, address, b"From: x@y.example\r\nSubject: hello\r\n\r\nhello\r\n"))[-1] == "250 Ok"
        assert (await bring(door, address, bytes(range(128, 256)) + b"\r\n"))[-1] == "250 Ok"
        assert door.counts == {"other": 2}
    assert await home.kinds(delivery) == ["delivered"]


@pytest.mark.parametrize(
    "address",
    [
        "bforgedforgedforgedforged@bounce.test",
        encode(1, "bounce.test", b"another secret, of 32 octets....."),
        encode(1, "other.test", SECRET),
        encode(4711, "bounce.test", SECRET),
        "postmaster@bounce.test",
        '"quoted"@bounce.test',
    ],
)
async def test_forged_and_unknown_addresses(home: Home, address: str) -> None:
    """550 at RCPT: other keys, other domains, deliveries that were never made, and any plain address."""
    delivery = await home.delivered()
    assert delivery.id == 1
    async with inbound(home) as door:
        [refused] = await bring(door, address, b"")
        assert refused.startswith("550 5.1.1 ")
        assert door.counts == {"forged": 1}
    assert await home.store.tallied("forged_bounces", 0) == 1


async def test_aggregate_reports_are_kept_once(home: Home) -> None:
    """Those about a domain of ours; the same again, another domain's and noise are taken and left."""
    await home.store.put(Account(account=INSTALLATION, name=ACCOUNT, created_at=1))
    await home.store.put(Identity(account=ACCOUNT, name="shop.example", created_at=1, token="t"))
    async with inbound(home) as door:
        for address, data in (
            ("dmarc-reports@bounce.test", mailed(gzip.compress(DMARC))),
            ("DMARC-Reports@bounce.test", mailed(DMARC)),
            ("tls-reports@bounce.test", mailed(gzip.compress(TLS))),
            ("dmarc-reports@bounce.test", mailed(DMARC.replace(b"Shop.Example", b"other.example"))),
            ("dmarc-reports@bounce.test", b"Subject: hello\r\n\r\nhello\r\n"),
        ):
            assert (await bring(door, address, data))[-1] == "250 Ok"
        assert door.counts == {"dmarc": 1, "duplicate": 1, "tlsrpt": 1, "foreign": 1, "unreadable": 1}
    [kept] = await home.store.reports("dmarc")
    assert (kept.domain, kept.reporter, kept.summary["messages"]) == ("shop.example", "Receiver Inc.", 5)
    assert 1 == len(await home.store.reports("tlsrpt", domain="shop.example"))


async def test_a_complaint_at_the_registered_address(home: Home) -> None:
    """A feedback loop that knows one address only: the return path in its report says which message, or nothing happens."""
    delivery = await home.delivered()
    right = write_complaint(incident(encode(delivery.id, "bounce.test", SECRET)), "FBL/1.0")
    forged = write_complaint(
        incident(encode(delivery.id, "bounce.test", b"another secret, of 32 octets.....")), "FBL/1.0"
    )
    async with inbound(home) as door:
        assert (await bring(door, "complaints@bounce.test", forged, "fbl@b.example"))[-1] == "250 Ok"
        assert (await home.read(delivery)).status is Status.DELIVERED
        assert (await bring(door, "complaints@bounce.test", right, "fbl@b.example"))[-1] == "250 Ok"
        assert door.counts == {"unattributed": 1, "complaint": 1}
    assert (await home.read(delivery)).status is Status.COMPLAINED


async def test_a_custom_mail_from_domain(home: Home) -> None:
    """Where the message was sent with a MAIL FROM domain of its own, reports come to that domain."""
    delivery = await home.delivered(mail_from="mail.sender.example")
    address = encode(delivery.id, "mail.sender.example", SECRET)
    async with inbound(home) as door:
        assert (await bring(door, address, write_bounce(incident(address))))[-1] == "250 Ok"
    assert (await home.read(delivery)).status is Status.BOUNCED


async def test_the_configuration_set_may_forbid_suppression(home: Home) -> None:
    """With no reasons in force the account's list stays empty; the installation's own list does not."""
    await home.store.put(ConfigurationSet(account="100000000001", name="no-list", created_at=1, suppressed_reasons=()))
    delivery = await home.delivered(configuration_set="no-list")
    address = encode(delivery.id, "bounce.test", SECRET)
    async with inbound(home) as door:
        await bring(door, address, write_bounce(incident(address)))
    entries = await home.store.suppressed(delivery.account, [RECIPIENT], 9_000)
    assert [entry.account for entry in entries] == [GLOBAL]


async def test_a_simulated_recipient_is_not_suppressed(home: Home) -> None:
    """The mailbox simulator's complaint is settled, and the address stays usable."""
    delivery = await home.delivered(recipient="complaint+1@simulator.amazonses.com")
    address = encode(delivery.id, "bounce.test", SECRET)
    async with inbound(home) as door:
        await bring(door, address, write_complaint(incident(address, delivery.recipient), "Simulator"))
    assert (await home.read(delivery)).status is Status.COMPLAINED
    assert await home.store.suppressed(delivery.account, [delivery.recipient], 9_000) == []


async def test_a_report_that_overtakes_its_delivery(home: Home) -> None:
    """It waits until the delivery is settled; 250 only then."""
    delivery = await home.queued()
    address = encode(delivery.id, "bounce.test", SECRET)
    async with inbound(home) as door:
        bringing = asyncio.create_task(bring(door, address, write_complaint(incident(address), "FBL")))
        await asyncio.sleep(0.05)
        assert not bringing.done()
        await home.settle_delivered(delivery)
        assert (await bringing)[-1] == "250 Ok"
    assert await home.kinds(delivery) == ["delivered", "complained", "suppression_added"]


async def test_a_report_about_an_unfinished_delivery_is_asked_to_come_again(home: Home) -> None:
    """451, and nothing is written."""
    delivery = await home.queued()
    address = encode(delivery.id, "bounce.test", SECRET)
    async with inbound(home, replace(CONFIG, overtaking_wait=0)) as door:
        assert (await bring(door, address, write_complaint(incident(address), "FBL")))[-1].startswith("451 4.3.0 ")
    assert await home.kinds(delivery) == []


async def test_two_reports_at_once_at_two_workers(home: Home) -> None:
    """Neither undoes the other: whoever comes second sees what the first has left. The complaint decides."""
    deliveries = [await home.delivered() for _ in range(20)]
    async with inbound(home) as one, inbound(home) as other:
        for delivery in deliveries:
            address = encode(delivery.id, "bounce.test", SECRET)
            complaint, reply = write_complaint(incident(address), "FBL"), write_auto_reply(incident(address))
            await asyncio.gather(bring(one, address, complaint, "fbl@b.example"), bring(other, address, reply))
    for delivery in deliveries:
        assert Status.COMPLAINED is (await home.read(delivery)).status
        assert {"complained", "auto_replied"} <= set(await home.kinds(delivery))


async def test_the_same_report_twice_at_once(home: Home) -> None:
    """Eight connections bring it at the same time: one event."""
    delivery = await home.delivered()
    address = encode(delivery.id, "bounce.test", SECRET)
    async with inbound(home) as door:
        replies = await asyncio.gather(*(bring(door, address, write_bounce(incident(address))) for _ in range(8)))
    assert [reply[-1] for reply in replies] == ["250 Ok"] * 8
    assert await home.kinds(delivery) == ["delivered", "bounce_received", "suppression_added", "suppression_added"]


@pytest.mark.parametrize(("feedback", "kind"), [("not-spam", "other"), ("auth-failure", "dmarc")])
async def test_feedback_that_is_no_complaint(home: Home, feedback: str, kind: str) -> None:
    """That a mail is no spam, or that its signature failed, is nobody's complaint (RFC 6430, RFC 6591)."""
    delivery = await home.delivered()
    address = encode(delivery.id, "bounce.test", SECRET)
    report = write_complaint(incident(address), "FBL").replace(
        b"Feedback-Type: abuse", b"Feedback-Type: " + feedback.encode()
    )
    async with inbound(home) as door:
        assert (await bring(door, address, report))[-1] == "250 Ok"
        assert door.counts == {kind: 1}
    assert await home.kinds(delivery) == ["delivered"]


async def test_the_classifier_of_refusals_judges_bounces_too(home: Home) -> None:
    """With the rules that judge replies in a conversation, a bounce mail of an unknown user suppresses."""
    delivery = await home.delivered()
    address = encode(delivery.id, "bounce.test", SECRET)
    door = Inbound(store=home.store, clock=lambda: 9_000, classify=classify_text, config=CONFIG)
    await door.start()
    assert (await bring(door, address, write_bounce(incident(address))))[-1] == "250 Ok"
    await door.close(grace=0.2)
    after = await home.read(delivery)
    assert (after.status, after.cause) == (Status.BOUNCED, Cause.USER_UNKNOWN)
    assert len(await home.store.suppressed(delivery.account, [RECIPIENT], 9_000)) == 2


PROSE = """From: MAILER-DAEMON@b.example\r
Subject: failure notice\r
\r
Your mail could not be delivered.\r
<{}>:\r
550 5.1.1 User unknown\r
"""


@pytest.mark.parametrize(
    ("sender", "named", "status"),
    [
        ("joe@b.example", "bob@x.example", Status.DELIVERED),
        ("joe@b.example", RECIPIENT.lower(), Status.BOUNCED),
        ("", "bob@x.example", Status.BOUNCED),
    ],
)
async def test_prose_about_somebody_else(home: Home, sender: str, named: str, status: Status) -> None:
    """Words alone about another address count only from the null sender, which mail servers use: a forwarder's bounce."""
    delivery = await home.delivered()
    address = encode(delivery.id, "bounce.test", SECRET)
    async with inbound(home) as door:
        assert (await bring(door, address, PROSE.format(named).encode(), sender))[-1] == "250 Ok"
        assert door.counts == {"bounce": 1}
    assert (await home.read(delivery)).status is status


async def test_a_report_by_the_standard_about_somebody_else(home: Home) -> None:
    """RFC 3464, from whomever: the address that ours forwards to has failed, and the mail with it; ours is not listed."""
    delivery = await home.delivered()
    address = encode(delivery.id, "bounce.test", SECRET)
    async with inbound(home) as door:
        await bring(door, address, write_bounce(incident(address, "bob@x.example")), "bounces@x.example")
    assert (await home.read(delivery)).status is Status.BOUNCED
    assert await home.store.suppressed(delivery.account, [RECIPIENT], 9_000) == []


async def test_a_letter_to_the_return_path_is_no_bounce(home: Home) -> None:
    """Somebody who writes to it about a bounce of theirs changes nothing."""
    delivery = await home.delivered()
    address = encode(delivery.id, "bounce.test", SECRET)
    letter = (
        "From: joe@b.example\r\nSubject: Re: t\r\n\r\n"
        "the address bob@x.example gave me 550 5.1.1 user unknown, can you help?\r\n"
    )
    async with inbound(home) as door:
        assert (await bring(door, address, letter.encode(), "joe@b.example"))[-1] == "250 Ok"
        assert door.counts == {"other": 1}
    assert await home.kinds(delivery) == ["delivered"]
