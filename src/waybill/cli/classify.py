"""``waybill classify`` and ``read-report``: what one reply, or one mail that came home, means."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from waybill.cli.session import USAGE, fail, json_option, unused_config_option
from waybill.deliver.classify import classify_text, unknown_fingerprint
from waybill.mail.delivery_status import as_reply
from waybill.mail.reply import without_type
from waybill.mail.report import ReportedRecipient
from waybill.mail.report import read_report as read_mail
from waybill.model.cause import CATALOGUE
from waybill.model.clock import rfc3339
from waybill.model.outcome import Outcome


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """What a reply means, as the command prints it. ``unknown`` is the fingerprint of words that no rule knows."""
    entry = CATALOGUE[outcome.cause]
    return {
        "cause": outcome.cause.value,
        "branch": entry.branch.value,
        "scope": outcome.scope.value,
        "permanent": outcome.permanent,
        "suppress": outcome.suppress,
        "confidence": outcome.confidence,
        "ses": list(entry.ses) if entry.ses else None,
        "delay_type": entry.delay_type,
        "rule": outcome.rule,
        "unknown": unknown_fingerprint(outcome),
        "meaning": entry.meaning,
        "remedy": entry.remedy,
    }


class ReplyError(Exception):
    """What is wrong with a line that should hold a reply."""


def _lines() -> Iterator[str]:
    """The lines on standard input; blank ones at the very end are none."""
    blank: list[str] = []
    for line in sys.stdin.buffer:
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if not text.strip():
            blank.append(text)
            continue
        yield from blank
        blank.clear()
        yield text


def _read_reply(line: str) -> tuple[str, str | None]:
    """The reply on a line, plain or as JSON with ``reply`` and ``mx``. Raises: ReplyError."""
    if not line.strip():
        raise ReplyError("the line is blank")
    if not line.lstrip().startswith("{"):
        return line, None
    try:
        row = json.loads(line)
        reply, mx = row["reply"], row.get("mx")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ReplyError('not of the form {"reply": "550 …", "mx": "host or null"}') from None
    if not isinstance(reply, str) or not isinstance(mx, str | None):
        raise ReplyError("reply must be a text, and mx a text or null")
    if not reply.strip():
        raise ReplyError("reply is blank")
    return reply, mx


def _classify_lines(mx: str | None) -> None:
    """Writes one object for each line on standard input, and ends with USAGE where one could not be read."""
    wrong: list[int] = []
    for number, line in enumerate(_lines(), 1):
        try:
            reply, line_mx = _read_reply(line)
        except ReplyError as error:
            wrong.append(number)
            shown = {"reply": line, "error": str(error)}
        else:
            shown = {"reply": reply, **outcome_json(classify_text(reply, line_mx or mx))}
        click.echo(json.dumps(shown, ensure_ascii=False))
    if wrong:
        others = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise fail(f"line {wrong[0]}{others}: no reply; the objects of these lines have the field error", USAGE)


@click.command()
@click.argument("reply", required=False)
@click.option("--mx", help="The receiving server's name, for rules of one provider.")
@json_option
@unused_config_option
def classify(reply: str | None, mx: str | None, *, as_json: bool) -> None:
    """Say what an SMTP reply means: cause, scope, whether it is permanent, whether it suppresses.

    Without REPLY, reads one reply a line (or JSON lines) and writes one JSON object a line, in their order; that of a
    line that holds no reply has the field error. Blank lines at the end are no lines.
    """
    if reply is None:
        _classify_lines(mx)
        return
    shown = outcome_json(classify_text(reply, mx))
    if as_json:
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    for key, value in shown.items():
        click.echo(f"{key:12} {_in_words(value)}")


def _in_words(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " / ".join(value) if isinstance(value, list) else value


def _recipient_json(recipient: ReportedRecipient) -> dict[str, Any]:
    outcome = classify_text(as_reply(recipient), without_type(recipient.remote_mta) or None)
    failed = recipient.action == "failed"
    return {
        "recipient": recipient.recipient,
        "status": recipient.status,
        "action": recipient.action,
        "diagnostic": recipient.diagnostic,
        "cause": outcome.cause.value,
        "permanent": failed and outcome.permanent,
    }


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False, exists=True))
@json_option
@unused_config_option
def read_report(files: tuple[Path, ...], *, as_json: bool) -> None:
    """Say what mails that came home are: bounce, delay, complaint, automatic reply, or a report."""
    for file in files:
        try:
            report = read_mail(file.read_bytes())
        except OSError as error:
            raise fail(f"{file}: cannot be read: {error.strerror}", USAGE) from None
        recipients = [_recipient_json(recipient) for recipient in report.recipients]
        shown = {
            "file": str(file),
            "kind": report.kind,
            "reporting_mta": report.reporting_mta,
            "arrival_date": rfc3339(report.arrival_date) if report.arrival_date is not None else None,
            "recipients": recipients,
        }
        if as_json:
            click.echo(json.dumps(shown, ensure_ascii=False))
            continue
        click.echo(f"{file}: {report.kind}")
        for row in recipients:
            click.echo(f"  {row['recipient']}  {row['status'] or '-'}  {row['cause']}  {row['diagnostic'] or ''}")
