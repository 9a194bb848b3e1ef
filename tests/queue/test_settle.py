"""From an attempt, or the end of time, to what the ledger writes."""

import itertools
from dataclasses import replace

import pytest

from tests.queue.queueing import answer
from tests.store.builders import ACCOUNT, START, attempt, message
from waybill.deliver.attempt import Parcel
from waybill.model.cause import Cause, Responder, Scope
from waybill.model.clock import HOUR, MINUTE
from waybill.model.event import Attempted, Event, EventKind, Expired, SuppressionAdded
from waybill.model.message import Delivery, Status, message_id_instant
from waybill.model.outcome import Result
from waybill.model.resource import INSTALLATION, Account, ConfigurationSet
from waybill.model.suppression import GLOBAL, Reason
from waybill.queue.settle import NEVER_TRIED, LastWord, Owner, broken_attempt, last_word, settle_attempt, settle_expiry
from waybill.store.protocol import Claim

PARCEL = Parcel(delivery_id=1, message_id="m", recipient="bob@receiver.example", mail_from="", content=b"", number=3)
OWNER = Owner(account=Account(account=INSTALLATION, name=ACCOUNT, created_at=START), configuration_set=None)
DELIVERY = Delivery(
    id=1,
    message_id="m",
    account=ACCOUNT,
    recipient="bob@receiver.example",
    status=Status.QUEUED,
    cause=None,
    underlying_cause=None,
    attempts=2,
    accepted_at=START,
    next_at=START,
    expires_at=START + 14 * HOUR,
    updated_at=START,
    lease_owner="w1",
    lease_until=START + MINUTE,
)
CLAIM = Claim(delivery=DELIVERY, message=message(), content=b"x")


def test_delivered() -> None:
    """Final, counted, and nothing else follows."""
    made = answer(Result.DELIVERED, PARCEL, START + 5)
    settlement = settle_attempt(CLAIM, made, None, retry_at=None, dkim_header=None)
    assert (Status.DELIVERED, Cause.ACCEPTED_BY_RECEIVER, 3, "w1", None, ()) == (
        settlement.status,
        settlement.cause,
        settlement.attempts,
        settlement.lease_owner,
        settlement.next_at,
        settlement.suppressions,
    )
    (event,) = settlement.events
    assert (EventKind.DELIVERED, START + 5, "bob@receiver.example") == (event.kind, event.at, event.recipient)
    assert Attempted(attempt=made) == event.fact


def test_deferred() -> None:
    """Open, with the time of the next attempt and of the end, and the signature for it."""
    made = answer(Result.DEFERRED, PARCEL, START + 5)
    settlement = settle_attempt(CLAIM, made, OWNER, retry_at=START + MINUTE, dkim_header=b"DKIM")
    assert (Status.DELAYED, Cause.GREYLISTED, START + MINUTE, b"DKIM") == (
        settlement.status,
        settlement.cause,
        settlement.next_at,
        settlement.dkim_header,
    )
    expected = Attempted(attempt=made, retry_at=START + MINUTE, expires_at=DELIVERY.expires_at)
    assert (EventKind.DEFERRED, expected) == (settlement.events[0].kind, settlement.events[0].fact)


def test_a_bounce_that_suppresses() -> None:
    """An entry on each list, with an event for each, all of the same feedback id."""
    settlement = settle_attempt(
        CLAIM, answer(Result.BOUNCED, PARCEL, START + 5), OWNER, retry_at=None, dkim_header=None
    )
    bounce, *added = settlement.events
    assert isinstance(bounce.fact, Attempted)
    assert bounce.fact.feedback_id is not None
    assert START + 5 == message_id_instant(bounce.fact.feedback_id)
    assert [(ACCOUNT, bounce.fact.feedback_id), (GLOBAL, bounce.fact.feedback_id)] == [
        (entry.account, entry.feedback_id) for entry in settlement.suppressions
    ]
    assert ["account", "global"] == [fact.list for event in added if isinstance(fact := event.fact, SuppressionAdded)]


def test_the_configuration_set_decides_about_the_account_list() -> None:
    """Without bounces among its reasons only the global list takes the address."""
    quiet = ConfigurationSet(account=ACCOUNT, name="quiet", created_at=START, suppressed_reasons=(Reason.COMPLAINT,))
    settlement = settle_attempt(
        CLAIM,
        answer(Result.BOUNCED, PARCEL, START),
        replace(OWNER, configuration_set=quiet),
        retry_at=None,
        dkim_header=None,
    )
    assert [GLOBAL] == [entry.account for entry in settlement.suppressions]


def test_a_bounce_about_anything_else_suppresses_nobody() -> None:
    """The outcome decides, not the code."""
    made = attempt(START, Result.BOUNCED, Cause.IP_BLOCKLISTED, "550 5.7.1 Blocked")
    settlement = settle_attempt(CLAIM, made, OWNER, retry_at=None, dkim_header=None)
    assert (Status.BOUNCED, (), 1) == (settlement.status, settlement.suppressions, len(settlement.events))


def test_a_fault_inside_is_a_deferral() -> None:
    """It names itself, blames Waybill, and is tried again."""
    outcome = broken_attempt(3, KeyError("x" * 900), started_at=START, ended_at=START + 1).outcome
    assert (Result.DEFERRED, Cause.WAYBILL_INCIDENT, Scope.SERVICE, Responder.WAYBILL) == (
        outcome.result,
        outcome.cause,
        outcome.scope,
        outcome.responder,
    )
    assert outcome.diagnostic.startswith("Waybill failed inside: KeyError: 'xxx")
    assert len(outcome.diagnostic) == 500


@pytest.mark.parametrize(
    ("cause", "words", "tail"),
    [
        (Cause.DNS_FAILURE, "127.0.0.1:53 did not answer", "421 4.4.0 Unable to lookup DNS for receiver.example"),
        (Cause.CONNECTION_FAILED, "Connection refused by mx", "421 4.4.1 Failed to establish connection"),
        (Cause.PROTOCOL_ERROR, "the server closed the connection", "451 4.0.0 Unknown"),
    ],
)
def test_what_is_no_reply_is_told_in_sess_words(cause: Cause, words: str, tail: str) -> None:
    """SES's text ends as SES's does; our own words stay beside it."""
    delivery = replace(DELIVERY, status=Status.DELAYED, expires_at=START + 14 * HOUR)
    settlement = settle_expiry(delivery, LastWord(cause=cause, diagnostic=words), own_limit=False, at=START)
    (event,) = settlement.events
    assert isinstance(event.fact, Expired)
    assert f"smtp; 550 4.4.7 Message expired: unable to deliver in 840 minutes.<{tail}>" == event.fact.diagnostic
    assert words == event.fact.last_diagnostic


@pytest.mark.parametrize(
    ("lifetime", "own_limit", "minutes"), [(14 * HOUR, False, 840), (5 * MINUTE, True, 5), (1, True, 1)]
)
def test_expiry_in_sess_words(lifetime: int, own_limit: bool, minutes: int) -> None:
    """550 4.4.7 with the last words in brackets; the real cause beside our own."""
    delivery = replace(DELIVERY, status=Status.DELAYED, expires_at=START + lifetime)
    last = LastWord(cause=Cause.GREYLISTED, diagnostic="smtp; 451 4.7.1 Greylisted")
    settlement = settle_expiry(delivery, last, own_limit=own_limit, at=START + lifetime)
    assert (Status.BOUNCED, Cause.DELIVERY_EXPIRED, Cause.GREYLISTED, "w1") == (
        settlement.status,
        settlement.cause,
        settlement.underlying_cause,
        settlement.lease_owner,
    )
    (event,) = settlement.events
    assert isinstance(event.fact, Expired)
    assert (
        f"smtp; 550 4.4.7 Message expired: unable to deliver in {minutes} minutes.<451 4.7.1 Greylisted>",
        "smtp; 451 4.7.1 Greylisted",
        2,
        lifetime,
        own_limit,
    ) == (
        event.fact.diagnostic,
        event.fact.last_diagnostic,
        event.fact.attempts,
        event.fact.limit_ms,
        event.fact.by_configuration_set,
    )


def test_the_last_word() -> None:
    """The newest of this recipient; a fault of ours only where there is no other; else that it was never tried."""
    ids = itertools.count(1)

    def deferred(recipient: str, cause: Cause) -> Event:
        made = attempt(START, Result.DEFERRED, cause, f"451 4.0.0 {cause}")
        if cause is Cause.WAYBILL_INCIDENT:
            made = broken_attempt(1, RuntimeError("x"), started_at=START, ended_at=START)
        return Event(
            id=next(ids),
            message_id="m",
            kind=EventKind.DEFERRED,
            at=START,
            recipient=recipient,
            fact=Attempted(attempt=made),
        )

    greylisted, broken = deferred("a", Cause.GREYLISTED), deferred("a", Cause.WAYBILL_INCIDENT)
    later, other = deferred("a", Cause.MAILBOX_FULL), deferred("b", Cause.RATE_LIMITED)
    a = replace(DELIVERY, recipient="a")
    assert NEVER_TRIED == last_word([other], a)
    assert Cause.WAYBILL_INCIDENT is last_word([broken, other], a).cause
    assert "smtp; 451 4.0.0 greylisted" == last_word([greylisted, broken, other], a).diagnostic
    assert Cause.MAILBOX_FULL is last_word([broken, greylisted, later], a).cause
