"""Files of Amazon SES's events: read into a store, or into one that lasts as long as the command, to be explained."""

import asyncio
import json
import shlex
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from waybill.cli.session import NO, NOT_FOUND, USAGE, fail
from waybill.cli.show import show_explanation
from waybill.explain import Explanation, to_json
from waybill.inquire import inquire
from waybill.model.amazon import AmazonEvent, AmazonReported
from waybill.model.clock import now
from waybill.model.message import Source
from waybill.store.elsewhere import Elsewhere, Reported
from waybill.store.open import open_store
from waybill.store.protocol import Store
from waybill.watch.ask import ask_about, region_of
from waybill.watch.aws import NotAsked, aws_client
from waybill.watch.stream import Fault, Skipped, read_stream

BATCH = 200
"""Reports in one transaction."""

_WORTH_ASKING = frozenset({AmazonEvent.BOUNCE, AmazonEvent.COMPLAINT, AmazonEvent.REJECT, AmazonEvent.DELIVERY_DELAY})


@dataclass(kw_only=True, slots=True)
class Summary:
    """What came of taking events in: about how many messages they were; ``messages`` are those of files, in their order."""

    new: int = 0
    known: int = 0
    aside: int = 0
    faults: int = 0
    about: int = 0
    not_theirs: list[str] = field(default_factory=list)
    messages: dict[str, None] = field(default_factory=dict)
    troubled: dict[str, None] = field(default_factory=dict)

    def note(self, reports: Sequence[Reported]) -> None:
        """Remembers which messages these are about, and which of them are in trouble."""
        for report in reports:
            self.messages[report.message.id] = None
            if any(isinstance(one.fact, AmazonReported) and one.fact.type in _WORTH_ASKING for one in report.events):
                self.troubled[report.message.id] = None

    def document(self) -> dict[str, Any]:
        """As ``--json`` prints it."""
        return {
            "new": self.new,
            "known": self.known,
            "messages": self.about,
            "no_events": self.aside,
            "faults": self.faults,
            "not_amazon_ses": list(dict.fromkeys(self.not_theirs)),
        }


def complain(text: str) -> None:
    """One line of what could not be read; the rest goes on."""
    click.echo(f"waybill: {text}", err=True)


def _content(path: str) -> bytes:
    if path == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise fail(f"{path}: cannot be read: {error.strerror}", USAGE) from None


async def take_files(store: Elsewhere, paths: Sequence[str], summary: Summary) -> None:
    """Reads the files into the store, a transaction for each batch. Raises: StoreUnavailable."""
    for path in paths:
        name = "standard input" if path == "-" else path
        batch: list[Reported] = []
        for one in read_stream(_content(path)):
            if isinstance(one, Fault):
                summary.faults += 1
                complain(f"{name}, line {one.line}: {one.text}")
            elif isinstance(one, Skipped):
                summary.aside += 1
            else:
                batch.append(one)
            if len(batch) >= BATCH:
                await take_batch(store, batch, summary)
                batch = []
        await take_batch(store, batch, summary)
    summary.about = len(summary.messages)


async def take_batch(store: Elsewhere, batch: Sequence[Reported], summary: Summary) -> None:
    """Writes one batch, and tells a terminal how far it is. Raises: StoreUnavailable."""
    if not batch:
        return
    taken = await store.take_in(batch)
    summary.new += taken.new
    summary.known += taken.known
    summary.not_theirs += taken.not_theirs
    summary.note(batch)
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{summary.new + summary.known:,} events", err=True, nl=False)


async def ask_amazon(store: Store, message_ids: Sequence[str]) -> None:
    """Asks the AWS account about messages; the answers, and what could not be asked, join the ledger.

    Raises: StoreUnavailable.
    """
    for message_id in message_ids:
        ledger = await store.ledger(message_id)
        if ledger is None or ledger.message.source is not Source.AMAZON_SES:
            continue
        try:
            ask = aws_client(region_of(ledger))
        except NotAsked as error:
            raise fail(str(error), USAGE) from None
        await store.take_in([await asyncio.to_thread(ask_about, ledger, ask, now())])


@asynccontextmanager
async def fleeting_store() -> AsyncIterator[Store]:
    """A store that is gone with the command."""
    with tempfile.TemporaryDirectory(prefix="waybill-") as folder:
        store = await open_store(f"sqlite:///{folder}/events.db", clock=now)
        try:
            yield store
        finally:
            await store.close()


def explain_files(paths: Sequence[str], key: str | None, *, ask: bool, as_json: bool, config: Path | None) -> None:
    """Explains what files of events tell: of the message (or address) that ``key`` names, else of all. Nothing is kept."""
    answers, summary = asyncio.run(_explain_files(paths, key, ask=ask))
    found = [_without_ledger(one, paths) for one in answers]
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", err=True, nl=False)
    if not found:
        what = f"no event about {key!r} in" if key else "no event of Amazon SES in"
        raise fail(f"{what} {', '.join(paths)}", NOT_FOUND)
    if as_json:
        documents = [to_json(one) for one in found]
        click.echo(json.dumps(documents if len(documents) > 1 else documents[0], indent=2, ensure_ascii=False))
    for number, one in enumerate(() if as_json else found):
        if number:
            click.echo()
        show_explanation(one, Console(), config=config)
    if summary.faults:
        raise click.exceptions.Exit(NO)


def _without_ledger(explanation: Explanation, paths: Sequence[str]) -> Explanation:
    """The explanation with commands that work although no ledger holds the message: they name the files, too."""
    recipients = []
    for recipient in explanation.recipients:
        remedies = []
        for remedy in recipient.telling.remedies:
            words = shlex.split(remedy.command or "")
            if words[:2] != ["waybill", "explain"]:
                remedies.append(remedy)
            elif words[2] == explanation.message_id and "-" not in paths:
                given = [word for path in paths for word in ("--from-file", path)]
                remedies.append(replace(remedy, command=shlex.join([*words, *given])))
        telling = replace(recipient.telling, remedies=tuple(remedies))
        recipients.append(replace(recipient, telling=telling))
    return replace(explanation, recipients=tuple(recipients))


async def _explain_files(paths: Sequence[str], key: str | None, *, ask: bool) -> tuple[list[Explanation], Summary]:
    summary = Summary()
    async with fleeting_store() as store:
        await take_files(store, paths, summary)
        keys = [key] if key is not None else list(summary.messages)
        if ask:
            await ask_amazon(store, list(summary.messages) if key is None or "@" in key else [key])
        found = [await inquire(store, one, now()) for one in keys]
    return [one for one in found if one is not None], summary
