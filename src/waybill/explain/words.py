"""How times, hosts and replies are written for people."""

import re

from waybill.model.clock import DAY, HOUR, MINUTE, SECOND, Instant, rfc3339
from waybill.model.outcome import Attempt, Outcome, Reply

_REPEATED = re.compile(r"^[245]\.\d{1,3}\.\d{1,3} +")


def span(milliseconds: int) -> str:
    """A length of time: ``0.03 s``, ``4.2 s``, ``16 min 4 s``, ``14 h``, ``3 days``."""
    if milliseconds < 10 * SECOND:
        return f"{milliseconds / SECOND:.{2 if milliseconds < SECOND else 1}f} s"
    for unit, name, smaller, smaller_name in (
        (DAY, "day", HOUR, "h"),
        (HOUR, "h", MINUTE, "min"),
        (MINUTE, "min", SECOND, "s"),
    ):
        if milliseconds >= unit:
            whole, rest = divmod(milliseconds, unit)
            plural = "s" if name == "day" and whole != 1 else ""
            more = f" {rest // smaller} {smaller_name}" if rest >= smaller else ""
            return f"{whole} {name}{plural}{more}"
    return f"{milliseconds // SECOND} s"


def clock(at: Instant) -> str:
    """An instant for people: ``2026-11-24 14:03:09 UTC``."""
    return f"{rfc3339(at)[:19].replace('T', ' ')} UTC"


def count(number: int, noun: str) -> str:
    """``1 message``, ``41 messages``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def server(attempt: Attempt | None, outcome: Outcome | None = None) -> str:
    """Who was talked to: ``mx1.b.example [192.0.2.7]:25``."""
    host = (attempt.mx if attempt else None) or (outcome.host if outcome else None)
    ip = (attempt.ip if attempt else None) or (outcome.ip if outcome else None)
    port = f":{attempt.port}" if attempt and attempt.port else ""
    if host and ip:
        return f"{host} [{ip}]{port}"
    return host or (f"[{ip}]{port}" if ip else "the receiving server")


def verbatim(reply: Reply) -> str:
    """A reply as it came, line by line (RFC 5321 §4.2.1)."""
    lines = reply.lines or ("",)
    last = len(lines) - 1
    return "\n".join(f"{reply.code}{' ' if index == last else '-'}{line}".rstrip() for index, line in enumerate(lines))


def one_line(reply: Reply) -> str:
    """A reply on one line, without the enhanced code that many servers repeat on each (RFC 2034 §4)."""
    first, *rest = reply.lines or ("",)
    return " ".join([f"{reply.code} {first}", *(_REPEATED.sub("", line) for line in rest)]).rstrip()


def author(name: str) -> str:
    """Who did something, for people: ``rule user-unknown``, ``API key AKIA…``, ``the operator``."""
    kind, _, which = name.partition(":")
    named = {"rule": f"rule {which}", "api": f"API key {which}"}.get(kind)
    return named or ("the operator" if name == "operator" else name)


def quoted(text: str) -> str:
    """Words as they came; a remark where there are none."""
    return text.strip() or "(no words were given)"
