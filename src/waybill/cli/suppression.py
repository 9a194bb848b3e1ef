"""``waybill suppression``: both lists, with the evidence of every entry."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import click

from waybill.cli.instant import read_instant
from waybill.cli.session import NOT_FOUND, USAGE, F, config_option, fail, json_option, with_store
from waybill.cli.suppression_lines import EntryError, csv_line, entry_json, read_address, read_entries, read_reason
from waybill.model.address import comparable
from waybill.model.cause import Cause
from waybill.model.clock import Instant, now, rfc3339
from waybill.model.resource import DEFAULT_ACCOUNT
from waybill.model.suppression import GLOBAL, Reason, Suppression
from waybill.store.protocol import Store

_PAGE = 1_000


@click.group()
def suppression() -> None:
    """Look at and change the suppression lists."""


def _list_options(command: F) -> F:
    command = click.option("--global", "is_global", is_flag=True, help="The installation's list, not the account's.")(
        command
    )
    return click.option("--account", default=DEFAULT_ACCOUNT, show_default=True, help="Whose list.")(command)


def _list_of(account: str, *, is_global: bool) -> str:
    return GLOBAL if is_global else account


def _checked(address: str) -> str:
    try:
        return read_address(address)
    except EntryError as error:
        raise fail(str(error), USAGE) from None


def _reason(text: str) -> Reason:
    try:
        return read_reason(text)
    except EntryError as error:
        raise fail(str(error), USAGE) from None


def _wanted(which: dict[str, str | None]) -> dict[str, Any]:
    """What the options of a bulk removal ask for, read."""
    wanted: dict[str, Any] = {key: value for key, value in which.items() if value is not None}
    for key in {"since", "until"} & wanted.keys():
        try:
            wanted[key] = read_instant(wanted[key])
        except ValueError as error:
            raise fail(f"--{key} {error}", USAGE) from None
    if "cause" in wanted:
        if wanted["cause"] not in set(Cause):
            raise fail(f"--cause {wanted['cause']!r} is not allowed; docs/causes.md lists the causes", USAGE)
        wanted["cause"] = Cause(wanted["cause"])
    if "reason" in wanted:
        wanted["reason"] = _reason(wanted["reason"])
    return wanted


async def _entries(store: Store, account: str) -> list[Suppression]:
    found: list[Suppression] = []
    while page := await store.suppressions(account, after=found[-1].address if found else "", limit=_PAGE):
        found.extend(page)
    return found


@suppression.command("list")
@_list_options
@json_option
@config_option
def list_entries(config: Path | None, account: str, *, is_global: bool, as_json: bool) -> None:
    """List the entries: who, since when, by whom, because of which message and words."""
    found = with_store(config, lambda store: _entries(store, _list_of(account, is_global=is_global)))
    if as_json:
        click.echo(json.dumps([entry_json(entry) for entry in found], indent=2, ensure_ascii=False))
        return
    for entry in found:
        cells = (entry.address, entry.reason.value, rfc3339(entry.at), entry.author, entry.diagnostic or "")
        click.echo("  ".join(cells).rstrip())


@suppression.command()
@click.argument("address")
@click.option("--reason", default="BOUNCE", show_default=True, help="BOUNCE or COMPLAINT.")
@_list_options
@config_option
def add(address: str, reason: str, config: Path | None, account: str, *, is_global: bool) -> None:
    """Put an address on a list."""
    entry = Suppression(
        account=_list_of(account, is_global=is_global),
        address=_checked(address),
        reason=_reason(reason),
        at=now(),
        author="operator",
    )
    with_store(config, lambda store: store.suppress([entry]))
    click.echo(f"{entry.address} is on the {'global' if is_global else 'account'} suppression list.")


@suppression.command()
@click.argument("address", required=False)
@click.option("--rule", help="All entries that this classification rule made (the author, without rule:).")
@click.option("--cause", help="All of this cause.")
@click.option("--reason", help="All of this reason: BOUNCE or COMPLAINT.")
@click.option("--since", help="All made at this time (RFC 3339, UTC) or later.")
@click.option("--until", help="All made before this time.")
@_list_options
@json_option
@config_option
def remove(
    address: str | None, config: Path | None, account: str, *, is_global: bool, as_json: bool, **which: str | None
) -> None:
    """Take one address off a list, or all entries that fit the options. Mail that was stopped is not sent again by this."""
    owner = _list_of(account, is_global=is_global)
    name = "global" if is_global else "account"
    wanted = _wanted(which)
    if (address is None) is not bool(wanted):
        raise fail("give either an ADDRESS, or at least one of --rule, --cause, --reason, --since and --until", USAGE)
    if address is not None:
        checked = _checked(address)
        if not with_store(config, lambda store: store.unsuppress(owner, checked)):
            raise fail(f"{checked} is not on the {name} suppression list", NOT_FOUND)
        click.echo(json.dumps([checked]) if as_json else f"{checked} is off the {name} suppression list.")
        return
    removed = with_store(config, lambda store: store.unsuppress_matching(owner, **wanted))
    if not removed:
        raise fail(f"no entry of the {name} suppression list fits that", NOT_FOUND)
    if as_json:
        click.echo(json.dumps([entry_json(entry) for entry in removed], indent=2, ensure_ascii=False))
        return
    for entry in removed:
        click.echo(
            f"{entry.address}  {entry.reason.value}  {rfc3339(entry.at)}  {entry.author}  {entry.diagnostic or ''}".rstrip()
        )
    click.echo(f"{len(removed)} entries are off the {name} suppression list.")


@suppression.command("export")
@click.option("--format", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True)
@_list_options
@config_option
def export_entries(form: str, config: Path | None, account: str, *, is_global: bool) -> None:
    """Write a list as SES's CSV (address,REASON) or JSON lines."""
    found = with_store(config, lambda store: _entries(store, _list_of(account, is_global=is_global)))
    for entry in found:
        click.echo(csv_line(entry) if form == "csv" else json.dumps(entry_json(entry), ensure_ascii=False))


async def _standing(store: Store, account: str, addresses: Sequence[str], at: Instant) -> set[str]:
    """Those of the addresses that the list has, as they are compared."""
    found: set[str] = set()
    for start in range(0, len(addresses), _PAGE):
        entries = await store.suppressed(account, addresses[start : start + _PAGE], at)
        found.update(comparable(entry.address) for entry in entries if entry.account == account)
    return found


@suppression.command("import")
@click.argument("file", type=click.File("r", encoding="utf-8"))
@click.option("--replace", is_flag=True, help="Replace entries that the list has; else they are kept as they are.")
@_list_options
@config_option
def import_entries(file: TextIO, config: Path | None, account: str, *, replace: bool, is_global: bool) -> None:
    """Add the entries of a CSV or JSON-lines file; all or, if a line is wrong, none.

    JSON lines may have all that an export writes; of CSV, the author is operator. The first entry of an address counts.
    """
    owner, at = _list_of(account, is_global=is_global), now()
    try:
        read = list(read_entries(file.read(), owner, at=at))
    except UnicodeDecodeError as error:
        raise fail(f"{file.name}: not UTF-8: {error}", USAGE) from None
    except EntryError as error:
        raise fail(str(error), USAGE) from None
    entries = {comparable(entry.address): entry for entry in reversed(read)}

    async def add_to(store: Store) -> tuple[int, int]:
        known = await _standing(store, owner, list(entries), at)
        await store.suppress([entry for key, entry in entries.items() if replace or key not in known])
        return len(entries), len(known)

    total, known = with_store(config, add_to)
    replaced, kept = (known, 0) if replace else (0, known)
    click.echo(f"{total - known} addresses added, {replaced} replaced, {kept} kept as they were.")
