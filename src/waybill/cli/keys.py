"""``waybill keys``: API keys and the SMTP passwords that follow from them."""

import json
import secrets
from dataclasses import replace
from pathlib import Path

import click

from waybill.cli.session import NOT_FOUND, USAGE, config_option, fail, json_option, settings_of, with_store
from waybill.model.clock import now, rfc3339
from waybill.model.resource import DEFAULT_ACCOUNT, INSTALLATION, AccessKey
from waybill.serve.setup import ensure_account
from waybill.store.protocol import NotFound, Store
from waybill.submission.password import smtp_password

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def new_access_key(owner: str, label: str) -> AccessKey:
    """A fresh key for an account."""
    return AccessKey(
        account=INSTALLATION,
        name="AKIA" + "".join(secrets.choice(_ALPHABET) for _ in range(16)),
        owner=owner,
        label=label,
        secret=secrets.token_urlsafe(30),
        created_at=now(),
    )


@click.group()
def keys() -> None:
    """Create, list and revoke API keys."""


@keys.command()
@click.option("--label", default="", help="What the key is for.")
@click.option("--account", default=DEFAULT_ACCOUNT, show_default=True, help="The account it acts for.")
@json_option
@config_option
def create(config: Path | None, label: str, account: str, *, as_json: bool) -> None:
    """Make a key. Its secret is shown now and never again."""
    if not (account.isdecimal() and len(account) == 12):
        raise fail(f"--account {account!r} is not allowed; it must be 12 digits", USAGE)
    region = settings_of(config).account.region
    key = new_access_key(account, label)

    async def store_key(store: Store) -> None:
        await ensure_account(store, account, now())
        await store.create(key)

    with_store(config, store_key, create=True)
    shown = {
        "access_key_id": key.name,
        "secret_access_key": key.secret,
        "smtp_username": key.name,
        "smtp_password": smtp_password(key.secret, region),
        "account": account,
    }
    if as_json:
        click.echo(json.dumps(shown, indent=2))
        return
    for name, value in shown.items():
        click.echo(f"{name:18} {value}")


@keys.command("list")
@json_option
@config_option
def list_keys(config: Path | None, *, as_json: bool) -> None:
    """List the keys, without their secrets."""
    found = with_store(config, lambda store: store.scan(AccessKey, INSTALLATION, limit=10_000))
    rows = [
        {
            "access_key_id": key.name,
            "account": key.owner,
            "label": key.label,
            "created_at": rfc3339(key.created_at),
            "revoked_at": rfc3339(key.revoked_at) if key.revoked_at else None,
        }
        for key in found
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        state = f"revoked {row['revoked_at']}" if row["revoked_at"] else f"created {row['created_at']}"
        click.echo(f"{row['access_key_id']}  {row['account']}  {state}  {row['label']}")


@keys.command()
@click.argument("access_key_id")
@config_option
def revoke(access_key_id: str, config: Path | None) -> None:
    """Revoke a key, for good."""

    async def end(store: Store) -> bool:
        try:
            await store.update(
                AccessKey, INSTALLATION, access_key_id, lambda key: replace(key, revoked_at=key.revoked_at or now())
            )
        except NotFound:
            return False
        return True

    if not with_store(config, end):
        raise fail(f"no key {access_key_id!r}", NOT_FOUND)
    click.echo(f"{access_key_id} is revoked.")
