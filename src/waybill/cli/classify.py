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


def _read_replies() -> Iterator[tuple[str, str | None]]:
    """The replies on standard input: one a line, plain or as JSON with ``reply`` and ``mx``."""
    for number, line in enumerate(sys.stdin.buffer, 1):
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if not text.strip():
            continue
        if not text.lstrip().startswith("{"):
            yield text, None
            continue
        try:
            row = json.loads(text)
            reply, mx = row["reply"], row.get("mx")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise fail(f'line {number}: not of the form {{"reply": "550 …", "mx": "host or null"}}', USAGE) from None
        if not isinstance(reply, str) or not isinstance(mx, str | None):
            raise fail(f"line {number}: reply must be a text, and mx a text or null", USAGE)
        yield reply, mx


@click.command()
@click.argument("reply", required=False)
@click.option("--mx", help="The receiving server's name, for rules of one provider.")
@json_option
@unused_config_option
def classify(reply: str | None, mx: str | None, *, as_json: bool) -> None:
    """Say what an SMTP reply means: cause, scope, whether it is permanent, whether it suppresses.

    Without REPLY, reads one reply a line (or JSON lines) and writes one JSON object a line.
    """
    if reply is None:
        for text, line_mx in _read_replies():
            click.echo(
                json.dumps({"reply": text, **outcome_json(classify_text(text, line_mx or mx))}, ensure_ascii=False)
            )
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
