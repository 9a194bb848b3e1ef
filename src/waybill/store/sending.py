"""The sending journal: which deliveries a worker is sending at this moment, in a file that outlives the worker.

A worker that is killed leaves leases behind. Whoever takes a delivery over asks here whether its first octet may have gone
out, so that a message that is perhaps sent twice says so, and all others do not. The file is memory shared with the
system: writing a number costs less than a microsecond, and SIGKILL loses none. A power cut may; so a file that was written
since another start of the machine answers "not known".
"""

import fcntl
import mmap
import os
import sys
from pathlib import Path
from typing import Protocol

from waybill.model.clock import SECOND, Instant

SLOTS = 1_024
"""How many deliveries a worker can be sending at once; of those beyond it nothing is known."""

KEPT_FILES = 1_000
"""A worker that dies every few seconds must not fill the disk: it leaves a file each time."""

_WIDTH = 8
_HEADER = 3
"""Numbers before the slots: two of the machine's start, one that is not zero while something has no slot."""

_OCTETS = (_HEADER + SLOTS) * _WIDTH
_START_ID = Path("/proc/sys/kernel/random/boot_id")


class SendingJournal(Protocol):
    """What a worker tells: one delivery is in at most one attempt at a time."""

    def begin(self, delivery_id: int) -> None:
        """To be called before the message's first octet."""

    def end(self, delivery_id: int) -> None:
        """To be called when what became of it is on disk."""


class Journal:
    """The journal of this process. Not for several threads. Its file is locked as long as the process lives.

    Raises:
        OSError: the file cannot be made, since the disk is full or not ours.
    """

    def __init__(self, folder: Path, worker: str) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self._path = folder / worker
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            reserve_octets(self._descriptor, _OCTETS)
            self._memory = mmap.mmap(self._descriptor, _OCTETS)
        except BaseException:
            os.close(self._descriptor)
            self._path.unlink(missing_ok=True)
            raise
        self._memory[: 2 * _WIDTH] = machine_start()
        self._numbers = memoryview(self._memory).cast("q")  # stores eight octets at once: never half a number
        self._free = list(range(_HEADER + SLOTS - 1, _HEADER - 1, -1))
        self._taken: dict[int, int] = {}

    def begin(self, delivery_id: int) -> None:
        """Notes that the delivery is being sent."""
        if not self._free:
            self._numbers[_HEADER - 1] += 1
            return
        slot = self._free.pop()
        self._numbers[slot] = delivery_id
        self._taken[delivery_id] = slot

    def end(self, delivery_id: int) -> None:
        """Notes that what became of the delivery is on disk, or that nothing of it was sent."""
        slot = self._taken.pop(delivery_id, None)
        if slot is None:
            self._numbers[_HEADER - 1] = max(0, self._numbers[_HEADER - 1] - 1)
            return
        self._numbers[slot] = 0
        self._free.append(slot)

    def close(self) -> None:
        """Lets go of the file, which stays: a lease may still name this worker, and then it sent nothing for it."""
        self._numbers.release()
        self._memory.close()
        os.close(self._descriptor)


class NoJournal:
    """Stands in where no file could be made: of this worker it is not known what it was sending."""

    def begin(self, delivery_id: int) -> None:
        """Notes nothing."""

    def end(self, delivery_id: int) -> None:
        """Notes nothing."""

    def close(self) -> None:
        """Does nothing."""


class Journals:
    """The journals of all workers at one database, dead ones too."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._start = machine_start()

    def was_sending(self, worker: str, delivery_id: int) -> bool | None:
        """Whether that worker was sending the delivery when it ended; None where that is not known."""
        try:
            data = (self._folder / worker).read_bytes()
        except (OSError, ValueError):
            return None
        if len(data) != _OCTETS or data[: 2 * _WIDTH] != self._start or not any(self._start):
            return None
        wanted = delivery_id.to_bytes(_WIDTH, sys.byteorder)
        at = data.find(wanted, _HEADER * _WIDTH)
        while at > 0 and at % _WIDTH:
            at = data.find(wanted, at + 1)
        if at > 0:
            return True
        return None if any(data[2 * _WIDTH : _HEADER * _WIDTH]) else False

    def remove_old(self, before: Instant, *, most: int = KEPT_FILES) -> int:
        """Removes the files, not touched since then, of workers that are gone, and the oldest beyond ``most``; how many.

        ``before`` must lie so far back that all they had under lease has run out of time.
        """
        try:
            files = sorted(((path.stat().st_mtime * SECOND, path) for path in self._folder.iterdir()), reverse=True)
        except OSError:  # there is no folder yet, or another worker is removing
            return 0
        return sum(_remove_dead(path) for place, (at, path) in enumerate(files) if at < before or place >= most)


def journals_folder(database: Path) -> Path:
    """Where the journals of a database's workers lie."""
    return database.with_name(database.name + ".sending")


def machine_start() -> bytes:
    """Sixteen octets that are others after each start of the machine; zeros on a system that does not tell."""
    try:
        return bytes.fromhex(_START_ID.read_text("ascii").strip().replace("-", ""))
    except (OSError, ValueError):
        return bytes(2 * _WIDTH)


def reserve_octets(descriptor: int, octets: int) -> None:
    """Makes a file so long, with its place on the disk: writing to shared memory over a full disk kills the process.

    Raises:
        OSError: there is no room.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, octets)
    else:  # macOS
        os.ftruncate(descriptor, octets)


def _remove_dead(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # a live worker holds it
        path.unlink()
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
