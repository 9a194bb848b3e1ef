"""Keeps connections open between messages, and their number to one site within bounds."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from waybill.deliver.provider import Site
from waybill.model.outcome import Line
from waybill.model.record import record
from waybill.net.smtp_client import SmtpConnection
from waybill.net.smtp_target import Target

Open: TypeAlias = Callable[[Target, list[Line]], Awaitable[SmtpConnection]]


@dataclass(kw_only=True, slots=True, eq=False)
class _Idle:
    """A connection that nobody uses until ``until``, by the loop's time."""

    target: Target
    until: float
    connection: SmtpConnection


@record(frozen=True, kw_only=True, slots=True)
class _Turn:
    """A place in the line for a connection to ``target``."""

    target: Target
    called: "asyncio.Future[None]"


@dataclass(kw_only=True, slots=True)
class _Place:
    """The connections to one site: ``opened`` counts all, idle, lent, taking leave or being opened.

    ``ips`` are the addresses of those that stand, one for each; ``waiting`` are those in line for a connection.
    """

    name: str
    connections: int
    messages: int
    opened: int = 0
    idle: list[_Idle] = field(default_factory=list)
    ips: list[str] = field(default_factory=list)
    waiting: deque["_Turn"] = field(default_factory=deque)


@record(frozen=True, kw_only=True, slots=True)
class Lease:
    """A connection lent for one message. ``reused``: it has carried another before."""

    target: Target
    connection: SmtpConnection
    reused: bool
    place: _Place


class Pool:
    """Lends connections; a lent one must be given back, whatever became of it.

    ``max_idle`` is how many seconds one may be unused, ``workers`` among how many processes a site's are shared.
    """

    def __init__(self, open_connection: Open, *, max_idle: float, workers: int = 1) -> None:
        self._open = open_connection
        self._max_idle = max_idle
        self._workers = workers
        self._closing = False
        self._places: dict[str, _Place] = {}
        self._sweep: asyncio.TimerHandle | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    def idle(self, site: str) -> Iterator[Target]:
        """The targets at the site to which a connection is open and free, the one used last first; to be read at once."""
        place = self._places.get(site)
        return (each.target for each in reversed(place.idle)) if place is not None else iter(())

    def connected(self, target: Target, site: str) -> bool:
        """Whether another connection to the target's address is open."""
        place = self._places.get(site)
        return place is not None and target.ip in place.ips

    async def acquire(self, target: Target, site: Site, transcript: list[Line], *, fresh: bool = False) -> Lease:
        """A connection to the target, waiting in line where the site has as many as it may have.

        With ``fresh`` a new one; the idle ones are closed, since what made one useless may have hit them all.

        Raises:
            SmtpError: it cannot be opened.
        """
        place = self._place(site)
        if fresh:
            self._dismiss(place, [each for each in place.idle if each.target == target])
        while True:
            connection = self._take_idle(place, target)
            if connection is not None:
                connection.wire.transcript = transcript
                connection.wire.note(f"message {connection.messages + 1} on a connection to {target} that was open")
                return Lease(target=target, connection=connection, reused=True, place=place)
            if place.opened < place.connections:
                break
            if place.idle:  # to another host of the site: it makes room
                self._dismiss(place, place.idle[:1])
            await self._wait(place, target)
            place = self._places.setdefault(site.name, place)
        place.opened += 1
        try:
            connection = await self._open(target, transcript)
        except BaseException:
            self._leave(place)
            raise
        place.ips.append(target.ip)
        return Lease(target=target, connection=connection, reused=False, place=place)

    def release(self, lease: Lease) -> None:
        """Takes a connection back: it is kept where it may serve again, and closed otherwise."""
        connection, place = lease.connection, lease.place
        if not connection.usable:
            connection.abort()
            place.ips.remove(lease.target.ip)
            self._leave(place)
            return
        loop = asyncio.get_running_loop()
        idle = _Idle(target=lease.target, until=loop.time() + self._max_idle, connection=connection)
        place.idle.append(idle)
        if self._closing or connection.messages >= place.messages:
            self._dismiss(place, [idle])
            return
        if self._sweep is None:
            self._sweep = loop.call_later(self._max_idle, self._close_idle)
        _call_next(place, lease.target)

    async def close(self) -> None:
        """Takes leave of every server. Connections that are lent are closed when they are given back."""
        self._closing = True
        if self._sweep is not None:
            self._sweep.cancel()
        for place in list(self._places.values()):
            self._dismiss(place, list(place.idle))
        while self._leaving:
            await asyncio.gather(*self._leaving, return_exceptions=True)

    def _place(self, site: Site) -> _Place:
        place = self._places.get(site.name)
        if place is None:
            place = self._places[site.name] = _Place(
                name=site.name, connections=site.share(self._workers), messages=site.messages_per_connection
            )
        return place

    def _take_idle(self, place: _Place, target: Target) -> SmtpConnection | None:
        for index in range(len(place.idle) - 1, -1, -1):
            each = place.idle[index]
            if each.target == target:
                if each.connection.usable:
                    del place.idle[index]
                    return each.connection
                self._dismiss(place, [each])
        return None

    async def _wait(self, place: _Place, target: Target) -> None:
        turn = _Turn(target=target, called=asyncio.get_running_loop().create_future())
        place.waiting.append(turn)
        try:
            await turn.called
        except asyncio.CancelledError:
            if turn.called.cancelled():
                place.waiting.remove(turn)
            else:  # called and cancelled at once: the next in line must not miss the call
                _call_next(place)
            raise

    def _dismiss(self, place: _Place, idle: list[_Idle]) -> None:
        """Takes leave of connections; each counts until it has gone, as it does at the receiver."""
        for each in idle:
            place.idle.remove(each)
            place.ips.remove(each.target.ip)
            task = asyncio.ensure_future(each.connection.quit())
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)
            task.add_done_callback(lambda _: self._leave(place))

    def _leave(self, place: _Place) -> None:
        """A connection is gone."""
        place.opened -= 1
        if place.waiting:
            _call_next(place)
        elif not place.opened and self._places.get(place.name) is place:
            del self._places[place.name]

    def _close_idle(self) -> None:
        self._sweep = None
        loop = asyncio.get_running_loop()
        due: float | None = None
        for place in list(self._places.values()):
            self._dismiss(place, [each for each in place.idle if each.until <= loop.time()])
            for each in place.idle:
                due = each.until if due is None else min(due, each.until)
        if due is not None:
            self._sweep = loop.call_at(due, self._close_idle)


def _call_next(place: _Place, free: Target | None = None) -> None:
    """Calls the first who waits for the connection that is free now, else the first of all.

    Others do not wait for ever: a connection is left after so many messages, and then they come first.
    """
    waiting = (turn for turn in place.waiting if not turn.called.done())
    first = next(waiting, None)
    if first is None:
        return
    turn = first if first.target == free else next((turn for turn in waiting if turn.target == free), first)
    place.waiting.remove(turn)
    turn.called.set_result(None)
