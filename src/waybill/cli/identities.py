"""``waybill identities``: who may send, what to publish for it, and the operator's own word for it."""

import json
from dataclasses import replace
from pathlib import Path

import click

from waybill.cli.session import NOT_FOUND, config_option, fail, json_option, with_store
from waybill.mail.dkim import dns_record
from waybill.model.clock import now
from waybill.model.resource import DEFAULT_ACCOUNT, Identity, Verification
from waybill.standing.verification import dkim_name, token_name
from waybill.store.protocol import NotFound, Store


@click.group()
def identities() -> None:
    """Show and verify sender identities."""


def records_of(identity: Identity) -> list[dict[str, str]]:
    """The DNS records that prove a domain and let its DKIM signatures be checked."""
    if not identity.is_domain:
        return []
    records = [{"name": token_name(identity.name), "type": "TXT", "value": identity.token}]
    records.extend(
        {"name": dkim_name(key, identity.name), "type": "TXT", "value": dns_record(key.algorithm, key.public)}
        for key in identity.dkim_keys
    )
    return records


def _shown(identity: Identity) -> dict[str, object]:
    return {
        "identity": identity.name,
        "account": identity.account,
        "verification": identity.verification.value,
        "vouched_by": identity.vouched_by,
        "last_check": identity.check_error,
        "dkim": identity.dkim_verification.value if identity.dkim_keys else "no key",
        "records": records_of(identity),
    }


@identities.command("list")
@click.option("--account", default=DEFAULT_ACCOUNT, show_default=True)
@json_option
@config_option
def list_identities(config: Path | None, account: str, *, as_json: bool) -> None:
    """List an account's identities."""
    found = with_store(config, lambda store: store.scan(Identity, account, limit=10_000))
    if as_json:
        click.echo(json.dumps([_shown(identity) for identity in found], indent=2))
        return
    for identity in found:
        click.echo(f"{identity.name:40} {identity.verification.value}")


@identities.command()
@click.argument("name")
@click.option("--account", default=DEFAULT_ACCOUNT, show_default=True)
@json_option
@config_option
def show(name: str, account: str, config: Path | None, *, as_json: bool) -> None:
    """Show an identity and the DNS records to publish for it."""
    found = with_store(config, lambda store: store.get(Identity, account, name.lower()))
    if found is None:
        raise fail(f"account {account} has no identity {name!r}", NOT_FOUND)
    if as_json:
        click.echo(json.dumps(_shown(found), indent=2))
        return
    click.echo(f"{found.name}: {found.verification.value}")
    if found.check_error:
        click.echo(f"  last check: {found.check_error}")
    for record in records_of(found):
        click.echo(f'  publish  {record["name"]}. {record["type"]} "{record["value"]}"')


@identities.command()
@click.argument("name")
@click.option("--account", default=DEFAULT_ACCOUNT, show_default=True)
@config_option
def verify(name: str, account: str, config: Path | None) -> None:
    """Vouch for an identity: it may send at once, without DNS record or link. Kept on the identity as the operator's act."""

    async def vouch(store: Store) -> bool:
        try:
            await store.update(
                Identity,
                account,
                name.lower(),
                lambda stored: replace(
                    stored,
                    verification=Verification.SUCCESS,
                    verified_at=stored.verified_at or now(),
                    vouched_by="operator",
                    check_error=None,
                ),
            )
        except NotFound:
            return False
        return True

    if not with_store(config, vouch):
        raise fail(f"account {account} has no identity {name!r}", NOT_FOUND)
    click.echo(f"{name} may send.")
