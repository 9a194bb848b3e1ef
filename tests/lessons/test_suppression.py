"""Who must be suppressed, and who never: from a receiver's words over SMTP to the lists."""

from dataclasses import replace

import pytest

from tests.accept.accepting import World as Counter
from tests.accept.accepting import request
from tests.lessons.journey import EVERYWHERE, journey, received, refusing
from tests.net.scripted import scripted
from tests.queue.queueing import World
from tests.store.builders import ACCOUNT
from waybill.lab.script import Rule, Script
from waybill.model.cause import Cause, Scope
from waybill.model.clock import DAY, MINUTE
from waybill.model.event import EventKind, Suppressed, SuppressionAdded
from waybill.model.message import Status
from waybill.model.outcome import Stage
from waybill.model.suppression import GLOBAL, Reason, Suppression

GONE = {
    "code@a.test": "550 5.1.1 <code@a.test>: Recipient address rejected: User unknown in virtual mailbox table",
    "bare@a.test": "550 No such user here",
    "other-words@a.test": "550 No user found",
    "disabled@a.test": "550 5.2.1 The email account that you tried to reach is disabled.",
    "inactive@a.test": "550 5.2.1 This mailbox is inactive.",
    "moved@a.test": "550 5.1.6 Recipient no longer on server",
    "directory@a.test": "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
    "old@a.test": "554 delivery error: dd This user doesn't have a yahoo.com account (old@a.test) [0]",
    "wrong-code@a.test": "552 1 Requested mail action aborted, mailbox not found",
}

NOT_ABOUT_THEM = {
    "reputation": (
        "550-5.7.1 [192.0.2.1] Our system has detected that this message has a very low\n550 5.7.1 reputation of the sending IP",
        Scope.SOURCE_IP,
    ),
    "blocklist": ("553 5.3.0 DNSBL: rejected, 192.0.2.1 is listed", Scope.SOURCE_IP),
    "lying-code": ("550 5.1.1 <x@a.test>: rejected: 192.0.2.1 listed at zen.spamhaus.org", Scope.SOURCE_IP),
    "form": (
        "550 5.7.1 Messages missing a valid From header are not accepted. Your message is not RFC 5322 compliant",
        Scope.CONTENT,
    ),
    "not-rfc": ("554 5.6.0 Message not accepted: [291] not RFC 5322 compliant, duplicate header", Scope.CONTENT),
    "content": ("554 5.7.1 This message has been classified as spam and was rejected", Scope.CONTENT),
    "dmarc": (
        "550 5.7.1 Unauthenticated email from sender.example is not accepted due to domain's DMARC policy",
        Scope.SENDER_DOMAIN,
    ),
    "domain-list": ("550 5.7.1 Blocked: domain sender.example is listed in the DBL", Scope.SENDER_DOMAIN),
    "policy": ("550 5.7.1 Message rejected due to local policy", Scope.SENDER_DOMAIN),
    "relay": ("550 5.7.1 Relaying denied", None),
    "sender": ("550 5.1.8 Sender address rejected: Domain not found", Scope.SENDER_DOMAIN),
    "size": ("552 5.3.4 Message size exceeds fixed limit", Scope.CONTENT),
    "full": ("552 5.2.2 Mailbox full", None),
    "unknown-words": ("550 Zut alors", None),
}


async def test_every_mailbox_that_is_gone_is_listed_at_once(world: World) -> None:
    """The first certain refusal of the recipient suppresses, whatever its code is, and without an enhanced code too."""
    async with received(world, refusing(GONE)) as (trip, _):
        ended = await trip.send(*GONE)
        assert dict.fromkeys(GONE, Status.BOUNCED) == {one.recipient: one.status for one in ended}
        listed = await world.store.suppressed(ACCOUNT, list(GONE), world.at)
        assert {(who, owner) for who in GONE for owner in (ACCOUNT, GLOBAL)} == {
            (one.address, one.account) for one in listed
        }
        for one in listed:
            (delivery,) = [each for each in ended if each.recipient == one.address]
            (bounced,) = await trip.events(delivery, EventKind.BOUNCED)
            assert (delivery.message_id, bounced.id, delivery.cause) == (one.message_id, one.event, one.cause)
            assert one.author.startswith("rule:")
            assert GONE[one.address] in (one.diagnostic or "")


async def test_what_is_not_about_the_recipient_lists_nobody(world: World) -> None:
    """A 550 or 5.7.1 for an IP, a domain, a policy, a malformed header or content leaves the recipients free."""
    replies = {f"{who}@a.test": words for who, (words, _) in NOT_ABOUT_THEM.items()}
    async with received(world, refusing(replies)) as (trip, _):
        for delivery in await trip.send(*replies):
            words, scope = NOT_ABOUT_THEM[delivery.recipient.partition("@")[0]]
            (attempt,) = await trip.attempts(delivery)
            assert Status.BOUNCED is delivery.status, words
            assert not attempt.outcome.suppress, words
            if scope is not None:
                assert scope is attempt.outcome.scope, words
    assert [] == await world.store.suppressed(ACCOUNT, list(replies), world.at)
    assert [] == await world.store.suppressions(GLOBAL)


@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.GREETING, Stage.EHLO])
async def test_what_is_said_before_the_recipient_is_named_lists_nobody(world: World, stage: Stage) -> None:
    """Words that read like a missing mailbox are about somebody else where no recipient has been named."""
    async with received(world, refusing({"*": "550 5.1.1 User unknown"}, stage)) as (trip, _):
        await trip.send("a@a.test")
    assert [] == await world.store.suppressions(ACCOUNT)
    assert [] == await world.store.suppressions(GLOBAL)


async def test_an_entry_stands_for_that_address_alone(counter: Counter) -> None:
    """Nothing is cut at a hyphen or a plus, and no dot is left out: people whose addresses look alike get their mail."""
    listed = Suppression(
        account=ACCOUNT,
        address="anne-marie+news@a.test",
        reason=Reason.BOUNCE,
        at=counter.at,
        author="rule:unknown-user",
    )
    await counter.store.suppress([listed, replace(listed, account=GLOBAL)])
    others = (
        "anne@a.test",
        "anne-marie@a.test",
        "anne-marie+shop@a.test",
        "anne.marie+news@a.test",
        "annemarie+news@a.test",
        "marie+news@a.test",
        "anne-marie+news@b.test",
    )
    ledger = await counter.accept(request(to=("anne-marie+news@A.TEST", *others)))
    assert [Status.SUPPRESSED, *[Status.QUEUED] * len(others)] == [each.status for each in ledger.deliveries]


async def test_why_somebody_is_listed_is_told_with_every_message_that_it_stops(counter: Counter) -> None:
    """No hidden list: which one, since when, by whom, because of which message and words; and an event is made of it."""
    entry = Suppression(
        account=ACCOUNT,
        address="gone@a.test",
        reason=Reason.BOUNCE,
        at=counter.at - DAY,
        author="rule:unknown-user",
        message_id="earlier",
        diagnostic="smtp; 550 5.1.1 No such user",
        cause=Cause.USER_UNKNOWN,
    )
    await counter.store.suppress([entry])
    ledger = await counter.accept(request(to=("gone@a.test",)))
    (delivery,) = ledger.deliveries
    assert (Status.SUPPRESSED, Cause.SUPPRESSED_ACCOUNT) == (delivery.status, delivery.cause)
    (fact,) = [event.fact for event in ledger.events if event.kind is EventKind.SUPPRESSED]
    assert isinstance(fact, Suppressed)
    assert entry == fact.entry


async def test_many_are_taken_off_again_by_what_listed_them(world: World) -> None:
    """A rule that was wrong for an hour is undone by its name and the hour, and what others have listed stays."""
    store, hour = world.store, world.at
    wrong = [
        Suppression(
            account=owner, address=f"u{n}@a.test", reason=Reason.BOUNCE, at=hour, author="rule:wrong", cause=cause
        )
        for n, cause in enumerate((Cause.USER_UNKNOWN, Cause.MAILBOX_DISABLED))
        for owner in (ACCOUNT, GLOBAL)
    ]
    right = replace(wrong[0], address="right@a.test", author="rule:right")
    earlier = replace(wrong[0], address="earlier@a.test", at=hour - DAY)
    await store.suppress([*wrong, right, earlier])
    assert 2 == len(await store.unsuppress_matching(ACCOUNT, rule="wrong", since=hour, until=hour + MINUTE))
    assert ["earlier@a.test", "right@a.test"] == [one.address for one in await store.suppressions(ACCOUNT)]


async def test_edge_blocking_is_a_missing_mailbox_that_is_not_believed_at_once(world: World) -> None:
    """550 5.4.1 Access denied from Exchange Online is its word for no such mailbox, and is no certainty."""
    host = "a-test.mail.protection.outlook.com"
    zones = {"a.test": [f"MX 0 {host}"], host: ["A 127.0.0.1"]}
    words = "550 5.4.1 Recipient address rejected: Access denied. [AM7EUR06FT046.eop-eur06.prod.protection.outlook.com]"
    async with received(world, refusing({"*": words}), zones=zones) as (trip, _):
        (delivery,) = await trip.send("u@a.test")
    assert (Status.BOUNCED, Cause.USER_UNKNOWN) == (delivery.status, delivery.cause)
    assert [] == await world.store.suppressed(ACCOUNT, ["u@a.test"], world.at)


async def test_a_listing_is_never_without_its_event(world: World) -> None:
    """Each list that an address is put on is told of in the ledger of the message that did it."""
    async with scripted(RCPT=b"550 5.1.1 User unknown\r\n") as server, journey(world, server.port, EVERYWHERE) as trip:
        (delivery,) = await trip.send("u@a.test")
        added = [event.fact for event in await trip.events(delivery, EventKind.SUPPRESSION_ADDED)]
    assert {"account", "global"} == {fact.list for fact in added if isinstance(fact, SuppressionAdded)}


async def test_a_provider_that_disowns_those_it_knew_yesterday_is_not_believed(world: World) -> None:
    """550 5.1.1 for many recipients who took mail lately is the provider's fault: none of them stays on a list."""
    known = [f"u{number}@a.test" for number in range(6)]
    async with received(world, Script()) as (trip, _):
        await trip.send(*known)
    world.at += DAY
    gone = Script(
        rules=(Rule(stage=Stage.RCPT, reply="550 5.1.1 The email account that you tried to reach does not exist"),)
    )
    async with received(world, gone) as (trip, _):
        for who in known:
            await trip.send(who)
    for owner in (ACCOUNT, GLOBAL):
        assert [] == await world.store.suppressions(owner)
