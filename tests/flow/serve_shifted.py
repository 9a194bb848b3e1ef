"""``waybill serve --config FILE`` whose workers' wall clock is off by as many milliseconds as the file ``shift`` beside it says."""

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from waybill.cli.serve import announce
from waybill.model.clock import Instant, now
from waybill.serve import worker
from waybill.serve.supervisor import Supervisor, Terms
from waybill.settings import load_settings

NAME = "WAYBILL_TEST_SHIFT"


def shifted() -> Instant:
    """The wall clock, as somebody has set it."""
    return now() + int(Path(os.environ[NAME]).read_text("ascii"))


async def serve(config: Path) -> None:
    os.environ[NAME] = str(config.with_name("shift"))
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    terms = Terms(log_level=logging.WARNING, worker_command=(sys.executable, __file__))
    supervisor = Supervisor(load_settings(config), dev=False, workers=1, terms=terms)
    await supervisor.run(stop, lambda running: announce(running, ()))


if __name__ == "__main__":
    if "--config" in sys.argv:
        asyncio.run(serve(Path(sys.argv[2])))
    else:
        vars(worker)["now"] = shifted
        worker.main()
