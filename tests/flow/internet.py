"""A small internet in a thread of its own: one DNS server and one receiver, so that tests may block on boto3 and smtplib."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from waybill.lab.dns import LabDns, Zones
from waybill.lab.feedback import Feedback
from waybill.lab.receiver import Received, Receiver
from waybill.lab.script import AfterEffect, Rule, Script
from waybill.model.outcome import Stage

T = TypeVar("T")

MX = "mx.customer.example"
DOMAINS = ("customer.example", "reader.example", "shop.example")

RULES = (
    Rule(stage=Stage.RCPT, recipient="gone*@*", reply="550 5.1.1 user unknown"),
    Rule(stage=Stage.RCPT, recipient="returned*@*", reply="550 5.1.1 user unknown", times=1),
    Rule(
        stage=Stage.RCPT,
        recipient="listed*@*",
        reply="554 5.7.1 Service unavailable; Client host [127.0.0.1] blocked using zen.spamhaus.org",
    ),
    Rule(
        stage=Stage.MESSAGE,
        recipient="spammy*@*",
        reply="550 5.7.1 This message has been blocked, likely unsolicited mail",
    ),
    Rule(stage=Stage.MESSAGE, recipient="policy*@*", reply="550 5.7.1 Message rejected due to local policy"),
    Rule(
        stage=Stage.MESSAGE,
        recipient="unauthenticated*@*",
        reply="550 5.7.26 This mail has been blocked because the sender is unauthenticated.",
    ),
    Rule(stage=Stage.RCPT, recipient="waiting*@*", reply="451 4.3.2 System not accepting network messages"),
    Rule(stage=Stage.RCPT, recipient="soon*@*", reply="451 4.3.2 System not accepting network messages", times=1),
    Rule(stage=Stage.MESSAGE, recipient="angry*@*", after=AfterEffect.COMPLAINT),
    Rule(stage=Stage.MESSAGE, recipient="late*@*", after=AfterEffect.BOUNCE),
    Rule(stage=Stage.MESSAGE, recipient="away*@*", after=AfterEffect.AUTO_REPLY),
    Rule(stage=Stage.MESSAGE, recipient="slow*@*", delay=1.0),
)


class Internet:
    """The running servers, as a test sees them."""

    def __init__(self, loop: asyncio.AbstractEventLoop, dns: LabDns, receiver: Receiver) -> None:
        self._loop = loop
        self._dns = dns
        self._receiver = receiver
        self._table: dict[str, list[str]] = {MX: ["A 127.0.0.1"]}
        self._table |= {domain: [f"MX 10 {MX}"] for domain in DOMAINS}
        self._dns.zones = Zones(self._table)

    @property
    def dns(self) -> str:
        """Where the DNS server listens."""
        return self._dns.address

    @property
    def smtp_port(self) -> int:
        """Where the receiver listens."""
        return self._receiver.port

    def publish(self, name: str, *records: str) -> None:
        """Adds records to the DNS."""
        self._table.setdefault(name.rstrip("."), []).extend(records)
        self._dns.zones = Zones(self._table)

    def txt(self, name: str) -> list[str]:
        """The TXT records of a name, as they were published."""
        lines = self._table.get(name.rstrip("."), [])
        return [line.removeprefix("TXT ") for line in lines if line.startswith("TXT ")]

    def received(self, recipient: str) -> list[Received]:
        """The messages taken for a recipient, oldest first."""
        return [message for message in tuple(self._receiver.received) if recipient in message.recipients]


@contextmanager
def small_internet(feedback_port: int) -> Iterator[Internet]:
    """The internet, up for as long as the block runs. What comes home is posted to ``feedback_port``."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="internet")
    thread.start()

    def run(work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result(10)

    async def start() -> tuple[LabDns, Receiver]:
        dns = LabDns({})
        receiver = Receiver(
            Script(name=MX, domains=DOMAINS, rules=RULES),
            feedback=Feedback(host="127.0.0.1", port=feedback_port, delay=0.1),
        )
        await dns.start()
        await receiver.start()
        return dns, receiver

    dns, receiver = run(start())
    try:
        yield Internet(loop, dns, receiver)
    finally:
        run(receiver.close())
        run(dns.close())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
