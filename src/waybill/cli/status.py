"""``waybill status``: how the store, the queue and the outbox are."""

import json
from dataclasses import dataclass
from pathlib import Path

import click

from waybill.cli.session import NO, config_option, json_option, with_store
from waybill.explain.case import STUCK_AFTER
from waybill.model.clock import MINUTE, Instant, now, rfc3339
from waybill.model.message import Status
from waybill.store.protocol import Found, Search, Store, StoreHealth

OUTBOX_LATE = 5 * MINUTE
"""An event that waits longer than this to be published means that publishing is in trouble."""

_MOST_LOOKED_AT = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """The store's figures, and the deliveries that should have been attempted long ago."""

    figures: StoreHealth
    untouched: tuple[Found, ...]


async def look(store: Store, at: Instant) -> Health:
    """How the store is now. Raises: StoreUnavailable."""
    old = at - STUCK_AFTER
    untouched: list[Found] = []
    for status in (Status.QUEUED, Status.DELAYED):
        for found in await store.find(Search(status=status, until=old, limit=_MOST_LOOKED_AT)):
            due = found.delivery.next_at or found.message.accepted_at
            if due < old and (found.delivery.lease_until or 0) < at:
                untouched.append(found)
    return Health(figures=await store.health(), untouched=tuple(untouched))


def judge(health: Health, at: Instant) -> dict[str, dict[str, str]]:
    """Each part with its state (ok, degraded, failing) and the evidence."""
    figures, stuck = health.figures, health.untouched
    parts = {"store": {"state": "ok", "evidence": f"{figures.events} events, {figures.bytes} bytes"}}
    waiting = sum(figures.deliveries.get(status, 0) for status in (Status.QUEUED, Status.DELAYED))
    evidence = f"{waiting} {'recipient waits' if waiting == 1 else 'recipients wait'}{_since(figures.oldest_queued_at)}"
    if stuck:
        evidence += f"; no worker has touched {stuck[0].message.id}, which is due: is waybill serve running?"
    parts["queue"] = {"state": "failing" if stuck else "ok", "evidence": evidence}
    late = figures.oldest_notice_at is not None and at - figures.oldest_notice_at > OUTBOX_LATE
    evidence = f"{figures.notices} events wait{_since(figures.oldest_notice_at)}"
    parts["publishing"] = {"state": "degraded" if late else "ok", "evidence": evidence}
    return parts


def _since(oldest: Instant | None) -> str:
    return "" if oldest is None else f", the oldest since {rfc3339(oldest)}"


@click.command()
@json_option
@config_option
def status(config: Path | None, *, as_json: bool) -> None:
    """Say how the service is; exit 1 if a part is failing."""
    at = now()
    health = with_store(config, lambda store: look(store, at))
    parts = judge(health, at)
    counts = {status.value: count for status, count in health.figures.deliveries.items() if count}
    if as_json:
        click.echo(json.dumps({"at": rfc3339(at), "parts": parts, "recipients": counts}, indent=2))
    else:
        for name, part in parts.items():
            click.echo(f"{name:12} {part['state']:10} {part['evidence']}")
        click.echo("recipients   " + (", ".join(f"{count} {name}" for name, count in counts.items()) or "none yet"))
    if any(part["state"] == "failing" for part in parts.values()):
        raise click.exceptions.Exit(NO)
