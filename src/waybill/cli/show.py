"""How explanations, ledgers and searches look in a terminal; in a pipe plain text, and no line is ever broken."""

import shlex
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.text import Text

from waybill.explain import Explanation
from waybill.explain.content import describe_examined
from waybill.explain.delay_words import describe_delay, long_parts
from waybill.explain.live_record import Live
from waybill.explain.record import Hypothesis, RecipientExplanation, Remedy, Verdict, Who
from waybill.explain.words import clock
from waybill.model.clock import rfc3339
from waybill.model.content import ContentExamined
from waybill.model.event import Attempted
from waybill.model.message import Status
from waybill.model.outcome import Attempt, Speaker
from waybill.model.probe import Probed
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
_PLAIN_EVIDENCE = {
    "known": "Known",
    "unknown": "Unknown",
    "ledger": "Also",
    "risks": "Risks",
    "not_seen": "Not seen",
    "authentication": "Proof",
    "changed": "Changed",
}
_RECORD = '. TXT "'
"""What a line has that is to be copied into a zone file, and is not broken."""

_DIFFERS = {
    "answer": "Answer",
    "route": "Answer",
    "mx": "MX records",
    "tls": "Encryption",
    "spf": "SPF",
    "dkim": "DKIM",
    "dmarc": "DMARC",
    "blocklist": "Blocklist",
}
MARGIN = 2
LABEL = 13
NARROWEST = 40
ONE_LINE = 150

# Replies and subjects come from strangers: what would steer the terminal or turn the text around is made visible.
_HARMLESS = {
    **{code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if code not in {0x09, 0x0A}},
    0x09: " ",
    **{code: f"\\u{code:04x}" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029)},
}


def colour_of(status: Status) -> str:
    """The colour of a fate."""
    return COLOURS.get(status, "red")


def harmless(text: str) -> str:
    """The text with its control characters written out as escapes, line ends kept."""
    return text.translate(_HARMLESS)


def _print(console: Console, text: Text) -> None:
    """One line as it is: rich breaks nothing, and a pipe gets no colour."""
    console.print(text, soft_wrap=True)


def _wrap(console: Console, text: str, indent: int) -> Iterator[str]:
    """The lines of a text, broken between words to fit a terminal; words and what goes into a pipe stay whole."""
    room = max(NARROWEST, console.width - indent)
    for line in harmless(text).split("\n"):
        if console.is_terminal:
            yield from textwrap.wrap(line, room, break_long_words=False, break_on_hyphens=False) or [""]
        else:
            yield line


def _row(console: Console, label: str, text: str, style: str = "", *, keep: bool = False) -> None:
    """A labelled text; ``keep`` leaves its lines whole even on a narrow terminal, so that they can be copied."""
    indent = MARGIN + LABEL + 1
    lines = harmless(text).split("\n") if keep else _wrap(console, text, indent)
    for number, line in enumerate(lines):
        shown = Text(" " * MARGIN)
        shown.append((label if number == 0 else "").ljust(LABEL + 1), style="cyan")
        shown.append(line, style=style)
        shown.rstrip()
        _print(console, shown)


def show_explanation(explanation: Explanation, console: Console, *, config: Path | None = None) -> None:
    """Prints the answer for every recipient: what happened first, then the proof, then what to do.

    ``config`` is the settings file that was named, so that the commands printed name it, too.
    """
    for number, recipient in enumerate(explanation.recipients):
        if number:
            _print(console, Text())
        _show_recipient(recipient, console, config)
        _row(console, "Time", describe_delay(recipient.delay, explanation.source))
        for line in long_parts(recipient.delay):
            _row(console, "", line)
        _show_verdicts(recipient, console)
        if recipient.live is not None:
            _show_live(recipient.live, console)
    subject = f'   "{explanation.subject}"' if explanation.subject else ""
    sender = explanation.sender or "(no sender)"
    _row(console, "Message", f"{explanation.message_id}   from {sender}{subject}", "dim")


def _show_recipient(recipient: RecipientExplanation, console: Console, config: Path | None) -> None:
    telling = recipient.telling
    for line in _wrap(console, telling.headline, 0):
        _print(console, Text(line, style=f"bold {colour_of(recipient.status)}"))
    for item in telling.evidence:
        if item.kind in _PLAIN_EVIDENCE:
            _row(console, _PLAIN_EVIDENCE[item.kind], item.text)
            continue
        _row(console, "Said by", f"{item.source}, {clock(item.at)}")
        _row(console, "Words" if item.kind == "smtp_reply" else "Proof", item.text, "bold")
    if telling.effect:
        _row(console, "Effect", telling.effect)
    _show_remedies(telling.remedies, console, config)
    _show_hypotheses(recipient.hypotheses, console, config)
    _row(console, "Next", recipient.next.text)


def _show_verdicts(recipient: RecipientExplanation, console: Console) -> None:
    cause = recipient.cause.value if recipient.cause else "none so far"
    underlying = f" (underlying: {recipient.underlying_cause.value})" if recipient.underlying_cause else ""
    scope = f", scope {recipient.telling.scope.value}" if recipient.telling.scope else ""
    _row(console, "Cause", f"{cause}{underlying}{scope}, {recipient.telling.confidence}")
    walked = Text(" " * MARGIN)
    walked.append("Walked".ljust(LABEL + 1), style="cyan")
    indent = len(walked)
    last = len(recipient.branches) - 1
    for number, (branch, finding) in enumerate(recipient.branches.items()):
        word, style = _VERDICTS[finding.verdict]
        item = Text.assemble(f"{branch.value} ", (word, style), "" if number == last else " ·")
        if console.is_terminal and len(walked) + 1 + len(item) > console.width:
            _print(console, walked)
            walked = Text(" " * indent)
        walked.append(" " if len(walked) > indent else "").append_text(item)
    _print(console, walked)


def _show_live(live: Live, console: Console) -> None:
    """What a live probe found: the stages as they went, then what of it differs from the record."""
    _row(console, "Now", live.headline, "bold")
    host: str | None = None
    for step in live.steps:
        if step.host != host:
            host = step.host
            _row(console, "", host or "")
        mark = "" if step.ok else "  (no)"
        _row(console, "", f"  {step.step.value:9} {step.ms:>6,} ms  {step.text}{mark}")
    for number, one in enumerate(live.differences):
        label = "" if number else "Differs"
        _row(console, label, f"{_DIFFERS[one.what]}: {one.text}\n  then  {one.then}\n  now   {one.now}")
    if live.same:
        _row(console, "As before", ", ".join(live.same))
    for number, remark in enumerate(live.remarks):
        _row(console, "" if number else "Mind", remark)


def _with_config(command: str, config: Path | None) -> str:
    """The command with ``--config``, before a ``--`` where it has one."""
    if config is None or not command.startswith("waybill "):
        return command
    words = shlex.split(command)
    place = words.index("--") if "--" in words else len(words)
    return shlex.join([*words[:place], "--config", str(config), *words[place:]])


def _show_remedies(remedies: Sequence[Remedy], console: Console, config: Path | None) -> None:
    said: Who | None = None
    for remedy in remedies:
        label = "" if remedy.who is said else _FOR[remedy.who]
        for line in remedy.text.split("\n"):
            _row(console, label, line, keep=_RECORD in line)
            label = ""
        if remedy.command:
            _row(console, "", f"    {_with_config(remedy.command, config)}", "bold", keep=True)
        said = remedy.who


def _show_hypotheses(hypotheses: Sequence[Hypothesis], console: Console, config: Path | None) -> None:
    """What else it may be, and what would decide it."""
    for number, one in enumerate(hypotheses, 1):
        text = (
            f"{number}. ({one.confidence}) {one.text}\n   What decides: {one.decided_by[0].lower()}{one.decided_by[1:]}"
        )
        _row(console, "Perhaps" if number == 1 else "", text)
        if one.command:
            _row(console, "", f"    {_with_config(one.command, config)}", "bold", keep=True)


def show_found(found: Sequence[Found], console: Console) -> None:
    """Prints the hits of a search: one line each, or two where the terminal is narrow."""
    if not found:
        _print(console, Text("no message matches"))
        return
    narrow = console.is_terminal and console.width < ONE_LINE
    to = max(len(hit.delivery.recipient) for hit in found)
    for hit in found:
        status, cause = hit.delivery.status, hit.delivery.cause
        line = Text(f"{rfc3339(hit.message.accepted_at)}  ")
        line.append(f"{status.value:16}", style=colour_of(status))
        line.append(f"  {cause.value if cause else '-':25}  ")
        recipient = harmless(hit.delivery.recipient or "-").ljust(0 if narrow else to)
        line.append(recipient, style="bold")
        about = Text(harmless(f"{hit.message.id}  {hit.message.subject or ''}".rstrip()), style="dim")
        if narrow:
            _print(console, line)
            _print(console, Text("    ").append_text(about))
        else:
            _print(console, line.append("  ").append_text(about))


def show_ledger(ledger: Ledger, console: Console) -> None:
    """Prints every event of a message, attempts with their whole transcript."""
    message = ledger.message
    sender = harmless(message.source_header)
    _print(console, Text(f"{message.id}   from {sender}   {message.size:,} bytes", style="bold"))
    for event in ledger.events:
        about = f"   {harmless(event.recipient)}" if event.recipient else ""
        _print(console, Text(f"{event.id:>8}  {rfc3339(event.at)}  {event.kind.value}{about}", style="cyan"))
        if isinstance(event.fact, Attempted):
            for line in _attempt_lines(event.fact.attempt):
                _print(console, Text(f"          {harmless(line)}"))
            continue
        if isinstance(event.fact, Probed):
            for line in _probe_lines(event.fact):
                _print(console, Text(f"          {harmless(line)}"))
            continue
        if isinstance(event.fact, ContentExamined):
            for line in _examined_lines(event.fact):
                _print(console, Text(f"          {harmless(line)}"))
            continue
        for name, value in msgspec.to_builtins(event.fact).items():
            if value not in (None, [], {}, ""):
                _print(console, Text(f"          {name}: {harmless(str(value))}"))


def _examined_lines(fact: ContentExamined) -> Iterable[str]:
    yield describe_examined(fact)
    for finding in fact.findings:
        where = f"   [{finding.where}]" if finding.where else ""
        yield f"{finding.severity.value:6} {finding.id}: {finding.text}{where}"
        if finding.source:
            yield f"       by {finding.source}"


def _probe_lines(probed: Probed) -> Iterable[str]:
    yield f"asked live, no message sent: EHLO {probed.helo}, MAIL FROM:<{probed.mail_from}>"
    yield f"mx {', '.join(probed.mx) or 'none'}"
    for step in probed.steps:
        where = f"{step.host} [{step.ip}] " if step.ip else f"{step.host} " if step.host else ""
        yield f"{step.at - probed.started_at:>7} ms  {where}{step.step.value}{'' if step.ok else ' (no)'}: {step.text}"
    yield from probed.remarks


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
