"""An HTTP endpoint that subscribes to topics and keeps what it is sent, as a customer's webhook does."""

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CONFIRMING = "/confirming"
"""Posts to paths that begin so are confirmed at once by opening the SubscribeURL."""


@dataclass(frozen=True, kw_only=True)
class Post:
    """One POST, as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body, which is JSON."""
        decoded: dict[str, Any] = json.loads(self.body)
        return decoded


@dataclass
class Listener:
    """Where it listens and what it got."""

    url: str
    posts: list[Post] = field(default_factory=list)

    def at(self, path: str, kind: str | None = None) -> list[Post]:
        """What came to a path, of one SNS message type."""
        return [
            post
            for post in tuple(self.posts)
            if post.path == path and (kind is None or post.headers.get("x-amz-sns-message-type") == kind)
        ]

    def events(self, message_id: str, path: str = CONFIRMING) -> list[dict[str, Any]]:
        """The SES events about a message, out of their SNS envelopes."""
        found = []
        for post in self.at(path, "Notification"):
            text = post.json["Message"]
            if message_id in text:
                found.append(json.loads(text))
        return found

    def kinds(self, message_id: str, path: str = CONFIRMING) -> list[str]:
        """The types of these events, in the alphabet's order: SES promises none."""
        return sorted(event["eventType"] for event in self.events(message_id, path))


@contextmanager
def listening() -> Iterator[Listener]:
    """The endpoint, open for as long as the block runs."""

    class Take(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            post = Post(path=self.path, headers=headers, body=body)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()
            if post.path.startswith(CONFIRMING) and headers.get("x-amz-sns-message-type") == "SubscriptionConfirmation":
                with urllib.request.urlopen(post.json["SubscribeURL"], timeout=10):
                    pass
            listener.posts.append(post)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the signature is the standard library's
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Take)
    listener = Listener(url=f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield listener
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
