"""Every cause in every place where it may turn up: as an answer now, later, at last, or in a bounce mail."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.explain.life import FEEDBACK, Life
from waybill.explain import explain
from waybill.explain.record import RecipientExplanation, Who
from waybill.model.cause import CATALOGUE, Cause, Responder
from waybill.model.clock import HOUR
from waybill.model.event import BounceReceived, EventKind
from waybill.model.message import Status
from waybill.model.outcome import Outcome, Reply, Result, Stage


def outcome(cause: Cause, result: Result, *, spoken: bool) -> Outcome:
    entry = CATALOGUE[cause]
    return Outcome(
        result=result,
        cause=cause,
        scope=entry.scope,
        responder=Responder.REMOTE if spoken else Responder.NETWORK,
        permanent=result is Result.BOUNCED and entry.permanent,
        stage=Stage.RCPT if spoken else Stage.CONNECT,
        status="5.0.0",
        diagnostic="smtp; 550 words" if spoken else "our words",
        rule="test",
        reply=Reply(code=550, enhanced=None, lines=("words",)) if spoken else None,
    )


def bounced(cause: Cause) -> Life:
    return Life()._attempt(outcome(cause, Result.BOUNCED, spoken=True), None, tls=True)


def unspoken(cause: Cause) -> Life:
    return Life()._attempt(outcome(cause, Result.BOUNCED, spoken=False), None, tls=False)


def delayed(cause: Cause) -> Life:
    return Life()._attempt(outcome(cause, Result.DEFERRED, spoken=True), None, tls=True)


def expired(cause: Cause) -> Life:
    return delayed(cause).expired()


def returned(cause: Cause) -> Life:
    entry = CATALOGUE[cause]
    fact = BounceReceived(
        cause=cause,
        scope=entry.scope,
        permanent=entry.permanent,
        status="5.0.0",
        action="failed",
        diagnostic="smtp; 550 words",
        reporting_mta=None,
        rule="test",
        feedback_id=FEEDBACK,
    )
    life = Life().answered("250 ok", Stage.MESSAGE).wait(HOUR)
    return life.end(Status.BOUNCED, cause, EventKind.BOUNCE_RECEIVED, fact)


def told(life: Life) -> RecipientExplanation:
    return explain(life.facts(), life.now).recipients[0]


VARIANTS = [bounced, unspoken, delayed, expired, returned]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("cause", Cause)
def test_is_told(cause: Cause, variant: Callable[[Cause], Life]) -> None:
    """There is a whole sentence that says who said it, the words, and something to do."""
    telling = told(variant(cause)).telling
    assert re.fullmatch(r"anna\.k@firma\.example: [a-z].*[A-Za-z0-9)]\.", telling.headline)
    assert not re.search(r"\.\.|\s\s|None|_", telling.headline)
    assert any(words in item.text for item in telling.evidence for words in ("550 words", "our words"))
    assert telling.remedies


@pytest.mark.parametrize("cause", Cause)
def test_who_waits_is_told_so(cause: Cause) -> None:
    """While Waybill tries again, that is said, and nobody is told to send it again."""
    telling = told(delayed(cause)).telling
    assert Who.NOBODY is telling.remedies[-1].who
    assert "tries again" in telling.remedies[-1].text


def test_an_attempt_that_failed_inside() -> None:
    """Waybill's own fault is told as one, and an older word of the receiver is what expiry rests on."""
    fault = replace(
        outcome(Cause.WAYBILL_INCIDENT, Result.DEFERRED, spoken=False),
        responder=Responder.WAYBILL,
        rule="waybill-failure",
    )
    life = delayed(Cause.GREYLISTED).wait_for_retry()._attempt(fault, None, tls=False, mx=None, ip=None, port=None)
    assert (
        "anna.k@firma.example: not delivered yet. The attempt failed inside Waybill itself."
        == told(life).telling.headline
    )
    assert "(greylisting)" in told(life.expired()).telling.headline
