"""``waybill lab``: a small internet on loopback, alone."""

import asyncio
import signal
from pathlib import Path

import click

from waybill.cli.session import UNREACHABLE, USAGE, fail, unused_config_option
from waybill.lab.scenario import Scenario, ScenarioError, load_scenario, run_lab


@click.command()
@click.argument("scenario", type=click.Path(path_type=Path, dir_okay=False))
@unused_config_option
def lab(scenario: Path) -> None:
    """Run the receivers and the DNS of SCENARIO.toml until Ctrl-C or SIGTERM."""
    try:
        loaded = load_scenario(scenario)
    except (ScenarioError, OSError) as error:
        raise fail(str(error), USAGE) from None
    try:
        asyncio.run(_run(loaded))
    except OSError as error:
        raise fail(f"{scenario}: cannot listen: {error}", UNREACHABLE) from None


async def _run(scenario: Scenario) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    running = await run_lab(scenario)
    try:
        for line in running.addresses():
            click.echo(line)
        await stop.wait()
    finally:
        await running.close()
