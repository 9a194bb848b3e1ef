"""``waybill watch amazon-ses``: Amazon SES's own events come in, from a queue or from files; from SNS the service takes them."""

import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click

from waybill.cli.amazon_files import Summary, ask_amazon, complain, explain_files, take_files
from waybill.cli.session import NO, UNREACHABLE, USAGE, config_option, fail, json_option, settings_of, with_store
from waybill.explain.words import count
from waybill.settings import Settings
from waybill.store.protocol import Store
from waybill.watch.aws import NotAsked, aws_client
from waybill.watch.door import PATH
from waybill.watch.sqs import Drained, drain, region_of_queue

_AGAIN = 5.0
"""Seconds until a queue that did answer once is asked again."""


@click.group()
def watch() -> None:
    """Take in what other services tell of the mail that they sent."""


@watch.command("amazon-ses")
@click.option(
    "--file", "files", multiple=True, metavar="PATH", help="Events in a file, gzip or not; - is standard input."
)
@click.option("--queue", metavar="URL", help="An SQS queue with the events; read until the command is stopped.")
@click.option("--once", is_flag=True, help="With --queue: end when the queue is empty.")
@click.option("--explain", "explaining", is_flag=True, help="With --file: explain each message, and keep nothing.")
@click.option("--ask", is_flag=True, help="Ask the AWS account about what went wrong (credentials of the environment).")
@json_option
@config_option
def amazon_ses(config: Path | None, files: tuple[str, ...], queue: str | None, *, as_json: bool, **how: bool) -> None:
    """Take in Amazon SES's events; find and explain then know that mail, too.

    Files hold events in any of the forms in which AWS hands them on: JSON lines, SNS, SQS, EventBridge, Firehose.
    From an SNS topic over HTTPS the service takes them itself: without options, this says how that is set up.
    """
    explaining, ask = how["explaining"], how["ask"]
    if queue is not None and (files or explaining):
        raise fail("give --queue alone, or --file", USAGE)
    if (explaining or ask) and not (files or queue):
        raise fail("--explain and --ask need --file or --queue", USAGE)
    if explaining:
        explain_files(files, None, ask=ask, as_json=as_json, config=config)
        return
    if not files and queue is None:
        _show_door(settings_of(config), as_json=as_json)
        return
    summary = Summary()

    async def take(store: Store) -> None:
        if queue is not None:
            await _drain(store, queue, summary, once=how["once"], ask=ask)
        else:
            await take_files(store, files, summary)
            if ask:
                await ask_amazon(store, list(summary.troubled))

    with_store(config, take, create=True)
    _report(summary, as_json=as_json)


def _show_door(settings: Settings, *, as_json: bool) -> None:
    """Where SNS posts to, and whether any topic may."""
    topics = settings.amazon_ses.topics
    url = (settings.http.public_url or f"http://{settings.http.listen}").rstrip("/") + PATH
    if as_json:
        click.echo(json.dumps({"url": url, "topics": list(topics)}, indent=2))
    elif topics:
        click.echo(f"The service takes SNS messages at {url} of:")
        for topic in topics:
            click.echo(f"  {topic}")
    else:
        click.echo(
            f"The service takes SNS messages at {url} of the topics in the setting amazon_ses.topics: there are none."
        )
        click.echo("Or give --queue URL or --file PATH.")
    if not topics:
        raise click.exceptions.Exit(NO)


def _report(summary: Summary, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(summary.document(), indent=2))
    else:
        click.echo("".join(f"{line}\n" for line in _lines(summary)), nl=False)
    if summary.faults or summary.not_theirs:
        raise click.exceptions.Exit(NO)


def _lines(summary: Summary) -> Sequence[str]:
    known = f", {summary.known:,} known already" if summary.known else ""
    about = count(summary.about, "message")
    lines = [f"{count(summary.new, 'event')} taken in, about {about}{known}."]
    if summary.aside:
        lines.append(f"{count(summary.aside, 'message')} of SNS itself, which tell of no mail.")
    if summary.faults:
        lines.append(f"{summary.faults:,} could not be read: see above.")
    lines.extend(
        f"Left out: {message_id} is not a message of that AWS account's; Waybill, or another account, sent it."
        for message_id in dict.fromkeys(summary.not_theirs)
    )
    return lines


async def _drain(store: Store, url: str, summary: Summary, *, once: bool, ask: bool) -> None:
    """Takes from the queue until it is empty (``once``) or a signal comes. Raises: StoreUnavailable."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError, ValueError, RuntimeError):  # not in the main thread: then Ctrl-C does it
            loop.add_signal_handler(number, stop.set)
    try:
        sqs = aws_client(region_of_queue(url))
    except NotAsked as error:
        raise fail(str(error), USAGE) from None
    if sys.stderr.isatty():
        click.echo(f"Taking events from {url} until Ctrl-C.", err=True)
    answered = False
    while not stop.is_set():
        try:
            async for batch in drain(sqs, url, store, stop=stop, once=once):
                answered = True
                await _note(store, batch, summary, ask=ask)
            stop.set()
        except NotAsked as error:
            if not answered or once:
                raise fail(f"{url}: {error}", UNREACHABLE) from None
            complain(f"{url}: {error}")
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _AGAIN)


async def _note(store: Store, batch: Drained, summary: Summary, *, ask: bool) -> None:
    """Adds a batch to the figures; ids are not kept, since this may go on for months."""
    summary.new += batch.taken.new
    summary.known += batch.taken.known
    summary.not_theirs += batch.taken.not_theirs
    summary.aside += batch.aside
    summary.faults += len(batch.faults)
    told = Summary()
    told.note(batch.reports)
    summary.about += len(told.messages)
    for text in batch.faults:
        complain(text)
    if ask:
        await ask_amazon(store, list(told.troubled))
