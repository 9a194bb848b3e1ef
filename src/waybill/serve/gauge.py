"""What a process measures of itself and its machine: disk, memory, descriptors, and whether the clock was set."""

import os
import resource
from collections.abc import Callable
from pathlib import Path

from waybill.model.clock import MINUTE, SECOND, Clock, Instant, rfc3339
from waybill.serve.health import PartHealth, State

MEGA = 1024 * 1024

LITTLE_DISK, LITTLE_SHARE = 1024 * MEGA, 0.05
NO_DISK = 100 * MEGA
"""Free octets, or share of the disk, where ``degraded`` begins, and where ``failing`` does."""

JUMP = 5 * SECOND
"""A clock that is adjusted moves by less than this in a second; one that was set by more."""

JUMP_REMEMBERED = 10 * MINUTE

_MUCH = {"descriptors": (0.8, 0.95), "memory": (0.9, 0.98)}
"""Shares in use where ``degraded`` begins, and where ``failing`` does."""


def disk(folder: Path) -> PartHealth:
    """The room where the database lies."""
    try:
        found = os.statvfs(folder)
    except OSError as error:
        return PartHealth(state=State.FAILING, evidence=f"{folder} cannot be looked at: {error.strerror}")
    free, total = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    evidence = f"{_octets(free)} of {_octets(total)} free at {folder}"
    if found.f_flag & os.ST_RDONLY:
        return PartHealth(state=State.FAILING, evidence=f"{folder} is mounted read-only")
    if free < NO_DISK:
        return PartHealth(state=State.FAILING, evidence=evidence)
    scarce = free < LITTLE_DISK or free < total * LITTLE_SHARE
    return PartHealth(state=State.DEGRADED if scarce else State.OK, evidence=evidence)


def descriptors() -> PartHealth:
    """The open files and connections of this process, against what it may have."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(os.listdir(_open_files()))  # noqa: PTH208 - counted only
    return _share("descriptors", used, limit, f"{used} of {limit} descriptors in use")


def memory() -> PartHealth:
    """What this process holds, and what the machine, or the control group, has left."""
    pages = int(_text("/proc/self/statm", "0 0").split()[1])
    own = pages * os.sysconf("SC_PAGE_SIZE")
    if not own:  # not on macOS
        return PartHealth(state=State.OK, evidence="not measured on this system")
    limit, used = _memory_of_group() or _memory_of_machine()
    return _share(
        "memory", used, limit, f"{_octets(own)} in this process; {_octets(limit - used)} of {_octets(limit)} left"
    )


class ClockGauge:
    """Compares the wall clock with one that cannot be set."""

    def __init__(self, clock: Clock, monotonic: Callable[[], float]) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._wall, self._steady = clock(), monotonic()
        self._jumped: tuple[int, float] | None = None
        self.since: Instant = self._wall

    def look(self) -> tuple[PartHealth, int]:
        """How the clock is, and by how many milliseconds it was set since the last look (0: it was not)."""
        wall, steady = self._clock(), self._monotonic()
        jump = round((wall - self._wall) - (steady - self._steady) * SECOND)
        self._wall, self._steady = wall, steady
        if abs(jump) < JUMP:
            jump = 0
        else:
            self._jumped, self.since = (jump, steady), wall
        if self._jumped is None or steady - self._jumped[1] >= JUMP_REMEMBERED / SECOND:
            return PartHealth(state=State.OK, evidence="it runs as the machine's steady one"), jump
        return PartHealth(state=State.DEGRADED, evidence=_set_clock(self._jumped[0], self.since)), jump


def _set_clock(jump: int, at: Instant) -> str:
    way = "forward: mail that was put off is due earlier, and old mail may have expired"
    if jump < 0:
        way = "back: mail that was put off waits so much longer (`waybill queue retry-now --all` makes it due)"
    return f"the clock was set {abs(jump) / SECOND:,.0f} s {way}; it has been {rfc3339(at)} then"


def _share(part: str, used: int, limit: int, evidence: str) -> PartHealth:
    share = used / limit if limit > 0 else 0
    much, too_much = _MUCH[part]
    state = State.FAILING if share >= too_much else State.DEGRADED if share >= much else State.OK
    return PartHealth(state=state, evidence=evidence)


def _open_files() -> str:
    return "/proc/self/fd" if Path("/proc/self/fd").is_dir() else "/dev/fd"


def _memory_of_group() -> tuple[int, int] | None:
    limit = _text("/sys/fs/cgroup/memory.max", "max").strip()
    if not limit.isdigit():
        return None
    used = int(_text("/sys/fs/cgroup/memory.current", "0"))
    reclaimable = 0
    for line in _text("/sys/fs/cgroup/memory.stat", "").splitlines():
        name, _, value = line.partition(" ")
        if name == "inactive_file":
            reclaimable = int(value)
    return int(limit), max(0, used - reclaimable)


def _memory_of_machine() -> tuple[int, int]:
    figures = {}
    for line in _text("/proc/meminfo", "").splitlines():
        name, _, value = line.partition(":")
        figures[name] = int(value.split()[0]) * 1024
    total = figures.get("MemTotal", 0)
    return total, total - figures.get("MemAvailable", total)


def _text(path: str, otherwise: str) -> str:
    try:
        return Path(path).read_text("ascii")
    except OSError:
        return otherwise


def _octets(count: int) -> str:
    return f"{count / 1024**3:,.1f} GB" if count >= 1024**3 else f"{count / MEGA:,.0f} MB"
