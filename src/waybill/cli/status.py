"""``waybill status``: how the store, the queue and the outbox are."""

import json
from pathlib import Path

import click

from waybill.cli.session import config_option, json_option, with_store
from waybill.model.clock import MINUTE, Instant, now, rfc3339
from waybill.store.protocol import StoreHealth

OUTBOX_LATE = 5 * MINUTE
"""An event that waits longer than this to be published means that publishing is in trouble."""

QUEUE_STUCK = 15 * MINUTE
"""A delivery that is due and untouched for longer than this means that no worker is at work."""


def judge(health: StoreHealth, at: Instant) -> dict[str, dict[str, str]]:
    """Each part with its state (ok, degraded, failing) and the evidence."""
    parts = {"store": {"state": "ok", "evidence": f"{health.events} events, {health.bytes} bytes"}}
    waiting = sum(health.deliveries.get(status, 0) for status in ("queued", "delayed"))  # type: ignore[call-overload]
    oldest = health.oldest_queued_at
    stuck = oldest is not None and at - oldest > QUEUE_STUCK
    since = f", the oldest since {rfc3339(oldest)}" if oldest is not None else ""
    parts["queue"] = {"state": "degraded" if stuck else "ok", "evidence": f"{waiting} recipients wait{since}"}
    late = health.oldest_notice_at is not None and at - health.oldest_notice_at > OUTBOX_LATE
    since = f", the oldest since {rfc3339(health.oldest_notice_at)}" if health.oldest_notice_at is not None else ""
    parts["publishing"] = {"state": "degraded" if late else "ok", "evidence": f"{health.notices} events wait{since}"}
    return parts


@click.command()
@json_option
@config_option
def status(config: Path | None, *, as_json: bool) -> None:
    """Say how the service is; exit 1 if a part is failing."""
    at = now()
    health = with_store(config, lambda store: store.health(at))
    parts = judge(health, at)
    counts = {status.value: count for status, count in health.deliveries.items() if count}
    if as_json:
        click.echo(json.dumps({"at": rfc3339(at), "parts": parts, "recipients": counts}, indent=2))
    else:
        for name, part in parts.items():
            click.echo(f"{name:12} {part['state']:10} {part['evidence']}")
        click.echo("recipients   " + (", ".join(f"{count} {name}" for name, count in counts.items()) or "none yet"))
    if any(part["state"] == "failing" for part in parts.values()):
        raise click.exceptions.Exit(1)
