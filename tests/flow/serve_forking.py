"""``waybill serve --config FILE`` with four workers that start at once and leases that end soon, so that many can be killed."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from pathlib import Path

from waybill.cli.serve import announce
from waybill.serve.supervisor import Supervisor, Terms
from waybill.serve.worker import main as be_worker
from waybill.settings import load_settings

LAUNCHER = Path(__file__).with_name("forked_worker.py")
WORKERS = 4


def fork_workers(door: socket.socket) -> None:
    """Forks a worker for each launcher that comes, until this process is killed."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        launcher, _ = door.accept()
        with launcher:
            _, streams, _, _ = socket.recv_fds(launcher, 8, 3)
            pid = os.fork()
            if pid == 0:
                door.close()
                become_worker(streams)
            for stream in streams:
                os.close(stream)
            with contextlib.suppress(BrokenPipeError):
                launcher.send(str(pid).encode())


def become_worker(streams: list[int]) -> None:
    """Never returns. The launcher's socket stays open until the end: so the launcher hears of it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    code = 1
    try:
        be_worker()
        code = 0
    finally:
        os._exit(code)


async def serve(config: Path, door: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    terms = Terms(
        lease=1_500,
        log_level=logging.ERROR,
        restart_wait=(0.02,),
        worker_command=(sys.executable, "-S", "-E", str(LAUNCHER), door),
    )
    supervisor = Supervisor(load_settings(config), dev=False, workers=WORKERS, terms=terms)
    await supervisor.run(stop, lambda running: announce(running, ()))


def main() -> None:
    config = Path(sys.argv[2])
    path = config.with_name(f"forker-{os.getpid()}")
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))
        door.listen()
        forker = os.fork()
        if forker == 0:
            fork_workers(door)
    try:
        asyncio.run(serve(config, str(path)))
    finally:
        os.kill(forker, signal.SIGKILL)


if __name__ == "__main__":
    main()
