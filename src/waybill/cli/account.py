"""``waybill account``: sending of an account, paused and resumed by the operator."""

import json
from dataclasses import replace
from pathlib import Path

import click

from waybill.cli.session import NOT_FOUND, config_option, fail, json_option, with_store
from waybill.model.clock import now, rfc3339
from waybill.model.resource import DEFAULT_ACCOUNT, INSTALLATION, Account, Pause
from waybill.store.protocol import NotFound, Store


@click.group()
def account() -> None:
    """Show, pause and resume an account's sending."""


def _change(config: Path | None, name: str, pause: Pause | None) -> None:
    async def change(store: Store) -> bool:
        try:
            await store.update(Account, INSTALLATION, name, lambda stored: replace(stored, paused=pause))
        except NotFound:
            return False
        return True

    if not with_store(config, change):
        raise fail(f"no account {name!r}", NOT_FOUND)


@account.command()
@click.argument("name", default=DEFAULT_ACCOUNT)
@json_option
@config_option
def show(name: str, config: Path | None, *, as_json: bool) -> None:
    """Show an account."""
    found = with_store(config, lambda store: store.get(Account, INSTALLATION, name))
    if found is None:
        raise fail(f"no account {name!r}", NOT_FOUND)
    paused = found.paused
    shown = {
        "account": found.name,
        "sending": "paused" if paused else "enabled",
        "paused_by": paused.by if paused else None,
        "paused_because": paused.reason if paused else None,
        "paused_at": rfc3339(paused.at) if paused else None,
        "suppressed_reasons": [reason.value for reason in found.suppressed_reasons],
        "production_access": found.production_access,
        "max_send_rate": found.max_send_rate,
        "max_24_hour_send": found.max_24_hour_send,
    }
    if as_json:
        click.echo(json.dumps(shown, indent=2))
        return
    for key, value in shown.items():
        if value is not None:
            click.echo(f"{key:20} {', '.join(value) if isinstance(value, list) else value}")


@account.command()
@click.argument("name", default=DEFAULT_ACCOUNT)
@click.option("--reason", required=True, help="Why; shown to whoever asks why mail is refused.")
@config_option
def pause(name: str, reason: str, config: Path | None) -> None:
    """Refuse all sending of an account until it is resumed."""
    _change(config, name, Pause(by="operator", reason=reason, at=now()))
    click.echo(f"Sending of account {name} is paused.")


@account.command()
@click.argument("name", default=DEFAULT_ACCOUNT)
@config_option
def resume(name: str, config: Path | None) -> None:
    """Let an account send again."""
    _change(config, name, None)
    click.echo(f"Account {name} can send.")
