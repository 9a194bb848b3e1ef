"""How explanations, ledgers and searches look in a terminal; plain text in a pipe."""

from collections.abc import Iterable, Sequence

import msgspec
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from waybill.explain import Explanation
from waybill.explain.record import Delay, RecipientExplanation, Verdict, Who
from waybill.explain.words import clock, span
from waybill.model.clock import rfc3339
from waybill.model.event import Attempted
from waybill.model.message import Status
from waybill.model.outcome import Attempt, Speaker
from waybill.store.protocol import Found, Ledger

COLOURS = {
    Status.QUEUED: "yellow",
    Status.DELAYED: "yellow",
    Status.DELIVERED: "green",
    Status.COMPLAINED: "magenta",
}
_VERDICTS = {
    Verdict.OK: ("ok", "green"),
    Verdict.PROBLEM: ("problem", "red"),
    Verdict.UNKNOWN: ("unknown", "yellow"),
    Verdict.NOT_APPLICABLE: ("-", "dim"),
}
_FOR = {
    Who.SENDER: "You can",
    Who.RECIPIENT: "Recipient",
    Who.RECIPIENT_ADMIN: "Their admin",
    Who.OPERATOR: "Operator",
    Who.NOBODY: "To do",
}
LABEL = 13


def colour_of(status: Status) -> str:
    """The colour of a fate."""
    return COLOURS.get(status, "red")


def _row(console: Console, label: str, text: Text | str) -> None:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=LABEL, no_wrap=True, style="cyan")
    grid.add_column(overflow="fold")
    grid.add_row(label, text)
    console.print(Padding(grid, (0, 0, 0, 2)))


def show_explanation(explanation: Explanation, console: Console) -> None:
    """Prints the answer for every recipient: what happened first, then the proof, then what to do."""
    for number, recipient in enumerate(explanation.recipients):
        if number:
            console.print()
        _show_recipient(recipient, console)
    subject = f'   "{explanation.subject}"' if explanation.subject else ""
    sender = explanation.sender or "(no sender)"
    _row(console, "Message", Text(f"{explanation.message_id}   from {sender}{subject}", style="dim"))


def _show_recipient(recipient: RecipientExplanation, console: Console) -> None:
    telling = recipient.telling
    console.print(Text(telling.headline, style=f"bold {colour_of(recipient.status)}"))
    for item in telling.evidence:
        label = {"smtp_reply": "Words", "known": "Known", "unknown": "Unknown"}.get(item.kind, "Proof")
        if item.kind in {"known", "unknown", "ledger"}:
            _row(console, label, Text(item.text))
            continue
        _row(console, "Said by", Text(f"{item.source}, {clock(item.at)}"))
        _row(console, label, Text(item.text, style="bold"))
    if telling.effect:
        _row(console, "Effect", Text(telling.effect))
    said: Who | None = None
    for remedy in telling.remedies:
        _row(console, _FOR[remedy.who] if remedy.who is not said else "", Text(remedy.text))
        if remedy.command:
            _row(console, "", Text(remedy.command, style="bold"))
        said = remedy.who
    _row(console, "Next", Text(recipient.next.text))
    _row(console, "Time", Text(describe_delay(recipient.delay)))
    cause = recipient.cause.value if recipient.cause else "none"
    underlying = f" (underlying: {recipient.underlying_cause.value})" if recipient.underlying_cause else ""
    scope = f", scope {telling.scope.value}" if telling.scope else ""
    _row(console, "Cause", Text(f"{cause}{underlying}{scope}, {telling.confidence}"))
    walked = Text()
    for branch, finding in recipient.branches.items():
        word, style = _VERDICTS[finding.verdict]
        walked.append(f"{branch.value} ")
        walked.append(word, style=style)
        walked.append("   ")
    _row(console, "Walked", walked)


def describe_delay(delay: Delay) -> str:
    """Where the time went, in words."""
    parts = (
        ("before us", delay.before_acceptance_ms),
        ("in Waybill", delay.in_waybill_ms),
        ("at the receiver", delay.at_receiver_ms),
    )
    return " · ".join(f"{name} {span(length)}" for name, length in parts if length is not None) or "not known"


def show_found(found: Sequence[Found], console: Console) -> None:
    """Prints the hits of a search."""
    if not found:
        console.print("no message matches")
        return
    table = Table(header_style="bold", box=None, pad_edge=False)
    for name in ("Accepted", "Recipient", "Status", "Cause", "Subject", "Id"):
        table.add_column(name, overflow="fold", no_wrap=name in {"Status", "Cause", "Id"})
    for hit in found:
        status, cause = hit.delivery.status, hit.delivery.cause
        table.add_row(
            rfc3339(hit.message.accepted_at),
            Text(hit.delivery.recipient or "-"),
            Text(status.value, style=colour_of(status)),
            cause.value if cause else "-",
            Text(hit.message.subject or ""),
            hit.message.id,
        )
    console.print(table)


def show_ledger(ledger: Ledger, console: Console) -> None:
    """Prints every event of a message, attempts with their whole transcript."""
    message = ledger.message
    console.print(Text(f"{message.id}   from {message.source_header}   {message.size:,} bytes", style="bold"))
    for event in ledger.events:
        about = f"   {event.recipient}" if event.recipient else ""
        console.print(Text(f"{event.id:>8}  {rfc3339(event.at)}  {event.kind.value}{about}", style="cyan"))
        if isinstance(event.fact, Attempted):
            for line in _attempt_lines(event.fact.attempt):
                console.print(Text(f"          {line}"))
            continue
        for name, value in msgspec.to_builtins(event.fact).items():
            if value not in (None, [], {}, ""):
                console.print(Text(f"          {name}: {value}"))


def _attempt_lines(attempt: Attempt) -> Iterable[str]:
    outcome = attempt.outcome
    yield f"attempt {attempt.number}: {outcome.cause.value}, rule {outcome.rule}, stage {outcome.stage.value}"
    if attempt.tls is not None:
        why = "" if attempt.tls.verified else f", certificate not verified: {attempt.tls.why_not_verified}"
        yield f"{attempt.tls.version} {attempt.tls.cipher}{why}"
    for host in attempt.hosts:
        yield f"host {host}"
    marks = {Speaker.CLIENT: "C:", Speaker.SERVER: "S:", Speaker.NOTE: "--"}
    for line in attempt.transcript:
        yield f"{line.at - attempt.started_at:>7} ms  {marks[line.who]} {line.text}"
    if not attempt.transcript:
        yield outcome.diagnostic
