"""Asks Rspamd what it thinks of a message (https://docs.rspamd.com/developers/protocol: ``POST /checkv2``)."""

import json
from typing import Any

import aiohttp

from waybill.model.content import ContentExamined, Finding, Severity
from waybill.net.content_filter import FilterUnavailable, Question

SECONDS = 10.0
MOST_ANSWER = 1024 * 1024
MOST_SYMBOLS = 20
_HIGH, _MEDIUM = 3.0, 1.0


class Rspamd:
    """A normal worker of Rspamd at ``url``, such as ``http://127.0.0.1:11333``."""

    name = "rspamd"

    def __init__(self, url: str, *, seconds: float = SECONDS) -> None:
        self._url = f"{url.rstrip('/')}/checkv2"
        self._timeout = aiohttp.ClientTimeout(total=seconds)
        self._session: aiohttp.ClientSession | None = None

    async def examine(self, question: Question) -> ContentExamined:
        """Its verdict. Raises: FilterUnavailable: it did not give one, or one that cannot be read."""
        headers = {
            "From": _one_line(question.sender),
            "Rcpt": _one_line(question.recipients[0] if question.recipients else ""),
            "Queue-Id": question.message_id,
            "User": "waybill",  # mail of our own users: where it came from is not to be judged
        }
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar())
        try:
            async with self._session.post(self._url, data=question.content, headers=headers) as answer:
                body = b""
                while len(body) < MOST_ANSWER and (more := await answer.content.read(MOST_ANSWER - len(body))):
                    body += more
                server = answer.headers.get("Server", "rspamd")
                status = answer.status
        except TimeoutError:
            raise FilterUnavailable(f"{self._url} did not answer in {self._timeout.total:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise FilterUnavailable(f"{self._url} could not be asked: {error or type(error).__name__}") from None
        if status != 200:
            raise FilterUnavailable(f"{self._url} answered {status}: {body[:200].decode('utf-8', 'replace')}")
        return read_answer(body, server)

    async def close(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()


def _one_line(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())[:1_000]


def read_answer(body: bytes, server: str) -> ContentExamined:
    """The verdict in an answer of ``/checkv2``; symbols that weigh, the heaviest first. Raises: FilterUnavailable."""
    try:
        answer = json.loads(body)
        score, required = float(answer["score"]), float(answer["required_score"])
        action = str(answer["action"])
        symbols = [_read_symbol(name, each) for name, each in answer.get("symbols", {}).items()]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise FilterUnavailable(f"its answer cannot be read: {error!r}") from None
    weighing = sorted((each for each in symbols if (each.score or 0) > 0), key=lambda each: -(each.score or 0))
    version = server.partition("/")[2].strip()[:20]
    return ContentExamined(
        by=f"rspamd {version}".strip(),
        findings=tuple(weighing[:MOST_SYMBOLS]),
        score=round(score, 2),
        threshold=required,
        action=action[:40],
    )


def _read_symbol(name: str, symbol: dict[str, Any]) -> Finding:
    score = round(float(symbol.get("score", 0)), 2)
    options = [str(option) for option in symbol.get("options") or ()]
    description = str(symbol.get("description") or name)
    return Finding(
        id=str(name)[:80],
        severity=severity_of(score),
        text=f"{name[:80]}: {description[:200]}" if description != name else str(name)[:80],
        where=", ".join(options)[:120] or None,
        score=score,
    )


def severity_of(score: float) -> Severity:
    """How much points weigh, where some 5 to 15 are spam."""
    return Severity.HIGH if score >= _HIGH else Severity.MEDIUM if score >= _MEDIUM else Severity.LOW
