"""``waybill identities``: who may send, with which keys, what to publish for it, and the operator's own word for it."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click

from waybill.api.dkim_key import ALGORITHMS, generate_key
from waybill.api.identity import domain_name, new_identity
from waybill.cli.session import NOT_FOUND, F, config_option, fail, json_option, with_store
from waybill.mail.dkim import dns_record
from waybill.model.clock import now
from waybill.model.resource import DEFAULT_ACCOUNT, Identity, Verification
from waybill.serve.setup import ensure_account
from waybill.standing.verification import dkim_name, token_name
from waybill.store.protocol import AlreadyExists, NotFound, Store


@click.group()
def identities() -> None:
    """Create, show and verify sender identities, and their DKIM keys."""


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


def _print_records(identity: Identity) -> None:
    click.echo(f"{identity.name}: {identity.verification.value}")
    if identity.check_error:
        click.echo(f"  last check: {identity.check_error}")
    for record in records_of(identity):
        click.echo(f'  publish  {record["name"]}. {record["type"]} "{record["value"]}"')


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
    _print_records(found)


def _update(config: Path | None, account: str, name: str, change: Callable[[Identity], Identity]) -> Identity:
    """The identity after the change; one that does not exist, or a LookupError of the change, ends the command."""

    async def update(store: Store) -> Identity | str:
        try:
            return await store.update(Identity, account, name.lower(), change)
        except NotFound:
            return f"account {account} has no identity {name!r}"
        except LookupError as error:
            return str(error.args[0])

    found = with_store(config, update)
    if isinstance(found, str):
        raise fail(found, NOT_FOUND)
    return found


def _account_option(command: F) -> F:
    return click.option("--account", default=DEFAULT_ACCOUNT, show_default=True)(command)


@identities.command()
@click.argument("name")
@_account_option
@config_option
def create(name: str, account: str, config: Path | None) -> None:
    """Create a domain as an identity, with a DKIM key of its own, and show what to publish (for an address: CreateEmailIdentity)."""
    domain = domain_name(name)
    if domain is None:
        raise fail(f"{name!r} is not allowed; it must be a domain such as shop.example", 2)

    async def store_identity(store: Store) -> Identity | None:
        await ensure_account(store, account, now())
        record = replace(new_identity(account, domain, now()), dkim_keys=(await generate_key(now()),))
        try:
            await store.create(record)
        except AlreadyExists:
            return None
        return record

    created = with_store(config, store_identity, create=True)
    if created is None:
        raise fail(f"account {account} has the identity {domain} already; waybill identities show {domain}", 1)
    _print_records(created)
    click.echo(f"A running service looks for the records once a minute; or: waybill identities verify {domain}")


@identities.command("add-key")
@click.argument("name")
@click.option("--algorithm", type=click.Choice(ALGORITHMS), default="ed25519", show_default=True)
@_account_option
@config_option
def add_key(name: str, algorithm: str, account: str, config: Path | None) -> None:
    """Give a domain a further DKIM key; mail is signed with each key, so that receivers can check the one they know."""
    key = asyncio.run(generate_key(now(), algorithm))

    def add(stored: Identity) -> Identity:
        if not stored.is_domain:
            raise LookupError(f"{stored.name} is an address and has no keys: its domain's identity signs its mail")
        return replace(stored, dkim_keys=(*stored.dkim_keys, key), dkim_verification=Verification.PENDING)

    _print_records(_update(config, account, name, add))


@identities.command("remove-key")
@click.argument("name")
@click.argument("selector")
@_account_option
@config_option
def remove_key(name: str, selector: str, account: str, config: Path | None) -> None:
    """Stop signing with a key; keep its record for some days, for mail under way."""

    def remove(stored: Identity) -> Identity:
        kept = tuple(key for key in stored.dkim_keys if key.selector != selector)
        if len(kept) == len(stored.dkim_keys):
            known = ", ".join(key.selector for key in stored.dkim_keys) or "none"
            raise LookupError(f"{stored.name} has no key with the selector {selector!r}; it has: {known}")
        return replace(stored, dkim_keys=kept)

    _print_records(_update(config, account, name, remove))


@identities.command()
@click.argument("name")
@_account_option
@config_option
def verify(name: str, account: str, config: Path | None) -> None:
    """Vouch for an identity: it may send at once, without DNS record or link. Kept on the identity as the operator's act."""
    found = _update(
        config,
        account,
        name,
        lambda stored: replace(
            stored,
            verification=Verification.SUCCESS,
            verified_at=stored.verified_at or now(),
            vouched_by="operator",
            check_error=None,
        ),
    )
    click.echo(f"{found.name} may send.")
