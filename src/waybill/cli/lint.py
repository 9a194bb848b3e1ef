"""``waybill lint``: what speaks against a message, before it is sent."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from waybill.cli.session import NO, UNREACHABLE, USAGE, config_option, fail, json_option, settings_of
from waybill.cli.show import harmless
from waybill.mail.address import AddressError, parse_mailbox_list
from waybill.mail.header import scan
from waybill.mail.lint import Circumstances, examine
from waybill.model.clock import now
from waybill.model.content import ContentExamined, Finding, Severity
from waybill.net.content_filter import ContentFilter, FilterUnavailable, Question
from waybill.serve.content import content_filters

_COLOURS = {Severity.HIGH: "red", Severity.MEDIUM: "yellow", Severity.LOW: None}


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True, allow_dash=True), metavar="FILE")
@click.option("--bulk", is_flag=True, help="It is one of many: mail that people must be able to unsubscribe from.")
@click.option("--unsigned", is_flag=True, help="Waybill has no DKIM key for its sender.")
@click.option("--filters", is_flag=True, help="Ask the Rspamd and the SpamAssassin of the settings, too.")
@json_option
@config_option
def lint(file: Path, config: Path | None, *, bulk: bool, unsigned: bool, filters: bool, as_json: bool) -> None:
    """Say what speaks against a message, the worst first: its links, texts, attachments and header.

    FILE holds the message as it is sent; - reads standard input. The exit code is 1 where something grave was found.
    """
    settings = settings_of(config)
    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise fail(f"{file}: cannot be read: {error.strerror}", USAGE) from None
    if b"\r\n" not in data:
        data = data.replace(b"\n", b"\r\n")  # a file of this machine's
    own = examine(data, Circumstances(at=now(), bulk=bulk, signs=not unsigned))
    facts = [ContentExamined(by="waybill", findings=own.findings)]
    try:
        facts += asyncio.run(_ask(content_filters(settings), data)) if filters else []
    except FilterUnavailable as error:
        raise fail(str(error), UNREACHABLE) from None
    if as_json:
        click.echo(json.dumps([_as_json(fact) for fact in facts], indent=2, ensure_ascii=False))
    else:
        for fact in facts:
            _show(fact)
    if any(finding.severity is Severity.HIGH for fact in facts for finding in fact.findings):
        raise click.exceptions.Exit(NO)


async def _ask(filters: tuple[ContentFilter, ...], data: bytes) -> list[ContentExamined]:
    """What each filter says. Raises: FilterUnavailable."""
    question = Question(message_id="lint", sender=_sender(data), recipients=(), content=data)
    try:
        return [await one.examine(question) for one in filters]
    finally:
        for one in filters:
            await one.close()


def _sender(data: bytes) -> str:
    value = next((field.value for field in scan(data)[0] if field.name.lower() == "from"), "")
    try:
        return parse_mailbox_list(value)[0].address
    except (AddressError, IndexError):
        return ""


def _as_json(fact: ContentExamined) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(fact)
    return {key: shown[key] for key in ("by", "score", "threshold", "action", "findings")}


def _show(fact: ContentExamined) -> None:
    limit = f" of {fact.threshold:g}" if fact.threshold is not None else ""
    verdict = (
        f": score {fact.score:g}{limit}{f', {fact.action}' if fact.action else ''}" if fact.score is not None else ""
    )
    found = f"{len(fact.findings)} found" if fact.findings else "nothing found"
    click.echo(f"{fact.by}{verdict}   {found}")
    for finding in fact.findings:
        _show_finding(finding)


def _show_finding(finding: Finding) -> None:
    score = f" {finding.score:+g}" if finding.score is not None else ""
    place = f"   [{finding.where}]" if finding.where else ""
    weight = click.style(f"{finding.severity.value:6}", fg=_COLOURS[finding.severity])
    click.echo(f"  {weight}  {harmless(f'{finding.text}{score}{place}')}")
    if finding.source:
        click.echo(f"          {finding.id}: {finding.source}")
