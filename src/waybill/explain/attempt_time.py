"""The time of one attempt: what of it went to the DNS, to the network, and to the conversation."""

from collections.abc import Iterator
from dataclasses import dataclass

from waybill.explain.record import AT_RECEIVER, IN_WAYBILL
from waybill.explain.words import one_line, server
from waybill.mail.reply import without_type
from waybill.model.cause import Responder
from waybill.model.clock import Instant
from waybill.model.outcome import Attempt, Line, Speaker, Stage

_CONNECTED = "connected to "
_REUSED = " on a connection to "
_NETWORK = "network"
_DNS = "dns"


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A stretch of an attempt up to ``end``."""

    where: str
    by: str
    text: str
    end: Instant


def attempt_spans(attempt: Attempt, domain: str) -> Iterator[Span]:
    """The stretches of an attempt, in order; the last ends with it."""
    name = f"attempt {attempt.number}"
    route = f"{name}: asking the DNS where mail for {domain} goes"
    connecting = f"{name}: until a connection stood{_in_vain(attempt)}"
    talking = f"{name}: {_what(attempt)}"
    texts = {_DNS: route, _NETWORK: connecting}
    where = IN_WAYBILL if attempt.outcome.responder is Responder.WAYBILL else AT_RECEIVER
    gaps = list(_gaps(attempt))
    for index, (end, by) in enumerate(gaps):
        if index + 1 < len(gaps) and gaps[index + 1][1] == by:
            continue
        last = index + 1 == len(gaps)
        text = talking if last or by not in texts else texts[by]
        yield Span(where=where, by=by, text=text, end=min(end, attempt.ended_at))


def _gaps(attempt: Attempt) -> Iterator[tuple[Instant, str]]:
    """Up to when each stretch goes and whose it is: a line of the transcript ends the one before it."""
    host = name_host(attempt)
    connected = False
    ended = attempt.ended_at
    for index, line in enumerate(attempt.transcript):
        if line.who is not Speaker.NOTE:
            connected = True
            yield line.at, _talker(attempt)
        elif _connects(line):
            connected = True
            yield line.at, _NETWORK
        elif connected:
            yield line.at, _talker(attempt)
        else:
            yield line.at, _NETWORK if index else _DNS
    yield ended, _talker(attempt) if connected else host


def _connects(line: Line) -> bool:
    return line.text.startswith(_CONNECTED) or _REUSED in line.text


def _talker(attempt: Attempt) -> str:
    return attempt.mx or attempt.outcome.host or attempt.ip or "the receiving server"


def name_host(attempt: Attempt) -> str:
    """Whose answer an attempt ended with: a host, ``dns``, ``network``, or ``waybill`` itself."""
    match attempt.outcome.responder:
        case Responder.DNS:
            return _DNS
        case Responder.NETWORK:
            return _NETWORK
        case Responder.WAYBILL:
            return "waybill"
        case _:
            return _talker(attempt)


def name_answer(attempt: Attempt) -> str:
    """Who had said what, in one clause."""
    outcome = attempt.outcome
    if outcome.reply is not None:
        return f"{_talker(attempt)} had said {one_line(outcome.reply)}"
    return without_type(outcome.diagnostic)


def _what(attempt: Attempt) -> str:
    outcome = attempt.outcome
    if outcome.reply is not None and outcome.stage is not Stage.ROUTE:
        return f"with {server(attempt, outcome)}, to its answer {one_line(outcome.reply)}"
    return without_type(outcome.diagnostic)


def _in_vain(attempt: Attempt) -> str:
    """The hosts that were tried before the one that answered."""
    tried = attempt.hosts[:-1]
    return f" (in vain at {'; '.join(tried)})" if tried else ""
