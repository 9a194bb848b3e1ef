"""The scripted receiver and CHUNKING (RFC 3030)."""

import asyncio

import pytest

from waybill.lab.receiver import Receiver
from waybill.lab.script import Offers, Rule, Script
from waybill.model.outcome import Stage

OPENING = b"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@d>\r\n"
LEAVING = b"NOOP\r\nQUIT\r\n"


async def replies(script: Script, octets: bytes) -> tuple[list[str], list[bytes]]:
    """What the receiver says after RCPT, and the contents that it took."""
    async with Receiver(script) as mx:
        reader, writer = await asyncio.open_connection(mx.host, mx.port)
        writer.write(OPENING + octets + LEAVING)
        said = (await asyncio.wait_for(reader.read(-1), 10)).decode().split("\r\n")
        writer.close()
        await writer.wait_closed()
    start = said.index("250 2.1.5 Ok") + 1
    return [line for line in said[start:] if line], [message.content for message in mx.received]


OFFERED = Offers(chunking=True)
END = ["250 2.0.0 Ok", "221 2.0.0 Bye"]


async def test_chunks_make_a_message() -> None:
    """Octet for octet, with no dots taken off, and the next chunk begins another message."""
    octets = b"BDAT 5\r\n.\r\n.\rBDAT 0\r\nBDAT 3 LAST\r\n\n\0\xff"
    said, contents = await replies(Script(offers=OFFERED), octets)
    ok = ["250 2.0.0 5 octets received", "250 2.0.0 0 octets received", "250 2.0.0 Ok: queued"]
    assert (said, contents) == ([*ok, *END], [b".\r\n.\r\n\0\xff"])


@pytest.mark.parametrize(
    ("offers", "octets", "reply"),
    [
        (Offers(), b"BDAT 0 LAST\r\n", "500 5.5.2 Command not recognised"),
        (OFFERED, b"BDAT\r\n", "501 5.5.4 Syntax: BDAT count [LAST]"),
        (OFFERED, b"BDAT x LAST\r\n", "501 5.5.4 Syntax: BDAT count [LAST]"),
        (OFFERED, b"BDAT 1 FIRST\r\n", "501 5.5.4 Syntax: BDAT count [LAST]"),
        (
            Offers(chunking=True, size=3),
            b"BDAT 4 LAST\r\nab\r\n",
            "552 5.3.4 Message size exceeds fixed limit of 3 octets",
        ),
    ],
)
async def test_what_is_refused(offers: Offers, octets: bytes, reply: str) -> None:
    """Not offered, not written as it should be, too large."""
    assert await replies(Script(offers=offers), octets) == ([reply, *END], [])


async def test_without_a_recipient_the_chunk_is_read_all_the_same() -> None:
    """RFC 3030 §2: it is no command, also where there is no transaction."""
    said, contents = await replies(Script(offers=OFFERED), b"RSET\r\nBDAT 6 LAST\r\nQUIT\r\n")
    assert (said, contents) == ([END[0], "503 5.5.1 No valid recipients", *END], [])


@pytest.mark.parametrize("stage", [Stage.DATA, Stage.MESSAGE])
async def test_rules_for_data_and_message_apply(stage: Stage) -> None:
    """That for DATA at the first chunk, that for the message at the last."""
    script = Script(offers=OFFERED, rules=(Rule(stage=stage, reply="452 4.3.1 no room", times=1),))
    said, contents = await replies(script, b"BDAT 2 LAST\r\n\r\n" + OPENING[8:] + b"BDAT 2 LAST\r\n\r\n")
    assert said[0] == "452 4.3.1 no room"
    assert said[-3:] == ["250 2.0.0 Ok: queued", *END]
    assert contents == [b"\r\n"]


@pytest.mark.parametrize(
    "octets", [b"BDAT 99999999999 LAST\r\n", b"BDAT 67108865\r\n", b"BDAT " + b"9" * 5_000 + b"\r\n"]
)
async def test_more_than_it_keeps(octets: bytes) -> None:
    """A message beyond all bounds ends the conversation."""
    said, contents = await replies(Script(offers=OFFERED), octets)
    assert (said, contents) == ([], [])
