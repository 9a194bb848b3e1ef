"""Stories of mail that waits inside Waybill: held, released, forgotten, taken over."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.explain.life import MESSAGE_ID, START, Life, message
from waybill.deliver.evidence import Failure
from waybill.model.cause import Cause
from waybill.model.clock import HOUR, MINUTE, SECOND, rfc3339
from waybill.model.outcome import Stage

MESSAGE = Stage.MESSAGE
TRY_LATER = "451 4.3.2 try again later"
OK = "250 2.0.0 Ok: queued as 4F5XkQ"
TSS04 = "421 4.7.0 [TSS04] Messages from 198.51.100.4 temporarily deferred due to unexpected volume or user complaints"


def _suspended(life: Life, *, lasts: int | None = 2 * HOUR) -> Life:
    """As a rule for Yahoo's replies does it."""
    until = None if lasts is None else life.now + lasts
    ends = "until somebody resumes it" if until is None else f"until {rfc3339(until)}"
    if until is None:
        return life.held(f"All mail to yahoo is suspended {ends}: they asked us to", until, limit="suspension")
    text = (
        f"All mail to Yahoo is suspended {ends}: Yahoo defers all mail from this IP address because of unexpected volume"
        f" or complaints of its users (the reply to message {MESSAGE_ID}: smtp; {TSS04})"
    )
    return life.held(text, until, limit="suspension", by="rule:yahoo-tss04")


def _yahoo() -> Life:
    return Life(recipient="max@yahoo.example", site="yahoo")


def _dead(life: Life, until: int) -> Life:
    text = (
        "Nobody answers for mx1.firma.example: 5 attempts in a row reached no server, the last at "
        f"{rfc3339(life.now)} for message {MESSAGE_ID}: Connecting to mx1.firma.example [192.0.2.7]:25 took over 30 s. "
        f"One message is tried again after {rfc3339(until)}; the others wait for what becomes of it"
    )
    return life.held(text, until, limit="unreachable", by="rule:unreachable-destination", cause=Cause.CONNECTION_FAILED)


def _unreachable() -> Life:
    life = Life(site="mx1.firma.example")
    life.failed(Failure.CONNECTION_TIMEOUT, "Connecting to mx1.firma.example [192.0.2.7]:25 took over 30 s")
    life.wait_for_retry()
    return _dead(life, life.now + 15 * MINUTE).wait(4 * MINUTE)


def _held_from_hand() -> Life:
    """A worker had it in hand when the suspension began: it is due a moment after the end, with others before it."""
    life = _suspended(_yahoo().wait(MINUTE))
    assert life.delivery.next_at is not None
    life.delivery = replace(life.delivery, next_at=life.delivery.next_at + 41 * SECOND)
    return life.wait(10 * MINUTE)


def _without_address(text: str, **changes: Any) -> Life:
    """Its pool was empty when it was first asked for an address, and has been since."""
    life = Life(message=message(**changes)).wait(SECOND)
    life.held(text, life.now + MINUTE, limit="sending pool", by="sending-pool").wait(20 * MINUTE)
    life.delivery = replace(life.delivery, next_at=life.now + 40 * SECOND)
    return life


def _by_hand(until: int | None = None) -> Life:
    return Life().wait(MINUTE).held("Held by hand: the prices in it are wrong", until)


def _expired_held() -> Life:
    return _by_hand().wait(13 * HOUR).expired()


def _expired_held_after_attempt() -> Life:
    return _suspended(_yahoo().answered(TSS04, Stage.MAIL).wait(2 * MINUTE), lasts=14 * HOUR).expired()


def _expired_unreachable() -> Life:
    life = Life(lifetime=HOUR, site="mx1.firma.example").wait(SECOND)
    return _dead(life, START + 50 * MINUTE).expired()


def _delivered_after_hold() -> Life:
    life = _by_hand().wait(3 * HOUR).released().wait(200)
    return life.answered(OK, MESSAGE).wait(HOUR)


def _sent_twice(*, was_sending: bool | None) -> Life:
    life = Life(recipient="kim@ngo.example").wait(5 * MINUTE).taken_over(was_sending=was_sending)
    return life.answered(OK, MESSAGE).wait(HOUR)


def _stuck_marked() -> Life:
    return Life().answered("451 4.7.1 Greylisted, try again later").wait(40 * MINUTE).stuck().wait(20 * MINUTE)


def _stuck_then_taken() -> Life:
    life = _stuck_marked().answered(OK, MESSAGE)
    return life.wait(HOUR)


def _late_there() -> Life:
    life = Life(recipient="sam@corp.example").answered(OK, MESSAGE).wait(4 * HOUR)
    return life.delay_reported(
        "451 4.4.1 connect to store.corp.example: Connection timed out", mta="gateway.corp.example"
    ).wait(MINUTE)


LIVES: dict[str, Callable[[], Life]] = {
    "held_by_waybill-suspension": lambda: _suspended(_yahoo().answered(TSS04, Stage.MAIL).wait(MINUTE)).wait(
        10 * MINUTE
    ),
    "held_by_waybill-suspension-never-tried": lambda: _suspended(_yahoo().wait(MINUTE)).wait(10 * MINUTE),
    "held_by_waybill-suspension-without-end": lambda: _suspended(_yahoo().wait(MINUTE), lasts=None).wait(10 * MINUTE),
    "held_by_waybill-suspension-in-hand": _held_from_hand,
    "held_by_waybill-empty-pool": lambda: _without_address(
        "The pool marketing, which the configuration set sends from, has no address; its mail goes from no other",
        configuration_set="newsletter",
    ),
    "held_by_waybill-no-pool": lambda: _without_address(
        "Every source address is in a dedicated pool, and this message's configuration set names none"
    ),
    "held_by_waybill-unreachable": _unreachable,
    "held_by_waybill-untaken": lambda: _suspended(_yahoo().wait(MINUTE)).wait(2 * HOUR + MINUTE),
    "queued-untaken": lambda: Life().wait(14 * SECOND),
    "greylisted-untaken": lambda: (
        Life().answered("451 4.7.1 Greylisted, try again later").wait_for_retry().wait(2 * MINUTE)
    ),
    "held_by_waybill-by-hand": lambda: _by_hand().wait(3 * HOUR),
    "held_by_waybill-by-hand-for-a-while": lambda: _by_hand(START + 4 * HOUR).wait(3 * HOUR),
    "queued-released": lambda: _by_hand().wait(3 * HOUR).released().wait(300),
    "greylisted-released": lambda: (
        Life()
        .answered("451 4.7.1 Greylisted, try again later")
        .wait(10 * SECOND)
        .held("Held by hand: no reason was given", None)
        .wait(3 * HOUR)
        .released()
        .wait(300)
    ),
    "delivery_expired-held": _expired_held,
    "delivery_expired-held-after-attempt": _expired_held_after_attempt,
    "delivery_expired-unreachable": _expired_unreachable,
    "accepted_by_receiver-after-hold": _delivered_after_hold,
    "accepted_by_receiver-perhaps-twice": lambda: _sent_twice(was_sending=True),
    "accepted_by_receiver-taken-over-unknown": lambda: _sent_twice(was_sending=None),
    "accepted_by_receiver-taken-over-before": lambda: _sent_twice(was_sending=False),
    "stuck-marked": _stuck_marked,
    "accepted_by_receiver-stuck-before": _stuck_then_taken,
    "delayed_after_acceptance-reported": _late_there,
}
