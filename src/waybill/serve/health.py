"""The health page: a small file in shared memory, where every process of the service says once a second how it is.

It needs neither the store nor a free octet on the disk once it is there: so the service can say that it has neither.
"""

import contextlib
import json
import mmap
import os
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from waybill.model.clock import Instant
from waybill.store.sending import machine_start, reserve_octets

PLACES = 65
"""One for each worker, by its number, and the last for the supervisor."""

SUPERVISOR = PLACES - 1

SILENT_AFTER = 5.0
"""Seconds without a word after which a process is taken for hung or gone."""

_PLACE_OCTETS = 8 * 1024
_HEAD_OCTETS = 8
_MOST_EVIDENCE = 300
_TRIES = 3


class State(StrEnum):
    """How a part is. The order is that of gravity."""

    OK = "ok"
    DEGRADED = "degraded"  # it works with less, or will not for long
    FAILING = "failing"  # mail is not moving


GRAVITY = {State.OK: 0, State.DEGRADED: 1, State.FAILING: 2}


@dataclass(frozen=True, kw_only=True, slots=True)
class PartHealth:
    """How a part is, since when, and what shows it."""

    state: State
    evidence: str
    since: Instant | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessHealth:
    """What a process said last. ``beat`` is the machine's monotonic clock then; ``stopped``: it has ended as it was told to."""

    name: str
    pid: int
    started_at: Instant
    at: Instant
    beat: float
    machine: str = field(default_factory=lambda: machine_start().hex())
    stopped: bool = False
    parts: Mapping[str, PartHealth] = field(default_factory=dict)

    def silent_for(self, monotonic: float) -> float | None:
        """Seconds since its last word; None where it was written before this machine's last start."""
        return max(0.0, monotonic - self.beat) if self.machine == machine_start().hex() else None

    def is_alive(self, monotonic: float) -> bool:
        """Whether it was heard of just now."""
        silent = self.silent_for(monotonic)
        return not self.stopped and silent is not None and silent < SILENT_AFTER


class HealthPage:
    """The page, to be written by one process in its own place.

    Raises:
        OSError: the file cannot be made or opened.
    """

    def __init__(self, path: Path, place: int) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            reserve_octets(descriptor, PLACES * _PLACE_OCTETS)
            self._memory = mmap.mmap(descriptor, PLACES * _PLACE_OCTETS)
        finally:
            os.close(descriptor)
        self._start = place * _PLACE_OCTETS

    def write(self, health: ProcessHealth) -> None:
        """Replaces what this process said before."""
        text = json.dumps(_plain(health), separators=(",", ":"), ensure_ascii=True).encode("ascii")
        body = text if len(text) <= _PLACE_OCTETS - _HEAD_OCTETS else b"{}"
        head = len(body).to_bytes(4, "little") + zlib.crc32(body).to_bytes(4, "little")
        if self._memory.closed:
            return
        self._memory[self._start : self._start + _HEAD_OCTETS + len(body)] = head + body

    def clear(self) -> None:
        """Forgets what the processes of an earlier run said."""
        self._memory[:] = bytes(len(self._memory))

    def close(self) -> None:
        """Lets go of the file."""
        self._memory.close()


def read_page(path: Path) -> dict[int, ProcessHealth]:
    """What each process said last, by its place; nothing where the service has never run."""
    found = {}
    with contextlib.suppress(OSError), path.open("rb", buffering=0) as file:
        for place in range(PLACES):
            health = _read_place(file.fileno(), place * _PLACE_OCTETS)
            if health is not None:
                found[place] = health
    return found


def health_path(database: Path) -> Path:
    """Where the health page of a database's service lies."""
    return database.with_name(database.name + ".health")


def _read_place(descriptor: int, start: int) -> ProcessHealth | None:
    for _ in range(_TRIES):  # it may be written at this moment: then the sum is wrong
        data = os.pread(descriptor, _PLACE_OCTETS, start)
        length = int.from_bytes(data[:4], "little")
        body = data[_HEAD_OCTETS : _HEAD_OCTETS + length]
        if not length or len(body) != length:
            return None
        if zlib.crc32(body) == int.from_bytes(data[4:8], "little"):
            return _read_body(body)
        time.sleep(0.001)
    return None


def _read_body(body: bytes) -> ProcessHealth | None:
    try:
        plain = json.loads(body)
        parts = {
            name: PartHealth(state=State(state), evidence=evidence, since=since)
            for name, (state, evidence, since) in plain.pop("parts").items()
        }
        return ProcessHealth(**plain, parts=parts)
    except (ValueError, KeyError, TypeError):  # of another version
        return None


def _plain(health: ProcessHealth) -> dict[str, object]:
    return {
        "name": health.name,
        "pid": health.pid,
        "started_at": health.started_at,
        "at": health.at,
        "beat": health.beat,
        "machine": health.machine,
        "stopped": health.stopped,
        "parts": {
            name: (part.state.value, part.evidence[:_MOST_EVIDENCE], part.since) for name, part in health.parts.items()
        },
    }
