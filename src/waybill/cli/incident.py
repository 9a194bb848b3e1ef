"""``waybill incident``: what fails for many messages at once: list, show, and end by hand; also while the service is down."""

import json
from collections.abc import Iterator
from pathlib import Path

import click

from waybill.cli.instant import read_instant
from waybill.cli.session import NO, NOT_FOUND, USAGE, config_option, fail, json_option, settings_of, with_store
from waybill.cli.show import harmless
from waybill.explain.incident import figures, what
from waybill.explain.words import author, span
from waybill.mail.reply import without_type
from waybill.model.clock import DAY, Instant, now, rfc3339
from waybill.model.incident import Incident, IncidentKind, incident_number
from waybill.queue.incident_end import close_incident
from waybill.serve.incident_json import incident_json, quarantined_json
from waybill.store.incidents import Quarantined
from waybill.store.protocol import Store

OPERATOR = "operator"
_LISTED = 30 * DAY
_ENTRIES_SHOWN = 20


@click.group()
def incident() -> None:
    """Look at incidents: providers that fail, addresses that are blocked, our own network; end one by hand."""


@incident.command("list")
@click.option("--since", help="A time such as 2026-11-24T02:30:00Z; else the last 30 days.")
@click.option("--open", "only_open", is_flag=True, help="Those that last.")
@json_option
@config_option
def list_incidents(since: str | None, config: Path | None, *, only_open: bool, as_json: bool) -> None:
    """List incidents, the newest first."""
    at = now()
    try:
        start = at - _LISTED if since is None else read_instant(since)
    except ValueError as error:
        raise fail(f"--since: {error}", USAGE) from None

    async def find(store: Store) -> list[Incident]:
        if only_open:
            return list(reversed(await store.incidents.lasting()))
        return await store.incidents.between(start, at)

    found = with_store(config, find)
    if as_json:
        click.echo(json.dumps([incident_json(one) for one in found], indent=2, ensure_ascii=False))
        return
    if not found:
        click.echo("No incident lasts." if only_open else f"No incident since {rfc3339(start)}.")
    for one in found:
        click.echo(incident_line(one, at))


def incident_line(one: Incident, at: Instant) -> str:
    """One incident in one line."""
    lasted = span((one.closed_at or at) - one.since)
    state = "discarded" if one.discarded else one.state.value
    return (
        f"{one.id:8} {state:9} {rfc3339(one.since)[:19]}Z {lasted:>12}  {harmless(what(one))}: {harmless(figures(one))}"
    )


@incident.command("show")
@click.argument("name")
@json_option
@config_option
def show_incident(name: str, config: Path | None, *, as_json: bool) -> None:
    """Show one incident: its figures, what it keeps out of force, and what it makes Waybill do."""
    number = _number(name)

    async def find(store: Store) -> tuple[Incident | None, list[Quarantined]]:
        return await store.incidents.incident(number), await store.incidents.quarantined(number)

    found, entries = with_store(config, find)
    if found is None:
        raise fail(f"no incident INC-{number}", NOT_FOUND)
    if as_json:
        shown = incident_json(found) | {"quarantine": [quarantined_json(one) for one in entries]}
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    click.echo("\n".join(_lines(found, entries)))


def _number(name: str) -> int:
    number = incident_number(name)
    if number is None:
        raise fail(f"{name!r} is no incident; write it as INC-7", USAGE)
    return number


def _lines(one: Incident, entries: list[Quarantined]) -> Iterator[str]:
    state = "discarded" if one.discarded else one.state.value
    yield f"{one.id}  {harmless(what(one))}  ({state})"
    yield f"  Since      {rfc3339(one.since)}, noticed {rfc3339(one.opened_at)} by {author(one.author)}"
    if one.closed_at is not None:
        yield f"  Until      {rfc3339(one.closed_at)}, ended by {author(one.closed_by or one.author)}"
    yield f"  Figures    {harmless(figures(one))}"
    if one.figures.example:
        yield f"  Words      {harmless(without_type(one.figures.example))}"
    yield from _effects(one)
    if one.quarantined:
        yield f"  Quarantine {one.quarantined} suppression entries kept out of force"
    for entry in entries[:_ENTRIES_SHOWN]:
        ended = f" ({entry.ended})" if entry.ended is not None else ""
        yield f"             {harmless(entry.entry.address)}, message {entry.entry.message_id}{ended}"
    if one.closed_at is None:
        yield f"  Undo       waybill incident close {one.id} --discard   if you know that it is none"


def _effects(one: Incident) -> Iterator[str]:
    if one.closed_at is not None or not one.is_open:
        return
    if one.kind is IncidentKind.FALSE_RECIPIENT_REJECTS:
        probe = f", the next at {rfc3339(one.next_probe_at)}" if one.next_probe_at is not None else ""
        yield f"  Effect     refusals of mailboxes there are not believed: that mail waits, one message is tried every 5 minutes{probe}"
    yield "  Effect     mail that waits for it gets the lost time on top of its own"


@incident.command("close")
@click.argument("name")
@click.option("--discard", is_flag=True, help="It was none: what it kept out of force is in force again.")
@json_option
@config_option
def close(name: str, config: Path | None, *, discard: bool, as_json: bool) -> None:
    """End an incident by hand. With --discard the same is not opened again for 6 hours."""
    number = _number(name)
    lifetime = settings_of(config).delivery.max_lifetime

    async def end(store: Store) -> tuple[Incident | None, Incident | None]:
        found = await store.incidents.incident(number)
        if found is None or found.closed_at is not None:
            return found, None
        closed = await close_incident(store, found, by=OPERATOR, now=now(), lifetime=lifetime, discarded=discard)
        return found, closed

    found, closed = with_store(config, end)
    if found is None:
        raise fail(f"no incident INC-{number}", NOT_FOUND)
    if closed is None:
        raise fail(f"{found.id} is closed already", NO)
    if as_json:
        click.echo(json.dumps(incident_json(closed), indent=2, ensure_ascii=False))
        return
    click.echo(
        f"{closed.id} is closed{' and discarded' if discard else ''}; a running service lets go what waited for it."
    )
