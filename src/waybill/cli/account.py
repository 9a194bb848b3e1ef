"""``waybill account``: sending of an account, paused and resumed by the operator."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import click

from waybill.cli.session import NOT_FOUND, F, config_option, fail, json_option, with_store
from waybill.model.clock import now, rfc3339
from waybill.model.resource import DEFAULT_ACCOUNT, INSTALLATION, Account, ConfigurationSet, Pause
from waybill.standing.pausing import OPERATOR, paused_set, resumed_account, resumed_set
from waybill.store.protocol import NotFound, Store


@click.group()
def account() -> None:
    """Show, pause and resume an account's sending."""


def _set_option(command: F) -> F:
    return click.option("--configuration-set", "of_set", help="Only this configuration set of the account.")(command)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Change:
    """What is done to an account, or to one of its configuration sets."""

    to_account: Callable[[Account], Account]
    to_set: Callable[[ConfigurationSet], ConfigurationSet]


def _make(change: _Change, name: str, of_set: str | None, config: Path | None) -> None:
    async def update(store: Store) -> bool:
        try:
            if of_set is None:
                await store.update(Account, INSTALLATION, name, change.to_account)
            else:
                await store.update(ConfigurationSet, name, of_set, change.to_set)
        except NotFound:
            return False
        return True

    if not with_store(config, update):
        missing = f"no account {name!r}" if of_set is None else f"account {name} has no configuration set {of_set!r}"
        raise fail(missing, NOT_FOUND)


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
        "last_fresh_start": rfc3339(found.last_fresh_start) if found.last_fresh_start is not None else None,
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
@_set_option
@config_option
def pause(name: str, reason: str, of_set: str | None, config: Path | None) -> None:
    """Refuse all sending of an account, or with one of its configuration sets, until it is resumed."""
    stop = Pause(by=OPERATOR, reason=reason, at=now())
    change = _Change(
        to_account=lambda stored: replace(stored, paused=stop), to_set=lambda stored: paused_set(stored, stop)
    )
    _make(change, name, of_set, config)
    click.echo(f"Sending of account {name} is paused." if of_set is None else f"Configuration set {of_set} is paused.")


@account.command()
@click.argument("name", default=DEFAULT_ACCOUNT)
@_set_option
@config_option
def resume(name: str, of_set: str | None, config: Path | None) -> None:
    """Let an account, or one of its configuration sets, send again; what it sent before is not held against it."""
    at = now()
    change = _Change(
        to_account=lambda stored: resumed_account(stored, at), to_set=lambda stored: resumed_set(stored, at)
    )
    _make(change, name, of_set, config)
    click.echo(f"Account {name} can send." if of_set is None else f"Configuration set {of_set} can send.")
