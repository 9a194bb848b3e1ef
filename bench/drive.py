"""What every measurement does: a sink in a process of its own, a load generator in another, and waiting for what arrives."""

import asyncio
import json
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from load import Job

HERE = Path(__file__).parent


class Sink:
    """The sink's process."""

    def __init__(self, process: Process, port: int) -> None:
        self.process = process
        self.port = port

    @classmethod
    async def start(cls, *arguments: str) -> "Sink":
        """Starts it."""
        command = (sys.executable, str(HERE / "sink.py"), *arguments)
        process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
        assert process.stdout is not None
        return cls(process, int(await process.stdout.readline()))

    async def counts(self) -> dict[str, Any]:
        """What has come until now."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"?\n")
        counts: dict[str, Any] = json.loads(await self.process.stdout.readline())
        return counts

    async def stop(self) -> None:
        """Ends it."""
        if self.process.returncode is None:
            self.process.terminate()
        await self.process.wait()


@asynccontextmanager
async def running_sink(*arguments: str) -> AsyncIterator[Sink]:
    """A sink that is stopped at the end."""
    sink = await Sink.start(*arguments)
    try:
        yield sink
    finally:
        await sink.stop()


async def send(job: Job, protocol: str, patience: float) -> dict[str, Any]:
    """The load generator's figures. Raises: RuntimeError: a message was refused, or it took over ``patience`` seconds."""
    command = (sys.executable, HERE / "load.py", protocol, json.dumps(asdict(job)))
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
    try:
        output, _ = await asyncio.wait_for(process.communicate(), patience)
    except TimeoutError:
        process.kill()
        raise RuntimeError(f"the load took over {patience} s") from None
    if process.returncode:
        raise RuntimeError(f"the load ended with code {process.returncode}; its words stand above")
    figures: dict[str, Any] = json.loads(output)
    if figures["errors"] or figures["accepted"] != job.count:
        raise RuntimeError(f"{figures['accepted']} of {job.count} were accepted: {figures['errors']}")
    return figures


async def arrived(sink: Sink, count: int, patience: float) -> dict[str, Any]:
    """The sink's counts once it has so many messages. Raises: RuntimeError: they do not come in time."""
    deadline = time.monotonic() + patience
    while (counts := await sink.counts())["messages"] < count:
        if time.monotonic() > deadline:
            raise RuntimeError(f"only {counts['messages']} of {count} messages arrived within {patience} s")
        await asyncio.sleep(0.1)
    return counts
