"""``waybill serve --config FILE`` with a lease of a second and a half, so that a takeover can be waited for."""

import asyncio
import logging
import signal
import sys
from pathlib import Path

from waybill.cli.serve import announce
from waybill.serve.supervisor import Supervisor, Terms
from waybill.settings import load_settings

TERMS = Terms(lease=1_500, log_level=logging.ERROR)


async def serve(config: Path) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    supervisor = Supervisor(load_settings(config), dev=False, workers=2, terms=TERMS)
    await supervisor.run(stop, lambda running: announce(running, ()))


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[2])))
