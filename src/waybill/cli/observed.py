"""``waybill unknown-replies`` and ``reports``: what was seen beside single messages, for those who write rules and records."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from waybill.cli.session import NOT_FOUND, config_option, fail, json_option, with_store
from waybill.deliver.classify import classify_text, unknown_fingerprint
from waybill.model.clock import rfc3339
from waybill.store.observed import KeptReport, UnknownReply
from waybill.store.protocol import Store

_MOST = 10_000


@click.command()
@click.option("--limit", default=50, show_default=True, help="How many, the most frequent first.")
@click.option("--forget-known", is_flag=True, help="Forget those that a rule knows by now.")
@json_option
@config_option
def unknown_replies(limit: int, config: Path | None, *, forget_known: bool, as_json: bool) -> None:
    """List the replies that no rule's words fit, counted by what all copies of them share."""
    if forget_known:
        forgotten = with_store(config, _forget_known)
        click.echo(json.dumps({"forgotten": forgotten}) if as_json else f"{forgotten} are known by now, and forgotten.")
        return
    found = with_store(config, lambda store: store.unknown_replies(limit=limit))
    if as_json:
        click.echo(json.dumps([_unknown_json(reply) for reply in found], indent=2, ensure_ascii=False))
        return
    if not found:
        click.echo("No reply has come that no rule knows.")
    for reply in found:
        click.echo(
            f"{reply.count:6}  {reply.site}  last {rfc3339(reply.last_at)}  {reply.message_id}\n        {reply.example}"
        )


def _unknown_json(reply: UnknownReply) -> dict[str, object]:
    return {**asdict(reply), "first_at": rfc3339(reply.first_at), "last_at": rfc3339(reply.last_at)}


async def _forget_known(store: Store) -> int:
    known = [
        reply.fingerprint
        for reply in await store.unknown_replies(limit=_MOST)
        if unknown_fingerprint(classify_text(reply.example, None)) is None
    ]
    return await store.forget_unknown_replies(known) if known else 0


@click.command()
@click.argument("kind", type=click.Choice(["dmarc", "tlsrpt"]))
@click.option("--domain", help="Those about this domain alone.")
@click.option("--limit", default=50, show_default=True, help="How many, the newest first.")
@json_option
@config_option
def reports(kind: str, domain: str | None, limit: int, config: Path | None, *, as_json: bool) -> None:
    """List the aggregate reports that came home: what receivers say of our domains' mail as a whole."""
    found = with_store(config, lambda store: store.reports(kind, domain=domain, limit=limit))
    if not found and domain:
        raise fail(f"no {kind} report about {domain} has come", NOT_FOUND)
    if as_json:
        click.echo(json.dumps([_report_json(report) for report in found], indent=2, ensure_ascii=False))
        return
    if not found:
        click.echo(f"No {kind} report has come.")
    for report in found:
        click.echo(
            f"{rfc3339(report.begin)[:10]} to {rfc3339(report.end)[:10]}  {report.domain}  {report.reporter}: {_gist(report)}"
        )


def _gist(report: KeptReport) -> str:
    said = report.summary
    if report.kind == "dmarc":
        return f"{said.get('passed')} of {said.get('messages')} messages passed DMARC"
    return f"{said.get('successful')} TLS sessions worked, {said.get('failed')} failed"


def _report_json(report: KeptReport) -> dict[str, object]:
    times = {name: rfc3339(getattr(report, name)) for name in ("begin", "end", "received_at")}
    return {**asdict(report), **times}
