"""``waybill explain``, ``find`` and ``events``: questions to the ledger."""

import importlib
import json
from collections.abc import Callable
from pathlib import Path

import click
import msgspec
from rich.console import Console

from waybill.api.search import found_json, parse_search
from waybill.cli.amazon_files import ask_amazon, explain_files
from waybill.cli.session import NO, NOT_FOUND, USAGE, config_option, fail, json_option, with_store
from waybill.cli.show import show_explanation, show_found, show_ledger
from waybill.explain import Explanation, to_json
from waybill.inquire import Look, find_id, inquire
from waybill.model.clock import now, rfc3339
from waybill.store.protocol import Ledger, Store


@click.command()
@click.argument("id_or_address", required=False)
@click.option(
    "--from-file",
    "files",
    multiple=True,
    metavar="PATH",
    help="Amazon SES's events in a file, in place of the ledger; - is standard input.",
)
@click.option("--ask-amazon", is_flag=True, help="Ask the AWS account as well about mail that Amazon SES sent.")
@click.option("--live", is_flag=True, help="Ask the recipient's server now as well, up to RCPT TO; no message is sent.")
@json_option
@config_option
def explain(id_or_address: str | None, config: Path | None, files: tuple[str, ...], **how: bool) -> None:
    """Say where a message is, why it was not delivered, who said so and what to do.

    Takes a message id, a request id, or a recipient's address (the newest message to it).
    """
    as_json, ask = how["as_json"], how["ask_amazon"]
    if files and how["live"]:
        raise fail("--live asks about messages in the ledger, and --from-file about others", USAGE)
    if files:
        explain_files(files, id_or_address, ask=ask, as_json=as_json, config=config)
        return
    if id_or_address is None:
        raise fail("say which message: its id, or a recipient's address", USAGE)
    key: str = id_or_address

    async def answer(store: Store) -> Explanation | None:
        asked = await find_id(store, key) if ask else None
        if asked is not None:
            await ask_amazon(store, [asked])
        return await inquire(store, key, now(), look=_look(store, config) if how["live"] else None)

    found = with_store(config, answer)
    if found is None:
        raise fail(f"no message {id_or_address!r} in the ledger; waybill find lists what there is", NOT_FOUND)
    if as_json:
        click.echo(json.dumps(to_json(found), indent=2, ensure_ascii=False))
    else:
        show_explanation(found, Console(), config=config)


def _look(store: Store, config: Path | None) -> Look:
    """Live probes. What they take is loaded when they are asked for, so that all other answers are quick."""
    looker: Callable[[Store, Path | None], Look] = importlib.import_module("waybill.cli.live").looker
    return looker(store, config)


@click.command()
@click.option("--to", "to", help="Recipient: an address, or @domain.")
@click.option("--from", "sender", help="Sender: an address, or @domain.")
@click.option("--status", help="queued, delayed, delivered, bounced, suppressed, …")
@click.option("--cause", help="A code of the catalogue, such as user_unknown.")
@click.option("--since", help="A time such as 2026-11-24T02:30:00Z.")
@click.option("--until", help="The same, where the search ends.")
@click.option("--account", help="Only of this account.")
@click.option("--limit", default="100", show_default=True)
@json_option
@config_option
def find(config: Path | None, *, as_json: bool, **query: str | None) -> None:
    """Find messages, newest first; refused requests too."""
    named = {"from" if key == "sender" else key: value for key, value in query.items() if value is not None}
    try:
        search = parse_search(named)
    except ValueError as error:
        raise fail(str(error), USAGE) from None
    hits = with_store(config, lambda store: store.find(search))
    if as_json:
        click.echo(json.dumps([found_json(hit) for hit in hits], indent=2, ensure_ascii=False))
    else:
        show_found(hits, Console())
    if not hits:
        raise click.exceptions.Exit(NO)


@click.command()
@click.argument("message_id")
@json_option
@config_option
def events(message_id: str, config: Path | None, *, as_json: bool) -> None:
    """Show everything the ledger holds about a message, every SMTP line included."""

    async def look(store: Store) -> Ledger | None:
        found = await find_id(store, message_id)
        return await store.ledger(found) if found else None

    ledger = with_store(config, look)
    if ledger is None:
        raise fail(f"no message {message_id!r} in the ledger", NOT_FOUND)
    if as_json:
        listed = [
            {
                "event": event.id,
                "at": rfc3339(event.at),
                "kind": event.kind.value,
                "recipient": event.recipient,
                "fact": msgspec.to_builtins(event.fact),
            }
            for event in ledger.events
        ]
        click.echo(json.dumps(listed, indent=2, ensure_ascii=False))
    else:
        show_ledger(ledger, Console())
