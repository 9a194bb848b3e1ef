"""A number in memory shared by all processes at one database, which changes whenever a resource has changed.

Every send reads the same five or six resources. As long as the number is the same, so are they, and SQLite need not be
asked: each question lets go of Python's lock, and beside busy threads it costs ten times its own time to get it back.
"""

import mmap
import os
import time
from pathlib import Path

from waybill.store.sending import reserve_octets

_OCTETS = 8


class Generation:
    """The number. It lives in a file only so that it can be shared; what it is says nothing.

    Raises:
        OSError: the file cannot be made or opened.
    """

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            reserve_octets(descriptor, _OCTETS)
            self._shared = mmap.mmap(descriptor, _OCTETS)
        finally:
            os.close(descriptor)

    def read(self) -> bytes:
        """The number now. Read before the database is asked, it is never newer than the answer."""
        return b"" if self._shared.closed else self._shared[:]

    def change(self) -> None:
        """Makes it another one; to be called once the change is on disk, and before its caller hears so."""
        if not self._shared.closed:
            self._shared[:] = time.time_ns().to_bytes(_OCTETS, "little")

    def close(self) -> None:
        """Lets go of the file."""
        self._shared.close()


def generation_path(database: Path) -> Path:
    """Where the number of a database lies."""
    return database.with_name(database.name + ".generation")
