"""``waybill demo``: a throw-away service, real mail over real SMTP through every branch of "why was it not delivered"."""

import asyncio
import logging
import smtplib
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import aiohttp
import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from waybill.cli.demo_client import DemoClient
from waybill.cli.demo_stories import (
    BARRED,
    LISTED,
    PAUSED_SET,
    SENDER,
    SHORT_SET,
    TEMPLATE,
    TEMPLATES,
    Story,
    stories,
)
from waybill.cli.session import NO, UNREACHABLE, fail, unused_config_option
from waybill.cli.show import colour_of, show_explanation
from waybill.explain import Explanation
from waybill.inquire import inquire
from waybill.model.clock import DAY, now
from waybill.model.message import Delivery, Status
from waybill.model.resource import DEFAULT_ACCOUNT, ConfigurationSet, Template
from waybill.model.suppression import GLOBAL, Reason, Suppression
from waybill.serve.setup import DEV_ACCESS_KEY_ID, DEV_SECRET_ACCESS_KEY
from waybill.serve.supervisor import CannotStart, Running, Supervisor, Terms
from waybill.settings import Endpoint, Settings
from waybill.store.open import open_store
from waybill.store.protocol import Store, StoreUnavailable
from waybill.submission.password import smtp_password

PATIENCE = 45.0
"""Seconds that the demo waits for the last message to meet its fate."""

ANY_PORT = Endpoint("127.0.0.1", 0)


@dataclass(slots=True)
class Told:
    """A story with the id it got and the delivery as last seen."""

    story: Story
    id: str
    delivery: Delivery | None = None

    @property
    def done(self) -> bool:
        """Whether the delivery is where the story says it ends."""
        if self.delivery is None or self.delivery.cause not in self.story.causes:
            return False
        return not self.story.statuses or self.delivery.status in self.story.statuses


def demo_settings(folder: Path) -> Settings:
    """A service of its own: any free ports, a store that is thrown away, quick retries, nothing leaves the machine."""
    settings = Settings()
    return replace(
        settings,
        store=f"sqlite:///{folder / 'waybill.db'}",
        http=replace(settings.http, listen=ANY_PORT),
        submission=replace(settings.submission, listen=ANY_PORT),
        inbound=replace(settings.inbound, listen=ANY_PORT),
        delivery=replace(settings.delivery, retry=(2_000, 2_000, 3_600_000), hostname="mail.shop.example"),
        identities=replace(settings.identities, verification="none"),
    )


@click.command()
@unused_config_option
def demo() -> None:
    """Start a throw-away service, send mail through every branch, and show what became of it and why."""
    logging.basicConfig(level=logging.CRITICAL)
    console = Console() if sys.stdout.isatty() else Console(width=132)
    try:
        with tempfile.TemporaryDirectory(prefix="waybill-demo-") as folder:
            right = asyncio.run(_demo(Path(folder), console))
    except (CannotStart, StoreUnavailable) as error:
        raise fail(str(error), UNREACHABLE) from None
    if not right:
        raise click.exceptions.Exit(NO)


@asynccontextmanager
async def _service(settings: Settings) -> AsyncIterator[Running]:
    """The service, up for as long as the block runs."""
    stop = asyncio.Event()
    up: asyncio.Future[Running] = asyncio.get_running_loop().create_future()
    service = asyncio.create_task(
        Supervisor(settings, dev=True, workers=1, terms=Terms(log_level=logging.CRITICAL)).run(stop, up.set_result)
    )
    service.add_done_callback(
        lambda ended: None if up.done() else up.set_exception(ended.exception() or CannotStart("it ended at once"))
    )
    try:
        yield await up
    finally:
        stop.set()
        await service


async def _demo(folder: Path, console: Console) -> bool:
    settings = demo_settings(folder)
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    listed = stories()
    with bar:
        step = bar.add_task("starting the service", total=len(listed))
        async with _service(settings) as running:
            store = await open_store(settings.store, clock=now)
            try:
                await _set_up(store)
                bar.update(step, description="sending")
                told = await _send(running, listed)
                bar.update(step, description="waiting for what the receivers say")
                deadline = time.monotonic() + PATIENCE
                while time.monotonic() < deadline and not all(one.done for one in told):
                    await _look(store, told)
                    bar.update(step, completed=sum(one.done for one in told))
                    await asyncio.sleep(0.2)
                bar.update(step, description="stopping the service")
                explained = [await inquire(store, one.id, now()) for one in told]
            finally:
                await store.close()
    _print_table(told, explained, console)
    if explained[0] is not None:
        console.print("\nThe first of them in full, as [bold]waybill explain[/bold] tells it:\n")
        show_explanation(explained[0], console)
    console.print(
        "\nYour own mail:  [bold]waybill serve --dev[/bold]  prints an endpoint, a key and four lines to paste."
    )
    return all(one.done for one in told)


async def _set_up(store: Store) -> None:
    """The resources that the stories need; the broken template is stored as an older release would have left it."""
    at = now()
    for name, (subject, text) in TEMPLATES.items():
        await store.put(
            Template(
                account=DEFAULT_ACCOUNT,
                name=name,
                subject=subject,
                text=text,
                html=None,
                created_at=at,
                updated_at=at,
                version=7 if name == TEMPLATE else 1,
            )
        )
    await store.put(ConfigurationSet(account=DEFAULT_ACCOUNT, name=PAUSED_SET, created_at=at, sending_enabled=False))
    await store.put(ConfigurationSet(account=DEFAULT_ACCOUNT, name=SHORT_SET, created_at=at, max_delivery_seconds=5))
    entry = Suppression(
        account=DEFAULT_ACCOUNT,
        address=LISTED,
        reason=Reason.BOUNCE,
        at=at - DAY,
        author="rule:user-unknown",
        diagnostic="smtp; 550 5.1.1 <left-long-ago@customer.example>: user unknown",
    )
    await store.suppress(
        [entry, Suppression(account=GLOBAL, address=BARRED, reason=Reason.COMPLAINT, at=at, author="operator")]
    )


async def _send(running: Running, listed: tuple[Story, ...]) -> list[Told]:
    told = []
    settings = running.settings
    async with aiohttp.ClientSession() as http:
        client = DemoClient(
            http,
            host=str(settings.http.listen),
            key=DEV_ACCESS_KEY_ID,
            secret=DEV_SECRET_ACCESS_KEY,
            region=settings.account.region,
        )
        for story in listed:
            if story.over_smtp:
                told.append(Told(story, await asyncio.to_thread(_submit, settings, story)))
            else:
                told.append(Told(story, await _call(client, story)))
    return told


async def _call(client: DemoClient, story: Story) -> str:
    """Sends over the SES API: the message id, or the request id of a refusal."""
    body = {
        "FromEmailAddress": SENDER,
        "Destination": {"ToAddresses": [story.recipient]},
        "Content": story.content,
    }
    if story.configuration_set:
        body["ConfigurationSetName"] = story.configuration_set
    status, request_id, answer = await client.call("POST", "/v2/email/outbound-emails", body)
    if (status == 200) is story.error:
        raise CannotStart(f"the demo's own request for {story.recipient} was answered {status}: {answer}")
    return request_id if story.error else str(answer["MessageId"])


def _submit(settings: Settings, story: Story) -> str:
    """Sends over SMTP; the message id stands in the reply (``250 Ok <id>``)."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = SENDER, story.recipient, "Your order has shipped"
    message["Message-ID"] = f"<{uuid.uuid4()}@shop.example>"
    message.set_content("Thank you for your order. It left our warehouse today.")
    listen = settings.submission.listen
    with smtplib.SMTP(listen.host, listen.port, timeout=10) as smtp:
        smtp.login(DEV_ACCESS_KEY_ID, smtp_password(DEV_SECRET_ACCESS_KEY, settings.account.region))
        smtp.mail("orders@shop.example")
        smtp.rcpt(story.recipient)
        code, reply = smtp.data(message.as_bytes(policy=SMTP))
    text = reply.decode("ascii", "replace")
    if code != 250:
        raise CannotStart(f"the demo's own mail to {story.recipient} was refused: {code} {text}")
    return text.split()[-1].strip("<>")


async def _look(store: Store, told: list[Told]) -> None:
    for one in told:
        if one.done:
            continue
        ledger = await store.ledger(one.id)
        if ledger is not None:
            one.delivery = ledger.deliveries[0]


def _words(explanation: Explanation | None) -> str:
    """The first line of the proof."""
    evidence = explanation.recipients[0].telling.evidence if explanation else ()
    return evidence[0].text.partition("\n")[0] if evidence else ""


def _print_table(told: list[Told], explained: list[Explanation | None], console: Console) -> None:
    table = Table(header_style="bold", box=SIMPLE_HEAD, pad_edge=False, expand=True)
    table.add_column("Message", ratio=5)
    table.add_column("Fate", no_wrap=True)
    table.add_column("Cause", no_wrap=True)
    if console.width >= 110:
        table.add_column("In whose words", ratio=4, no_wrap=True, overflow="ellipsis", style="dim")
    for one, explanation in zip(told, explained, strict=True):
        delivery = one.delivery
        status = delivery.status if delivery else Status.QUEUED
        cause = delivery.cause.value if delivery and delivery.cause else "-"
        mark = "" if one.done else "\n(expected " + ", ".join(sorted(one.story.causes)) + ")"
        table.add_row(
            one.story.what,
            Text(status.value, style=colour_of(status)),
            Text(cause).append(mark, style="red"),
            *([Text(_words(explanation))] if console.width >= 110 else []),
        )
    console.print(table)
    causes = {one.delivery.cause for one in told if one.delivery and one.delivery.cause}
    console.print(f"{len(told)} messages, {len(causes)} different causes. Real SMTP, and none of it left this machine.")
