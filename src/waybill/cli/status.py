"""``waybill status``: how every part of the service is, what waits, and what holds it back."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import click

from waybill.cli.incident import incident_line
from waybill.cli.instant import read_instant
from waybill.cli.session import (
    NO,
    UNREACHABLE,
    USAGE,
    config_option,
    fail,
    json_option,
    on_store,
    settings_of,
    with_store,
)
from waybill.cli.show import harmless
from waybill.cli.standing import standing_lines
from waybill.explain.words import span
from waybill.model.clock import DAY, now, rfc3339
from waybill.serve.health import State, health_path
from waybill.serve.report import Report, period_json, report, report_json, report_without_store
from waybill.settings import Settings
from waybill.store.open import sqlite_path
from waybill.store.protocol import StoreUnavailable

_HISTORY = 7 * DAY

_GONE = (
    "its file {path} is gone, and a service has run on it: put it back, with its key beside it. "
    "A service that is started without it begins an empty store, and knows nothing of the mail in this one"
)


@click.command()
@click.option("--history", is_flag=True, help="List the times in which a part was not well instead (kept for 90 days).")
@click.option("--since", help="With --history: a time such as 2026-11-24T02:30:00Z; else the last 7 days.")
@json_option
@config_option
def status(config: Path | None, since: str | None, *, history: bool, as_json: bool) -> None:
    """Say how the service is, also while it is down; exit 1 if a part is failing."""
    if history:
        _show_history(config, since, as_json=as_json)
        return
    if since is not None:
        raise fail("--since belongs to --history", USAGE)
    found = _report(settings_of(config))
    if as_json:
        click.echo(json.dumps(report_json(found), indent=2))
    else:
        click.echo("\n".join(_lines(found)))
    if found.failing:
        raise click.exceptions.Exit(NO)


def _show_history(config: Path | None, since: str | None, *, as_json: bool) -> None:
    at = now()
    try:
        start = at - _HISTORY if since is None else read_instant(since)
    except ValueError as error:
        raise fail(f"--since: {error}", USAGE) from None
    found = with_store(config, lambda store: store.health_history.between(start, at))
    if as_json:
        click.echo(json.dumps([period_json(one) for one in found], indent=2, ensure_ascii=False))
        return
    if not found:
        click.echo(f"Every part has been well since {rfc3339(start)}, as far as is on record.")
    for one in found:
        length = "still so" if one.until is None else f"for {span(one.until - one.since)}"
        click.echo(f"{rfc3339(one.since)}  {length:16} {one.part:12} {one.state:9} {harmless(one.evidence)}")


def _report(settings: Settings) -> Report:
    """From the store and the health page; from the page alone where a service has lost its store."""
    path = sqlite_path(settings.store)
    page = health_path(path)
    try:
        return on_store(settings, lambda store: report(store, page, at=now(), monotonic=time.monotonic()))
    except StoreUnavailable as error:
        why = str(error) if path.exists() else _GONE.format(path=path)
        found = report_without_store(page, why, at=now(), monotonic=time.monotonic())
        if found is None:
            raise fail(str(error), UNREACHABLE) from None
        return found


def _lines(found: Report) -> Iterator[str]:
    for name, part in found.parts.items():
        since = "" if part.since is None or part.state is State.OK else f" (since {rfc3339(part.since)})"
        yield f"{name:12} {part.state:10} {part.evidence}{since}"
    counts = ", ".join(f"{count} {name}" for name, count in found.recipients.items())
    yield f"recipients   {counts or ('none yet' if found.readable else 'not known: the store cannot be read')}"
    for incident in found.incidents:
        yield f"incident     {incident_line(incident, found.at)}; waybill incident show {incident.id}"
    for one in found.suspensions:
        ends = "until somebody resumes it" if one.until is None else f"until {rfc3339(one.until)}"
        rate = "nothing goes" if not one.per_minute else f"{one.per_minute:g} a minute"
        yield f"suspended    {one.name:30} {ends}, {rate}: {one.reason} [{one.by}]; undo: waybill queue resume {one.name}"
    for site in found.queue:
        causes = ", ".join(f"{count} {cause}" for cause, count in sorted(site.causes.items()))
        held = f", {site.held} held" if site.held else ""
        yield f"waiting      {site.site:30} {site.waiting}{held}, the oldest since {rfc3339(site.oldest_at)}{causes and f': {causes}'}"
    if found.standing is not None:
        yield from standing_lines(found.standing)
    for delivery in found.stuck:
        yield f"stuck        {delivery.message_id} to {delivery.recipient}: waybill explain {delivery.message_id}"
