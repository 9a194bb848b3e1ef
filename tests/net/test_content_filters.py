"""Rspamd and SpamAssassin: real ones where they are installed, and answers that no real one gives."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.mail.lint.messages import both, header
from tests.net.filter_daemons import RSPAMD, RULES, SPAMD, rspamd, spamd
from waybill.model.content import ContentExamined, Severity
from waybill.net.content_filter import ContentFilter, FilterUnavailable, Question
from waybill.net.rspamd import Rspamd, read_answer
from waybill.net.spamd import SpamAssassin, read_report

SHOUTING = (
    header(Subject="LAST CHANCE TODAY BUY NOW")
    + 'Content-Type: text/html\r\n\r\n<p>Buy now</p><a href="http://203.0.113.80/x">https://bank.example.com/login</a>\r\n'
).encode()


def question(content: bytes) -> Question:
    return Question(
        message_id="0100-1", sender="orders@shop.example", recipients=("anna.k@firma.example",), content=content
    )


@pytest.mark.skipif(RSPAMD is None or not RULES.exists(), reason="Rspamd is not installed")
async def test_real_rspamd(tmp_path: Path) -> None:
    """A verdict with the symbols that weigh, the heaviest first; good mail gets less."""
    with rspamd(tmp_path) as url:
        client = Rspamd(url)
        bad, good = await client.examine(question(SHOUTING)), await client.examine(question(both()))
        await client.close()
    assert bad.by.startswith("rspamd 3.") or bad.by.startswith("rspamd ")
    assert (15.0, True) == (bad.threshold, bad.score is not None and good.score is not None and bad.score > good.score)
    symbols = {finding.id: finding for finding in bad.findings}
    assert {"PHISHING", "SUBJ_ALL_CAPS", "HTTP_TO_IP"} <= set(symbols)
    assert "PHISHING: Phished URL" == symbols["PHISHING"].text
    assert "203.0.113.80" in str(symbols["PHISHING"].where)
    scores = [finding.score or 0 for finding in bad.findings]
    assert sorted(scores, reverse=True) == scores
    assert min(scores) > 0


@pytest.mark.skipif(SPAMD is None, reason="spamd is not installed")
async def test_real_spamassassin(tmp_path: Path) -> None:
    """A verdict with the rules that weigh, their whole descriptions, and the version that gave it."""
    with spamd(tmp_path) as port:
        client = SpamAssassin("127.0.0.1", port)
        bad, good = await client.examine(question(SHOUTING)), await client.examine(question(both()))
        await client.close()
    assert bad.by.startswith("spamassassin ")
    assert bad.by[13:14].isdigit()
    assert 5.0 == bad.threshold
    assert bad.score is not None
    assert good.score is not None
    assert bad.score > good.score
    symbols = {finding.id: finding for finding in bad.findings}
    assert "SUBJ_ALL_CAPS: Subject is all capitals" == symbols["SUBJ_ALL_CAPS"].text
    assert (
        "NORMAL_HTTP_TO_IP: URI: URI host has a public dotted-decimal IPv4 address" == symbols["NORMAL_HTTP_TO_IP"].text
    )


@contextlib.asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[int]:
    """A server that reads what comes and answers always the same; nothing: it never answers."""

    served: set[asyncio.Task[None] | None] = set()
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.add(asyncio.current_task())
        with contextlib.suppress(OSError):
            await reader.read(65_536)
            writer.write(answer)
            if not answer:
                await ended.wait()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        ended.set()
        server.close()
        await server.wait_closed()
        await asyncio.gather(*(task for task in served if task is not None))


HTTP = b"HTTP/1.1 %d X\r\nServer: rspamd/3.4\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
FAULTS: list[tuple[str, bytes, str]] = [
    ("rspamd", b"", "did not answer in 0.2 s"),
    ("rspamd", HTTP % (403, 2, b"no"), "answered 403: no"),
    ("rspamd", HTTP % (200, 2, b"no"), "cannot be read"),
    ("rspamd", HTTP % (200, 13, b'{"action": 1}'), "cannot be read"),
    ("rspamd", b"garbage\r\n\r\n", "could not be asked"),
    ("spamassassin", b"", "did not answer in 0.2 s"),
    ("spamassassin", b"HTTP/1.1 400 no\r\n\r\n", "none of spamd's"),
    ("spamassassin", b"SPAMD/1.0 76 Bad header line: x\r\n", "answered 76 Bad header line: x"),
    ("spamassassin", b"SPAMD/1.1 0 EX_OK\r\n\r\nno verdict", "no verdict"),
]


def client_of(name: str, port: int) -> ContentFilter:
    return (
        Rspamd(f"http://127.0.0.1:{port}", seconds=0.2)
        if name == "rspamd"
        else SpamAssassin("127.0.0.1", port, seconds=0.2)
    )


@pytest.mark.parametrize(("name", "answer", "words"), FAULTS)
async def test_no_verdict(name: str, answer: bytes, words: str) -> None:
    """What is no verdict is told in words."""
    async with answering(answer) as port:
        client = client_of(name, port)
        with pytest.raises(FilterUnavailable, match=words):
            await client.examine(question(both()))
        await client.close()


@pytest.mark.parametrize("name", ["rspamd", "spamassassin"])
async def test_nobody_there(name: str) -> None:
    """So is that nobody listens."""
    async with answering(b"x") as port:
        pass
    client = client_of(name, port)
    with pytest.raises(FilterUnavailable, match="could not be asked"):
        await client.examine(question(both()))
    await client.close()


def test_weights() -> None:
    """Points become weights; what takes points away is no finding."""
    symbols = {
        "A": {"score": 4},
        "B": {"score": 1.5, "options": ["x"]},
        "C": {"score": 0.2, "description": "c"},
        "D": {"score": -2},
    }
    body = json.dumps({"score": 3.7, "required_score": 15, "action": "no action", "symbols": symbols}).encode()
    fact = read_answer(body, "rspamd/3.4")
    assert [("A", Severity.HIGH), ("B", Severity.MEDIUM), ("C", Severity.LOW)] == [
        (f.id, f.severity) for f in fact.findings
    ]
    assert ("rspamd 3.4", 3.7, 15.0, "no action") == (fact.by, fact.score, fact.threshold, fact.action)


READERS: list[Callable[[bytes], ContentExamined]] = [
    lambda body: read_answer(body, "rspamd"),
    lambda body: read_report(body, ""),
    lambda body: read_report(b"SPAMD/1.1 0 EX_OK\r\nSpam: True ; 9.1 / 5.0\r\n\r\n" + body, "4.0.1"),
]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(READERS),
    st.one_of(
        st.binary(max_size=200),
        st.dictionaries(
            st.sampled_from(["score", "required_score", "action", "symbols"]),
            st.none() | st.floats() | st.just({"A": 1}),
        ).map(lambda value: json.dumps(value).encode()),
    ),
)
def test_any_answer(read: Callable[[bytes], ContentExamined], body: bytes) -> None:
    """An answer is a verdict or is none; nothing else is raised."""
    with contextlib.suppress(FilterUnavailable):
        assert len(read(body).findings) <= 20
