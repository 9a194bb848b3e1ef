"""Mail that comes home after a 250: each kind changes what it must, and nothing else."""

import contextlib
from collections.abc import AsyncIterator

import pytest

from tests.inbound.reports import CONFIG, RECIPIENT, SECRET, Home, incident, open_home
from tests.inbound.test_inbound import bring
from waybill.deliver.classify import classify, classify_text
from waybill.deliver.evidence import Evidence
from waybill.inbound import Inbound
from waybill.lab.report import write_bounce, write_complaint
from waybill.mail.reply import parse_reply
from waybill.mail.return_path import encode
from waybill.model.cause import Cause, Scope
from waybill.model.event import BounceReceived, EventKind, SesEvent, ses_event
from waybill.model.message import Delivery, Status
from waybill.model.outcome import Stage

# What a bounce mail says in Status, and the words in Diagnostic-Code.
FAILURES = [
    ("5.0.0", "550 5.1.1 User unknown", Cause.USER_UNKNOWN),
    ("5.1.1", "550 5.1.1 User unknown", Cause.USER_UNKNOWN),
    ("5.1.6", "550 5.1.6 Recipient no longer on server", None),
    (
        "5.1.10",
        "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
        Cause.USER_UNKNOWN,
    ),
    ("5.2.1", "550 5.2.1 The email account that you tried to reach is disabled", Cause.MAILBOX_DISABLED),
    ("5.2.2", "552 5.2.2 Mailbox full", Cause.MAILBOX_FULL),
    ("5.3.4", "552 5.3.4 Message size exceeds fixed limit", Cause.MESSAGE_TOO_LARGE),
    ("5.4.6", "554 5.4.6 Too many hops", Cause.ROUTING_LOOP),
    ("5.7.1", "550 5.7.1 Message rejected due to local policy", Cause.POLICY_REJECTED),
    ("5.7.26", "550 5.7.26 This mail is unauthenticated, DKIM did not pass", Cause.AUTH_FAILED),
    ("5.7.606", "550 5.7.606 Access denied, banned sending IP [192.0.2.1]", Cause.IP_BLOCKLISTED),
    ("4.4.7", "450 4.4.7 Message expired, retry timeout exceeded", Cause.DELIVERY_EXPIRED),
    ("5.9.9", "599 5.9.9 Zut alors", None),
]


@contextlib.asynccontextmanager
async def door_of(home: Home) -> AsyncIterator[Inbound]:
    """The door of what comes home, with the rules that judge replies in conversations."""
    door = Inbound(store=home.store, clock=lambda: 9_000, classify=classify_text, config=CONFIG)
    await door.start()
    try:
        yield door
    finally:
        await door.close(grace=0.2)


def bounce(address: str, status: str, words: str) -> bytes:
    """A bounce mail with this Status and these words."""
    plain = write_bounce(incident(address))
    head, _, rest = plain.partition(b"Status: 5.1.1")
    code, _, tail = rest.partition(b"Diagnostic-Code: ")
    _, _, after = tail.partition(b"virtual mailbox table\r\n")
    return head + b"Status: " + status.encode() + code + b"Diagnostic-Code: smtp; " + words.encode() + b"\r\n" + after


async def returned(home: Home, data: bytes, delivery: Delivery) -> None:
    """Brings the mail to the delivery's own return path."""
    async with door_of(home) as door:
        assert "250 Ok" == (await bring(door, encode(delivery.id, "bounce.test", SECRET), data))[-1]


@pytest.mark.parametrize(
    ("status", "words", "cause"), FAILURES, ids=[f"{status} {words[10:30]}" for status, words, _ in FAILURES]
)
async def test_any_failing_status_changes_the_verdict(home: Home, status: str, words: str, cause: Cause | None) -> None:
    """A bounce mail with whatever status of failure ends "delivered", keeps its words, and is an event for the sender."""
    delivery = await home.delivered()
    await returned(home, bounce(encode(delivery.id, "bounce.test", SECRET), status, words), delivery)
    after = await home.read(delivery)
    event = await home.event(delivery, EventKind.BOUNCE_RECEIVED)
    assert Status.BOUNCED is after.status
    assert isinstance(event.fact, BounceReceived)
    assert f"smtp; {words}" == event.fact.diagnostic
    assert event.fact.cause is after.cause
    assert cause in (None, after.cause)
    assert SesEvent.BOUNCE is ses_event(event.kind, event.fact)
    assert ["delivered", "bounce_received"] == (await home.kinds(delivery))[:2]


@pytest.mark.parametrize(
    ("status", "words", "cause"), FAILURES, ids=[f"{status} {words[10:30]}" for status, words, _ in FAILURES]
)
async def test_a_refusal_and_a_bounce_mail_are_judged_alike(
    home: Home, status: str, words: str, cause: Cause | None
) -> None:
    """Cause, scope, rule and suppression are those that the same words have at the end of a conversation."""
    delivery = await home.delivered()
    await returned(home, bounce(encode(delivery.id, "bounce.test", SECRET), status, words), delivery)
    fact = (await home.event(delivery, EventKind.BOUNCE_RECEIVED)).fact
    assert isinstance(fact, BounceReceived)
    inline = classify(Evidence(stage=Stage.RCPT, recipient=RECIPIENT, reply=parse_reply(words)))
    assert (inline.cause, inline.scope, inline.permanent, inline.rule, inline.suppress) == (
        fact.cause,
        fact.scope,
        fact.permanent,
        fact.rule,
        fact.suppress,
    )
    listed = await home.store.suppressed(delivery.account, [RECIPIENT], 9_000)
    assert inline.suppress is bool(listed)


@pytest.mark.parametrize("ours_first", [True, False])
async def test_every_recipient_of_a_report_is_looked_at(home: Home, ours_first: bool) -> None:
    """A report that begins with another recipient, delivered or failed, is still about ours."""
    delivery = await home.delivered()
    data = write_bounce(incident(encode(delivery.id, "bounce.test", SECRET)))
    ours = data[data.index(b"Final-Recipient") : data.index(b"virtual mailbox table\r\n") + 23]
    other = (
        b"Final-Recipient: rfc822; other@b.example\r\nAction: failed\r\nStatus: 5.7.1\r\n"
        b"Diagnostic-Code: smtp; 550 5.7.1 Message rejected due to local policy\r\n"
    )
    blocks = (ours, other) if ours_first else (other, ours)
    await returned(home, data.replace(ours, b"\r\n".join(blocks)), delivery)
    after = await home.read(delivery)
    assert (Status.BOUNCED, Cause.USER_UNKNOWN) == (after.status, after.cause)
    assert 2 == len(await home.store.suppressed(delivery.account, [RECIPIENT], 9_000))


async def test_a_refused_ip_that_comes_home_is_no_complaint(home: Home) -> None:
    """A bounce mail about a blocklist is a Bounce event and no complaint, and lists nobody."""
    delivery = await home.delivered()
    words = "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org"
    await returned(home, bounce(encode(delivery.id, "bounce.test", SECRET), "5.7.1", words), delivery)
    event = await home.event(delivery, EventKind.BOUNCE_RECEIVED)
    assert isinstance(event.fact, BounceReceived)
    assert (Cause.IP_BLOCKLISTED, Scope.SOURCE_IP) == (event.fact.cause, event.fact.scope)
    assert SesEvent.BOUNCE is ses_event(event.kind, event.fact)
    assert ["delivered", "bounce_received"] == await home.kinds(delivery)
    assert [] == await home.store.suppressed(delivery.account, [RECIPIENT], 9_000)


async def test_a_complaint_is_no_bounce(home: Home) -> None:
    """It is an event of a type of its own."""
    delivery = await home.delivered()
    address = encode(delivery.id, "bounce.test", SECRET)
    await returned(home, write_complaint(incident(address), "FBL/1.0"), delivery)
    event = await home.event(delivery, EventKind.COMPLAINED)
    assert SesEvent.COMPLAINT is ses_event(event.kind, event.fact)
    assert Status.COMPLAINED is (await home.read(delivery)).status


AWAY = {
    "standard": "Auto-Submitted: auto-replied\r\nSubject: Re: Your order",
    "vacation": "Auto-Submitted: auto-replied (vacation)\r\nSubject: On holiday",
    "exchange": "X-Auto-Response-Suppress: All\r\nAuto-Submitted: auto-generated\r\nSubject: Automatic reply: Your order",
    "outlook": "Subject: Automatic reply: Your order",
    "out of office": "Subject: Out of Office: Your order",
    "precedence": "Precedence: auto_reply\r\nSubject: Re: Your order",
    "field": "X-Autoreply: yes\r\nSubject: Re: Your order",
    "german": "Subject: Abwesenheitsnotiz: Your order",
}


@pytest.mark.parametrize("header", AWAY.values(), ids=AWAY.keys())
async def test_somebody_who_is_away_has_not_bounced(home: Home, header: str) -> None:
    """An out-of-office reply, in any of the forms that are sent, leaves the message delivered and lists nobody."""
    delivery = await home.delivered()
    text = (
        f"From: <{RECIPIENT}>\r\nTo: <x@bounce.test>\r\n{header}\r\nIn-Reply-To: <m@sender.example>\r\n"
        "Content-Type: text/plain\r\n\r\n"
        "I am away, and your mail could not be delivered to me in person. Please write to deputy@b.example.\r\n"
    )
    await returned(home, text.encode(), delivery)
    assert ["delivered", "auto_replied"] == await home.kinds(delivery)
    assert Status.DELIVERED is (await home.read(delivery)).status
    assert [] == await home.store.suppressed(delivery.account, [RECIPIENT], 9_000)


@pytest.mark.parametrize("action", ["delivered", "relayed", "expanded"])
async def test_a_receipt_is_no_bounce(home: Home, action: str) -> None:
    """A status notification of success (RFC 3464 §2.3.3) is not counted against the recipient."""
    delivery = await home.delivered()
    data = bounce(encode(delivery.id, "bounce.test", SECRET), "2.0.0", "250 2.0.0 Ok")
    await returned(home, data.replace(b"Action: failed", b"Action: " + action.encode()), delivery)
    assert ["delivered"] == await home.kinds(delivery)
    assert Status.DELIVERED is (await home.read(delivery)).status


async def test_a_bounce_mail_without_a_machine_readable_part_counts(home: Home) -> None:
    """Old mailers write prose alone; the return path says whose message it is, and the words say why."""
    delivery = await home.delivered()
    text = (
        "From: MAILER-DAEMON@b.example\r\nTo: <x@bounce.test>\r\nSubject: failure notice\r\n\r\n"
        "Hi. This is the qmail-send program at b.example.\r\n"
        "I'm afraid I wasn't able to deliver your message to the following addresses.\r\n"
        "This is a permanent error; I've given up. Sorry it didn't work out.\r\n\r\n"
        f"<{RECIPIENT}>:\r\n550 5.1.1 User unknown\r\n\r\n--- Below this line is a copy of the message.\r\n"
    )
    await returned(home, text.encode(), delivery)
    after = await home.read(delivery)
    assert (Status.BOUNCED, Cause.USER_UNKNOWN) == (after.status, after.cause)


async def test_nothing_is_learnt_twice(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The same bounce mail again, as mailers do, is one event: nobody's bounce is counted eight times."""
    async with open_home(tmp_path_factory.mktemp("again")) as home:
        delivery = await home.delivered()
        address = encode(delivery.id, "bounce.test", SECRET)
        for _ in range(3):
            await returned(home, write_bounce(incident(address)), delivery)
        assert 1 == (await home.kinds(delivery)).count("bounce_received")
        (bucket,) = await home.store.statistics(delivery.account, 0)
        assert 1 == bucket.bounces
