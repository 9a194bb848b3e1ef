"""Posting one SNS message to one endpoint, once."""

import base64
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit, urlunsplit

from waybill.net.http_client import HttpAnswer, HttpClient
from waybill.publish.sns import AGENT
from waybill.store.protocol import Notice

SECONDS_TO_ANSWER = 15
"""SNS Developer Guide, "Message delivery retries": an endpoint that has not answered by then has failed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Posted:
    """What became of a post; ``final``: trying again is of no use."""

    taken: bool
    final: bool = False
    error: str | None = None


async def post_envelope(http: HttpClient, endpoint: str, notice: Notice, content_type: str) -> Posted:
    """Posts a rendered message. Credentials in the URL are sent only after a 401 that asks for Basic (RFC 7617)."""
    parts = urlsplit(endpoint)
    host = parts.netloc.rpartition("@")[2]
    url = urlunsplit((parts.scheme, host, parts.path or "/", parts.query, ""))
    headers = {"Content-Type": content_type, "User-Agent": AGENT, **(notice.headers or {})}
    body = notice.body or b""
    answer = await http.post(url, body, headers, seconds=SECONDS_TO_ANSWER)
    asks = answer.status == 401 and (answer.challenge or "").lower().startswith("basic")
    if asks and parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        answer = await http.post(url, body, headers, seconds=SECONDS_TO_ANSWER)
    return _judge(answer)


def _judge(answer: HttpAnswer) -> Posted:
    """SNS tries again after 5xx, 429 and where no answer came; any other status is the endpoint's final word."""
    if answer.ok:
        return Posted(taken=True)
    if answer.status is None:
        return Posted(taken=False, error=answer.error)
    retryable = answer.status == 429 or answer.status >= 500
    return Posted(taken=False, final=not retryable, error=f"the endpoint answered {answer.status}")
