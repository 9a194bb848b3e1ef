"""Takes a request body in: counted, hashed while it comes, and on disk instead of in memory where it is large."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, BinaryIO, TypeAlias, TypeVar

T = TypeVar("T")
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]

IN_MEMORY = 256 * 1024


class TooLong(Exception):  # noqa: N818 - a state of the request
    """The body is longer than allowed; ``size`` is what the client declared, or what had come until then."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the body has {size} bytes")
        self.size = size


class TooMuchInFlight(Exception):  # noqa: N818 - a state of the process
    """All requests together hold as many bytes as the process may."""


class ClientGone(Exception):  # noqa: N818 - a state of the connection
    """The client closed the connection before the body was whole."""


class TooSlow(Exception):  # noqa: N818 - a state of the request
    """The body did not come in time."""


@dataclass(kw_only=True, slots=True)
class InFlight:
    """The bytes of bodies that the process holds at this moment, and how many it may."""

    limit: int
    held: int = 0

    def take(self, size: int) -> None:
        """Raises: TooMuchInFlight."""
        if self.held + size > self.limit:
            raise TooMuchInFlight
        self.held += size


@dataclass(kw_only=True, slots=True)
class Body:
    """A body: its size and, once it is whole, the hexadecimal SHA-256 that the signature covers."""

    in_flight: InFlight
    size: int = 0
    sha256: str = ""
    _parts: list[bytes] = field(default_factory=list)
    _file: BinaryIO | None = None

    @property
    def large(self) -> bool:
        """Whether it lies on disk."""
        return self._file is not None

    def add(self, part: bytes) -> None:
        """Raises: TooMuchInFlight."""
        self.in_flight.take(len(part))
        self.size += len(part)
        if self._file is not None:
            self._file.write(part)
            return
        self._parts.append(part)
        if self.size > IN_MEMORY:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
            self._file.writelines(self._parts)
            self._parts.clear()

    async def apply(self, read: Callable[[bytes], T]) -> T:
        """What ``read`` makes of the body; a large one is read in a thread, so that the others do not wait."""
        if self._file is None:
            return read(b"".join(self._parts))
        return await asyncio.to_thread(lambda: read(self._read_file()))

    def _read_file(self) -> bytes:
        assert self._file is not None
        self._file.seek(0)
        return self._file.read()

    def close(self) -> None:
        """Throws the body away."""
        self.in_flight.held -= self.size
        if self._file is not None:
            self._file.close()


async def receive_body(
    receive: Receive, *, declared: int | None, limit: int, timeout_s: float, in_flight: InFlight
) -> Body:
    """The body of an ASGI request; the caller closes it.

    Nothing is read of a body that is declared longer than ``limit``.

    Raises:
        TooLong: more than ``limit`` bytes were declared, or came.
        TooMuchInFlight: the process holds too much already.
        TooSlow: the body took longer than ``timeout_s`` seconds.
        ClientGone: the connection ended.
    """
    if declared is not None and declared > limit:
        raise TooLong(declared)
    body = Body(in_flight=in_flight)
    try:
        async with asyncio.timeout(timeout_s):
            await _fill(body, receive, limit)
    except TimeoutError:
        body.close()
        raise TooSlow from None
    except BaseException:
        body.close()
        raise
    return body


async def _fill(body: Body, receive: Receive, limit: int) -> None:
    digest, more = sha256(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part, more = message.get("body", b""), message.get("more_body", False)
        if body.size + len(part) > limit:
            raise TooLong(body.size + len(part))
        digest.update(part)
        body.add(part)
    body.sha256 = digest.hexdigest()
