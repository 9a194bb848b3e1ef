"""The supervisor: keeps the ports, runs the mailbox simulator, and starts the workers again when they die."""

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

from waybill.lab.simulator import start_simulator
from waybill.model.clock import SECOND, now, rfc3339
from waybill.serve.health import SUPERVISOR, PartHealth, ProcessHealth, State, health_path
from waybill.serve.plan import (
    EVERYWHERE,
    Plan,
    SimulatorAddress,
    captures_all,
    reserve,
    with_names,
    worker_name,
    write_plan,
)
from waybill.serve.recorder import Recorder, last_word, recording
from waybill.serve.setup import prepare_store
from waybill.serve.sources import register_sources
from waybill.serve.upkeep import open_page
from waybill.settings import Endpoint, Settings
from waybill.store.open import open_store, sqlite_path

log = logging.getLogger(__name__)

GRACE = 30.0
"""Seconds that workers have to drain after SIGTERM."""

LEASE = 30 * SECOND
"""How long a dead worker's deliveries stay untouched."""

RESTART_WAIT = (0.1, 0.5, 2.0, 5.0)
"""Seconds before a worker that died is started again, longer each time, until one has lived for ``PROVEN`` seconds."""

PROVEN = 60.0

RESTART_SHOWN = 60.0
"""Seconds for which the health page speaks of a worker that died."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """How workers are started and kept."""

    lease: int = LEASE
    log_level: int = logging.INFO
    restart_wait: tuple[float, ...] = RESTART_WAIT
    worker_command: tuple[str, ...] = (sys.executable, "-m", "waybill.serve.worker")


_TERMS = Terms()


class CannotStart(Exception):  # noqa: N818 - what happened, in one line
    """The service cannot start: the line says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Running:
    """The service once it is up: settings with the real ports and names, and whether there is any key to use."""

    settings: Settings
    dev: bool
    capture: bool
    has_keys: bool
    simulator: SimulatorAddress | None


@dataclass(slots=True)
class _Child:
    number: int
    process: subprocess.Popen[bytes]
    started: float = field(default_factory=time.monotonic)

    def close_pipes(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


class Supervisor:
    """The process tree of one installation on one machine."""

    def __init__(self, settings: Settings, *, dev: bool, workers: int, terms: Terms = _TERMS) -> None:
        self._terms = terms
        self._settings = settings
        self._dev = dev
        self._workers = workers
        self._started_at = now()
        self._died: tuple[float, str] | None = None
        self._earlier: ProcessHealth | None = None
        self._children: dict[int, _Child] = {}
        self._simulator: SimulatorAddress | None = None

    async def run(self, stop: asyncio.Event, on_ready: Callable[[Running], None]) -> None:
        """Runs until ``stop`` is set, then drains the workers.

        Raises:
            CannotStart: a port is taken, or no worker came up.
            StoreUnavailable: the store cannot be opened.
        """
        async with AsyncExitStack() as held:
            self._settings = with_names(self._with_ports(held))
            has_keys = await self._prepare()
            await held.enter_async_context(self._heartbeat())
            await self._start_simulator(held)
            try:
                numbers = range(self._workers)
                first = await asyncio.gather(*(self._start(number, stop) for number in numbers))
                if stop.is_set():
                    return
                if not all(first):
                    raise CannotStart("a worker did not start; its own words stand above")
                on_ready(
                    Running(
                        settings=self._settings,
                        dev=self._dev,
                        capture=captures_all(self._settings, dev=self._dev),
                        has_keys=has_keys,
                        simulator=self._simulator,
                    )
                )
                async with recording(self._recorder()):
                    await asyncio.gather(*(self._watch(number, stop) for number in numbers))
            finally:
                await self._end()

    def _with_ports(self, held: AsyncExitStack) -> Settings:
        settings = self._settings

        def keep(key: str, endpoint: Endpoint) -> Endpoint:
            try:
                sock, real = reserve(endpoint)
            except OSError as error:
                raise CannotStart(f"{key} = {endpoint}: cannot listen there: {error.strerror or error}") from None
            held.callback(sock.close)
            return real

        return replace(
            settings,
            http=replace(settings.http, listen=keep("http.listen", settings.http.listen)),
            submission=replace(settings.submission, listen=keep("submission.listen", settings.submission.listen)),
            inbound=replace(settings.inbound, listen=keep("inbound.listen", settings.inbound.listen)),
        )

    async def _prepare(self) -> bool:
        store = await open_store(self._settings.store, clock=now)
        try:
            delivery = self._settings.delivery
            await register_sources(store, delivery.source_addresses, now(), warm_up=delivery.warm_up)
            return await prepare_store(store, now(), dev=self._dev)
        finally:
            await store.close()

    async def _start_simulator(self, held: AsyncExitStack) -> None:
        if not self._settings.service.simulator:
            return
        inbound = self._settings.inbound.listen
        host = "127.0.0.1" if inbound.host in EVERYWHERE else inbound.host
        capture = captures_all(self._settings, dev=self._dev)
        try:
            simulator = await start_simulator((host, inbound.port), capture=capture)
        except OSError as error:
            raise CannotStart(f"the mailbox simulator cannot listen on loopback: {error}") from None
        held.push_async_callback(simulator.close)
        self._simulator = SimulatorAddress(
            zone=simulator.zone,
            dns=simulator.dns_address,
            smtp_host=simulator.smtp_host,
            smtp_port=simulator.smtp_port,
            capture=capture,
        )

    async def _start(self, number: int, stop: asyncio.Event) -> bool:
        """Starts a worker; whether it said that it is ready. One that is not when ``stop`` is set is left to be ended."""
        process = subprocess.Popen(  # noqa: ASYNC220, S603 - returns at once; the command is our own
            self._terms.worker_command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C in the terminal is ours to pass on
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        before = self._children.get(number)
        if before is not None:
            before.close_pipes()
        self._children[number] = _Child(number, process)
        plan = Plan(
            worker=worker_name(number),
            number=number,
            workers=self._workers,
            settings=replace(self._settings, service=replace(self._settings.service, workers=self._workers)),
            simulator=self._simulator,
            log_level=self._terms.log_level,
            lease=self._terms.lease,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            write_plan(plan, process.stdin)
        except BrokenPipeError:
            return False
        first_line = asyncio.ensure_future(asyncio.to_thread(process.stdout.readline))
        stopped = asyncio.ensure_future(stop.wait())
        await asyncio.wait([first_line, stopped], return_when=asyncio.FIRST_COMPLETED)
        if not first_line.done():
            process.terminate()
        stopped.cancel()
        return await first_line == b"ready\n"

    async def _watch(self, number: int, stop: asyncio.Event) -> None:
        """Starts the worker again whenever it dies, until ``stop``."""
        failures = 0
        while not await _within(stop, 0.1):
            child = self._children[number]
            if child.process.poll() is None:
                continue
            lived = time.monotonic() - child.started
            failures = 0 if lived > PROVEN else failures + 1
            waits = self._terms.restart_wait
            wait = waits[min(failures, len(waits) - 1)]
            said = f"worker {number} (pid {child.process.pid}) ended with code {child.process.returncode} at {rfc3339(now())}"
            self._died = (time.monotonic(), said)
            log.error(
                "worker_ended worker=%d pid=%d code=%s restarts_in_s=%.1f",
                number,
                child.process.pid,
                child.process.returncode,
                wait,
            )
            if not await _within(stop, wait):
                await self._start(number, stop)

    @asynccontextmanager
    async def _heartbeat(self) -> AsyncIterator[None]:
        """Says once a second on the health page that this process lives, and how many of its workers do."""
        page = open_page(sqlite_path(self._settings.store), SUPERVISOR)
        if page is None:
            yield
            return

        self._earlier = last_word(health_path(sqlite_path(self._settings.store)))
        page.clear()

        async def beat() -> None:
            while True:
                page.write(self._health())
                await asyncio.sleep(1.0)

        task = asyncio.create_task(beat())
        try:
            yield
        finally:
            task.cancel()
            page.write(self._health(stopped=True))
            page.close()

    def _recorder(self) -> Recorder:
        return Recorder(
            url=self._settings.store,
            page=health_path(sqlite_path(self._settings.store)),
            earlier=self._earlier,
            started_at=self._started_at,
            clock=now,
        )

    def _health(self, *, stopped: bool = False) -> ProcessHealth:
        at, since = now(), self._started_at
        alive = sum(child.process.poll() is None for child in self._children.values())
        evidence = f"{alive} of {self._workers} workers at work"
        state = State.OK if alive == self._workers else State.DEGRADED
        if self._died is not None:
            ago = time.monotonic() - self._died[0]
            if ago < RESTART_SHOWN:
                evidence += f"; {self._died[1]}, and is started again"
                state, since = State.DEGRADED if alive else State.FAILING, at - round(ago * SECOND)
        return ProcessHealth(
            name="supervisor",
            pid=os.getpid(),
            started_at=self._started_at,
            at=at,
            beat=time.monotonic(),
            stopped=stopped,
            parts={"workers": PartHealth(state=state, evidence=evidence, since=since)},
        )

    async def _end(self) -> None:
        alive = [child.process for child in self._children.values() if child.process.poll() is None]
        for process in alive:
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        while any(process.poll() is None for process in alive) and time.monotonic() < deadline:  # noqa: ASYNC110 - child processes are polled
            await asyncio.sleep(0.02)
        for process in alive:
            if process.poll() is None:
                log.error("worker_killed pid=%d drained_for_s=%.0f", process.pid, GRACE)  # what it held is kept
                process.kill()
                process.wait()
        for child in self._children.values():
            child.close_pipes()


async def _within(stop: asyncio.Event, seconds: float) -> bool:
    """Whether ``stop`` is set before so many seconds have passed."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return False
    return True
