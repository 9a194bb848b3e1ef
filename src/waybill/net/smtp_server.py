"""An SMTP server: listens, counts connections, and gives each its session; doors decide by a ``Policy``."""

import asyncio
import socket
from collections.abc import Callable

from waybill.net.smtp_command import ReversePath
from waybill.net.smtp_policy import OK, Answer, Envelope, Policy, SessionConfig, SessionLimits
from waybill.net.smtp_session import SmtpSession
from waybill.net.smtp_stream import Peer, SmtpStream

__all__ = [
    "OK",
    "Answer",
    "Envelope",
    "Peer",
    "Policy",
    "ReversePath",
    "SessionConfig",
    "SessionLimits",
    "SmtpServer",
]


class SmtpServer:
    """Serves SMTP (RFC 5321) on one port. ``open_policy`` makes the policy of a new connection."""

    def __init__(
        self, *, config: SessionConfig, open_policy: Callable[[Peer], Policy], max_connections: int = 1000
    ) -> None:
        self._config = config
        self._open_policy = open_policy
        self._max_connections = max_connections
        self._server: asyncio.Server | None = None
        self._sessions: dict[asyncio.Task[None], SmtpStream] = {}

    async def start(self, *, host: str = "127.0.0.1", port: int = 0, sock: socket.socket | None = None) -> None:
        """Listens on host and port, or on a socket that is bound already. Raises: OSError where that is impossible."""
        loop = asyncio.get_running_loop()
        if sock is not None:
            self._server = await loop.create_server(lambda: SmtpStream(loop, self._connected), sock=sock, backlog=1024)
        else:
            self._server = await loop.create_server(
                lambda: SmtpStream(loop, self._connected), host=host, port=port, backlog=1024
            )

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        assert self._server is not None
        name = self._server.sockets[0].getsockname()
        return name[0], name[1]

    @property
    def connections(self) -> int:
        """How many connections are served now."""
        return len(self._sessions)

    async def close(self, grace: float = 10.0) -> None:
        """Listens no longer, ends sessions between two commands with 421, gives the others ``grace`` seconds to finish."""
        if self._server is not None:
            self._server.close()
        for stream in self._sessions.values():
            stream.end_service()
        if self._sessions:
            _, late = await asyncio.wait(self._sessions, timeout=grace)
            for task in late:
                self._sessions[task].abort()
                task.cancel()
            if late:
                await asyncio.wait(late)

    def _connected(self, stream: SmtpStream) -> None:
        if len(self._sessions) >= self._max_connections:
            stream.say(b"421 Too many concurrent SMTP connections\r\n")
            stream.close()
            return
        session = SmtpSession(stream, self._open_policy(stream.peer), self._config)
        task = asyncio.create_task(session.run(), name=f"smtp {stream.peer.ip}:{stream.peer.port}")
        self._sessions[task] = stream
        task.add_done_callback(self._sessions.pop)
