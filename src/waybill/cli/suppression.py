"""``waybill suppression``: both lists, with the evidence of every entry."""

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import click

from waybill.cli.session import NOT_FOUND, USAGE, F, config_option, fail, json_option, with_store
from waybill.mail.address import AddressError, canonical
from waybill.model.cause import Cause
from waybill.model.clock import now, parse_rfc3339, rfc3339
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


def _checked(address: str, place: str = "") -> str:
    """The address as the lists hold it. ``place`` begins the error of one that is none."""
    try:
        return canonical(address)
    except AddressError as error:
        raise fail(f"{place}{address!r} is not an address: {error}", USAGE) from None


def _reason(text: str, place: str = "") -> Reason:
    if text.upper() not in set(Reason):
        raise fail(f"{place}reason {text!r} is not allowed; it must be BOUNCE or COMPLAINT", USAGE)
    return Reason(text.upper())


def _wanted(which: dict[str, str | None]) -> dict[str, Any]:
    """What the options of a bulk removal ask for, read."""
    wanted: dict[str, Any] = {key: value for key, value in which.items() if value is not None}
    for key in {"since", "until"} & wanted.keys():
        try:
            wanted[key] = parse_rfc3339(wanted[key])
        except ValueError as error:
            raise fail(f"--{key}: {error}; a time is written as 2026-11-24T02:30:00Z", USAGE) from None
    if "cause" in wanted:
        if wanted["cause"] not in set(Cause):
            raise fail(f"--cause {wanted['cause']!r} is not allowed; docs/causes.md lists the causes", USAGE)
        wanted["cause"] = Cause(wanted["cause"])
    if "reason" in wanted:
        wanted["reason"] = _reason(wanted["reason"])
    return wanted


def _entry_json(entry: Suppression) -> dict[str, object]:
    return {
        "emailAddress": entry.address,
        "reason": entry.reason.value,
        "at": rfc3339(entry.at),
        "author": entry.author,
        "cause": entry.cause.value if entry.cause else None,
        "message_id": entry.message_id,
        "event": entry.event,
        "diagnostic": entry.diagnostic,
        "expires_at": rfc3339(entry.expires_at) if entry.expires_at else None,
    }


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
        click.echo(json.dumps([_entry_json(entry) for entry in found], indent=2, ensure_ascii=False))
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
        click.echo(json.dumps([_entry_json(entry) for entry in removed], indent=2, ensure_ascii=False))
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
    writer = csv.writer(sys.stdout, lineterminator="\n")
    for entry in found:
        if form == "csv":
            writer.writerow([entry.address, entry.reason.value])
        else:
            click.echo(json.dumps(_entry_json(entry), ensure_ascii=False))


def _read_import(text: str) -> Iterator[tuple[str, Reason]]:
    """The entries of CSV lines (``addr,BOUNCE``) or JSON lines; both as SES's import jobs take them."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        place = f"line {number}: "
        if line.lstrip().startswith("{"):
            try:
                row = json.loads(line)
                cells = [row["emailAddress"], row["reason"]]
            except (ValueError, KeyError, TypeError, RecursionError):
                raise fail(f'{place}not of the form {{"emailAddress": …, "reason": …}}', USAGE) from None
        else:
            cells = next(csv.reader([line]))
            if len(cells) != 2:
                raise fail(f"{place}not of the form address,REASON", USAGE)
        address, reason = (str(cell).strip() for cell in cells)
        yield _checked(address, place), _reason(reason, place)


@suppression.command("import")
@click.argument("file", type=click.File("r", encoding="utf-8"))
@_list_options
@config_option
def import_entries(file: TextIO, config: Path | None, account: str, *, is_global: bool) -> None:
    """Add the addresses of a CSV or JSON-lines file; all or, if a line is wrong, none."""
    owner = _list_of(account, is_global=is_global)
    at = now()
    try:
        text = file.read()
    except UnicodeDecodeError as error:
        raise fail(f"{file.name}: not UTF-8: {error}", USAGE) from None
    entries = [
        Suppression(account=owner, address=address, reason=reason, at=at, author="operator")
        for address, reason in _read_import(text)
    ]
    with_store(config, lambda store: store.suppress(entries))
    click.echo(f"{len(entries)} addresses added.")
