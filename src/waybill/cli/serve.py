"""``waybill serve``."""

import asyncio
import logging
import os
import shlex
import signal
import sys
from dataclasses import replace
from pathlib import Path

import click

from waybill.cli.session import UNREACHABLE, USAGE, config_option, fail, settings_of
from waybill.serve.journal import start_journal
from waybill.serve.plan import dev_settings
from waybill.serve.setup import DEV_ACCESS_KEY_ID, DEV_SECRET_ACCESS_KEY
from waybill.serve.supervisor import CannotStart, Running, Supervisor
from waybill.settings import Settings, SettingsError, check_files
from waybill.store.protocol import StoreUnavailable
from waybill.submission.password import smtp_password

_EXAMPLE = """\
import boto3
ses = boto3.client("sesv2", endpoint_url="{url}", region_name="{region}", aws_access_key_id="{key}", aws_secret_access_key="{secret}")
sent = ses.send_email(FromEmailAddress="me@example.com", Destination={{"ToAddresses": ["bounce@simulator.amazonses.com"]}}, Content={{"Simple": {{"Subject": {{"Data": "Hello"}}, "Body": {{"Text": {{"Data": "Hello"}}}}}}}})
print("Why did it not arrive?   waybill explain " + sent["MessageId"])
"""


def with_data(settings: Settings, data: Path | None) -> Settings:
    """The settings with the store in another folder."""
    return replace(settings, store=f"sqlite:///{data / 'waybill.db'}") if data else settings


@click.command()
@config_option
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Folder of the store.")
@click.option("--workers", type=click.IntRange(1, 64), help="Worker processes; else the setting service.workers.")
@click.option(
    "--dev", is_flag=True, help="Loopback only, every sender accepted, a fixed key; mail stays on this machine."
)
def serve(config: Path | None, data: Path | None, workers: int | None, *, dev: bool) -> None:
    """Run the service until SIGTERM; then it drains and exits 0."""
    start_journal(logging.INFO)
    settings = with_data(settings_of(config), data)
    try:
        settings = dev_settings(settings) if dev else settings
        check_files(settings)
    except SettingsError as error:
        raise fail(str(error), USAGE) from None
    count = workers or settings.service.workers or (1 if dev else _processors())
    exports = exports_for(config, data)
    try:
        asyncio.run(_serve(settings, dev=dev, workers=count, exports=exports))
    except (CannotStart, StoreUnavailable) as error:
        raise fail(str(error), UNREACHABLE) from None


def exports_for(config: Path | None, data: Path | None) -> tuple[str, ...]:
    """The lines that let other commands find this service's store, where options of ``serve`` named it."""
    lines = []
    if config is not None:
        lines.append(f"export WAYBILL_CONFIG={shlex.quote(str(config.resolve()))}")
    if data is not None:
        lines.append(f"export WAYBILL__STORE={shlex.quote(with_data(Settings(), data.resolve()).store)}")
    return tuple(lines)


def _processors() -> int:
    """How many processors this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)  # not on macOS
    return len(allowed(0)) if allowed else os.cpu_count() or 1


async def _serve(settings: Settings, *, dev: bool, workers: int, exports: tuple[str, ...]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await Supervisor(settings, dev=dev, workers=workers).run(stop, lambda running: announce(running, exports))
    click.echo("Waybill has drained and stopped.", err=True)


def announce(running: Running, exports: tuple[str, ...]) -> None:
    """Says where everything is, and in ``--dev`` how to send the first message."""
    settings = running.settings
    url = settings.http.public_url
    click.echo(
        f"Waybill is ready.  HTTP http://{settings.http.listen}   SMTP {settings.submission.listen}   inbound {settings.inbound.listen}"
    )
    if exports:
        click.echo("\nOther commands look at this service's store after:\n\n  " + "\n  ".join(exports))
    if running.dev:
        region = settings.account.region
        click.echo(f"\n  endpoint      {url}")
        click.echo(f"  access key    {DEV_ACCESS_KEY_ID}")
        click.echo(f"  secret key    {DEV_SECRET_ACCESS_KEY}")
        click.echo(
            f"  SMTP          {settings.submission.listen}  user {DEV_ACCESS_KEY_ID}  password {smtp_password(DEV_SECRET_ACCESS_KEY, region)}"
        )
        click.echo("\nPaste into Python (pip install boto3):\n")
        click.echo(_EXAMPLE.format(url=url, region=region, key=DEV_ACCESS_KEY_ID, secret=DEV_SECRET_ACCESS_KEY))
        if running.capture:
            click.echo("Mail to every domain stays on this machine: it goes to the built-in mailbox simulator.")
    elif not running.has_keys:
        click.echo("\nThere is no API key yet. Make one:  waybill keys create")
    sys.stdout.flush()
