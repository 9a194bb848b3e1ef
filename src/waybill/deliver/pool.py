"""Keeps connections open between messages, and their number to one destination within bounds."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from waybill.model.outcome import Line
from waybill.model.record import record
from waybill.net.smtp_client import SmtpConnection
from waybill.net.smtp_target import Target

Open: TypeAlias = Callable[[Target, list[Line]], Awaitable[SmtpConnection]]


@record(frozen=True, kw_only=True, slots=True)
class Bounds:
    """``max_idle`` seconds unused, ``max_messages`` over one connection, ``connections`` to one target."""

    max_idle: float
    max_messages: int
    connections: int


@dataclass(kw_only=True, slots=True)
class _Destination:
    """The connections to one target: ``opened`` counts all, idle or lent. ``waiting`` are those in line for one."""

    opened: int = 0
    idle: list[tuple[float, SmtpConnection]] = field(default_factory=list)
    waiting: deque["asyncio.Future[None]"] = field(default_factory=deque)


@record(frozen=True, kw_only=True, slots=True)
class Lease:
    """A connection lent for one message. ``reused``: it has carried another before."""

    target: Target
    connection: SmtpConnection
    reused: bool
    destination: _Destination


class Pool:
    """Lends connections; a lent one must be given back, whatever became of it."""

    def __init__(self, open_connection: Open, bounds: Bounds) -> None:
        self._open = open_connection
        self._bounds = bounds
        self._destinations: dict[Target, _Destination] = {}
        self._sweep: asyncio.TimerHandle | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    async def acquire(self, target: Target, transcript: list[Line], *, fresh: bool = False) -> Lease:
        """A connection to the target, waiting in line where there are as many as there may be.

        With ``fresh`` a new one; the idle ones are closed, since what made one useless may have hit them all.

        Raises:
            SmtpError: it cannot be opened.
        """
        destination = self._destinations.setdefault(target, _Destination())
        if fresh:
            self._dismiss(destination, [connection for _, connection in destination.idle])
            destination.idle.clear()
        while True:
            while destination.idle:
                connection = destination.idle.pop()[1]
                if connection.usable:
                    connection.wire.transcript = transcript
                    connection.wire.note(f"message {connection.messages + 1} on a connection to {target} that was open")
                    return Lease(target=target, connection=connection, reused=True, destination=destination)
                self._dismiss(destination, [connection])
            if destination.opened < self._bounds.connections:
                break
            await self._wait(destination)
            destination = self._destinations.setdefault(target, destination)
        destination.opened += 1
        try:
            connection = await self._open(target, transcript)
        except BaseException:
            self._forget(target, destination)
            raise
        return Lease(target=target, connection=connection, reused=False, destination=destination)

    def release(self, lease: Lease) -> None:
        """Takes a connection back: it is kept where it may serve again, and closed otherwise."""
        connection = lease.connection
        destination = lease.destination
        if not connection.usable:
            connection.abort()
            self._forget(lease.target, destination)
        elif connection.messages >= self._bounds.max_messages:
            self._dismiss(destination, [connection])
            self._forget(lease.target, destination, closed=0)
        else:
            loop = asyncio.get_running_loop()
            destination.idle.append((loop.time() + self._bounds.max_idle, connection))
            if self._sweep is None:
                self._sweep = loop.call_later(self._bounds.max_idle, self._close_idle)
            _call_next(destination)

    async def close(self) -> None:
        """Takes leave of every server. Connections that are lent are closed when they are given back."""
        self._bounds = Bounds(max_idle=0, max_messages=0, connections=self._bounds.connections)
        if self._sweep is not None:
            self._sweep.cancel()
        for target, destination in list(self._destinations.items()):
            self._dismiss(destination, [connection for _, connection in destination.idle])
            destination.idle.clear()
            self._forget(target, destination, closed=0)
        while self._leaving:
            await asyncio.gather(*self._leaving, return_exceptions=True)

    async def _wait(self, destination: _Destination) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        destination.waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                destination.waiting.remove(turn)
            else:  # called and cancelled at once: the next in line must not miss the call
                _call_next(destination)
            raise

    def _dismiss(self, destination: _Destination, connections: list[SmtpConnection]) -> None:
        for connection in connections:
            destination.opened -= 1
            task = asyncio.ensure_future(connection.quit())
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    def _forget(self, target: Target, destination: _Destination, closed: int = 1) -> None:
        destination.opened -= closed
        if destination.waiting:
            _call_next(destination)
        elif not destination.opened and self._destinations.get(target) is destination:
            del self._destinations[target]

    def _close_idle(self) -> None:
        self._sweep = None
        loop = asyncio.get_running_loop()
        due: float | None = None
        for target, destination in list(self._destinations.items()):
            expired = [connection for until, connection in destination.idle if until <= loop.time()]
            destination.idle = [(until, each) for until, each in destination.idle if until > loop.time()]
            self._dismiss(destination, expired)
            if destination.idle:
                due = min(due or destination.idle[0][0], destination.idle[0][0])
            self._forget(target, destination, closed=0)
        if due is not None:
            self._sweep = loop.call_at(due, self._close_idle)


def _call_next(destination: _Destination) -> None:
    while destination.waiting:
        turn = destination.waiting.popleft()
        if not turn.done():
            turn.set_result(None)
            return
