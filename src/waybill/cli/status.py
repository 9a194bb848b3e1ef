"""``waybill status``: how every part of the service is, what waits, and what holds it back."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import click

from waybill.cli.session import NO, config_option, json_option, settings_of, with_store
from waybill.model.clock import now, rfc3339
from waybill.serve.health import State, health_path
from waybill.serve.report import Report, report, report_json
from waybill.store.open import sqlite_path


@click.command()
@json_option
@config_option
def status(config: Path | None, *, as_json: bool) -> None:
    """Say how the service is, also while it is down; exit 1 if a part is failing."""
    page = health_path(sqlite_path(settings_of(config).store))
    found = with_store(config, lambda store: report(store, page, at=now(), monotonic=time.monotonic()))
    if as_json:
        click.echo(json.dumps(report_json(found), indent=2))
    else:
        click.echo("\n".join(_lines(found)))
    if found.failing:
        raise click.exceptions.Exit(NO)


def _lines(found: Report) -> Iterator[str]:
    for name, part in found.parts.items():
        since = "" if part.since is None or part.state is State.OK else f" (since {rfc3339(part.since)})"
        yield f"{name:12} {part.state:10} {part.evidence}{since}"
    counts = ", ".join(f"{count} {name}" for name, count in found.recipients.items())
    yield f"recipients   {counts or 'none yet'}"
    for one in found.suspensions:
        ends = "until somebody resumes it" if one.until is None else f"until {rfc3339(one.until)}"
        rate = "nothing goes" if not one.per_minute else f"{one.per_minute:g} a minute"
        yield f"suspended    {one.name:30} {ends}, {rate}: {one.reason} [{one.by}]; undo: waybill queue resume {one.name}"
    for site in found.queue:
        causes = ", ".join(f"{count} {cause}" for cause, count in sorted(site.causes.items()))
        held = f", {site.held} held" if site.held else ""
        yield f"waiting      {site.site:30} {site.waiting}{held}, the oldest since {rfc3339(site.oldest_at)}{causes and f': {causes}'}"
    for delivery in found.stuck:
        yield f"stuck        {delivery.message_id} to {delivery.recipient}: waybill explain {delivery.message_id}"
