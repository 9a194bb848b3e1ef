"""Where the time went, in words: one line, and a line for each long stretch of it."""

from collections.abc import Iterable

from waybill.explain.record import AT_RECEIVER, Delay, DelayPart
from waybill.explain.words import clock, count, span
from waybill.model.clock import MINUTE, SECOND
from waybill.model.message import Source

LONG = MINUTE
"""A stretch of time that is worth a line of its own."""

_MOST_LINES = 6
_NO_SERVER = {"dns": "for the DNS", "network": "for a connection"}


def describe_delay(delay: Delay, source: Source) -> str:
    """Where the time went. An API client dates its request in whole seconds, so less than one is not known."""
    before = delay.before_acceptance_ms
    vague = source is not Source.SMTP and before is not None and before < SECOND
    tries = f" ({count(delay.attempts, 'attempt')})" if delay.attempts > 1 else ""
    elsewhere = [f"{name} {span(length)}" for name, length in _elsewhere(delay)]
    if elsewhere:
        elsewhere[-1] += tries
    ours = "Amazon SES" if source is Source.AMAZON_SES else "Waybill"
    parts = [
        *([f"before us {'under 1 s' if vague else span(before)}"] if before is not None else []),
        *([f"in {ours} {span(delay.in_waybill_ms)}"] if delay.in_waybill_ms is not None else []),
        *elsewhere,
        *([f"since then {span(delay.after_acceptance_ms)}"] if delay.after_acceptance_ms is not None else []),
    ]
    return " · ".join(parts) or "not known"


def _elsewhere(delay: Delay) -> Iterable[tuple[str, int]]:
    """The receiver's time, without what the DNS and the network took of it where that was long, or all."""
    outside: dict[str, int] = {}
    for part in delay.parts:
        if part.where == AT_RECEIVER:
            by = part.by if part.by in _NO_SERVER else "receiver"
            outside[by] = outside.get(by, 0) + part.ms
    told = {by: ms for by, ms in outside.items() if by in _NO_SERVER and (ms >= SECOND or "receiver" not in outside)}
    for by, name in _NO_SERVER.items():
        if by in told:
            yield name, told[by]
    if delay.at_receiver_ms is not None and ("receiver" in outside or not told):
        yield "at the receiver", delay.at_receiver_ms - sum(told.values())


def long_parts(delay: Delay) -> tuple[str, ...]:
    """The long stretches in order of time, a line each; of very many the longest."""
    parts = [part for part in delay.parts if part.ms >= LONG]
    if len(parts) <= _MOST_LINES:
        return tuple(map(_line, parts))
    least = sorted(part.ms for part in parts)[-_MOST_LINES]
    kept = [part for part in parts if part.ms >= least][:_MOST_LINES]
    left = len(parts) - len(kept)
    return (*map(_line, kept), f"and {left} shorter, which --json lists")


def _line(part: DelayPart) -> str:
    return f"{span(part.ms)} from {clock(part.start)}: {part.text}"
