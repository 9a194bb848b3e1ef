"""How the checks of a domain are shown: what fails first, the records ready to be pasted, and what is well in a line each."""

import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator

import click

from waybill.model.clock import rfc3339
from waybill.standing.checks.check import Check, Verdict
from waybill.standing.checks.run import Report

_COLOURS = {Verdict.FAIL: "red", Verdict.WARN: "yellow", Verdict.UNKNOWN: "cyan", Verdict.PASS: "green"}
_INDENT = " " * 9
_LABEL = 9
_LONG = ("smtp", "evaluation")
"""Evidence of many lines; what matters in it is in the text, all of it in the JSON."""
_MOST_SEEN = 3
_WIDEST, _NARROWEST = 120, 60
_LONGEST_SEEN = 300


def page(report: Report) -> str:
    """The whole report."""
    return "\n".join(_lines(report))


def _shown(text: str) -> str:
    """The text with what a terminal would obey written out: records and replies are anybody's words."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _lines(report: Report) -> Iterator[str]:
    counts = [f"{len(report.of(verdict))} {verdict}" for verdict in Verdict if report.of(verdict)]
    yield f"{report.domain}: {', '.join(counts)} at {rfc3339(report.at)}"
    sender = report.sender
    leaves = ", ".join(f"{each.ip} as {each.helo}" for each in sender.egress) or "an address that is not known"
    yield f"mail from {sender.domain} leaves from {leaves}; its return path is in {sender.mail_from}"
    if report.is_blind:
        yield "DNS answered nothing at all: see whether the resolver can be reached (dns.servers, else the system's)."
    for verdict in (Verdict.FAIL, Verdict.WARN):
        for check in report.of(verdict):
            yield ""
            yield from _in_full(check)
    for checks in _by_id(report.of(Verdict.UNKNOWN)):
        yield ""
        yield from _together(checks)
    yield ""
    for checks in _by_id(report.of(Verdict.PASS)):
        words = checks[0].text if len(checks) == 1 else f"{', '.join(check.subject for check in checks)}."
        yield f"{_word(Verdict.PASS)}{checks[0].title}: {_shown(words)}"


def _by_id(checks: Iterable[Check]) -> list[list[Check]]:
    """Those of a kind together, in the order of the first."""
    kinds: dict[str, list[Check]] = {}
    for check in checks:
        kinds.setdefault(check.id, []).append(check)
    return list(kinds.values())


def _together(checks: list[Check]) -> Iterator[str]:
    """Checks of a kind that could not be made: each with its reason, and once what to do."""
    yield _head(checks[0], checks[0].subject if len(checks) == 1 else "")
    for text in dict.fromkeys(check.text for check in checks):
        yield from _wrap("", text)
    for remedy, command in dict.fromkeys((check.remedy, check.command) for check in checks):
        yield from _to_do(remedy, command)


def _head(check: Check, subject: str) -> str:
    about = f" · {_shown(subject)}" if subject else ""
    return f"{_word(check.verdict)}{click.style(check.title, bold=True)}{about}"


def _to_do(remedy: str, command: str) -> Iterator[str]:
    if remedy:
        yield from _wrap("Do", remedy)
    if command:  # on a line of its own, whole, to be pasted
        yield f"{_INDENT}{'Run':{_LABEL}}{command}"


def _word(verdict: Verdict) -> str:
    return click.style(f"{verdict.upper():{_LABEL}}", fg=_COLOURS[verdict])


def _in_full(check: Check) -> Iterator[str]:
    yield _head(check, check.subject)
    yield from _wrap("", check.text)
    yield from _wrap("Why", check.why)
    yield from _to_do(check.remedy, check.command)  # before what to publish: it may say that this has to wait
    yield from _records(check)
    seen = [each for each in check.evidence if each.kind not in _LONG]
    for each in seen[:_MOST_SEEN]:
        text = each.text if len(each.text) <= _LONGEST_SEEN else f"{each.text[:_LONGEST_SEEN]}…"
        yield from _wrap("Seen", text)
    if len(seen) > _MOST_SEEN:
        yield from _wrap(" ", f"and {len(seen) - _MOST_SEEN} more: --json shows all")


def _records(check: Check) -> Iterator[str]:
    """What to publish, each on one line, so that it can be pasted."""
    for record in check.records:
        yield f"{_INDENT}{'Publish':{_LABEL}}{_shown(str(record))}"
        if record.replaces:
            yield from _wrap(" ", f"in place of: {record.replaces}")


def _wrap(label: str, text: str) -> Iterator[str]:
    """The text behind its label, in lines that fit a terminal; words stay whole, and so does all that goes into a pipe."""
    head = f"{_INDENT}{label:{_LABEL}}" if label else _INDENT
    if not sys.stdout.isatty():
        return iter([f"{head}{_shown(text)}"])
    lines = textwrap.wrap(
        _shown(text),
        max(min(shutil.get_terminal_size().columns, _WIDEST), _NARROWEST),
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return iter(lines)


def changes(old: Report, new: Report) -> str:
    """What is different now; empty where nothing is."""
    before = {(check.id, check.subject): check for check in old.checks}
    after = {(check.id, check.subject): check for check in new.checks}
    lines: list[str] = []
    for key, check in after.items():
        was = before.get(key)
        if was is None or (was.verdict, was.text) != (check.verdict, check.text):
            about = _shown(f"{check.title} · {check.subject}: {check.text}")
            lines += [f"{_time(new)}  {_move(was, check)} {about}", *_records(check)]
    gone = (check for key, check in before.items() if key not in after)
    lines += [f"{_time(new)}  gone: {check.title} · {_shown(check.subject)}" for check in gone]
    return "\n".join(lines)


def _time(report: Report) -> str:
    return rfc3339(report.at)[11:19]


def _move(before: Check | None, check: Check) -> str:
    now = click.style(check.verdict.upper(), fg=_COLOURS[check.verdict])
    return now if before is None or before.verdict is check.verdict else f"{before.verdict.upper()} → {now}"
