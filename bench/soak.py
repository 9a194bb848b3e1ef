"""A bounded soak: mixed receivers for minutes; memory and descriptors stay flat, and every message ends as its receiver's script implies.

``python bench/soak.py --seconds 1200`` is the long form; the test suite runs it for a minute. It exits 1 and says what was wrong
where anything was. Everything it starts is on loopback, and it stops it all.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from service import CONFIGURATION_SET, DOMAIN, KEY, Service, Setup, children_of

from waybill.lab.certificate import self_signed_context
from waybill.lab.dns import LabDns
from waybill.lab.receiver import Receiver
from waybill.lab.script import Offers, Rule, Script
from waybill.model.clock import now
from waybill.model.message import OPEN_STATUSES
from waybill.model.outcome import Stage
from waybill.net.smtp_client import ClientSettings, Envelope, SmtpConnection
from waybill.net.smtp_target import Credentials, SmtpError, Target, TlsMode
from waybill.net.tls import ClientTls
from waybill.store.open import open_store
from waybill.store.protocol import Search
from waybill.submission.password import smtp_password

LIFETIME = 12
CONNECTIONS = 8
SAMPLE_EVERY = 1.0
MORE_MIB = 12.0
MORE_SHARE = 0.12
MORE_DESCRIPTORS = 20
MAIL = b"From: soak@%b\r\nTo: %b\r\nSubject: soak\r\nX-SES-CONFIGURATION-SET: %b\r\n\r\n%b"
TEXT = b"The quick brown fox jumps over the lazy dog.\r\n" * 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One kind of recipient: who receives it, how, and what must have become of it. ``share`` of every 20 messages."""

    domain: str
    share: int
    ends: tuple[str, str, str | None]
    script: Script | None


def parts() -> tuple[Part, ...]:
    """The mixture."""
    taken = ("delivered", "accepted_by_receiver", None)
    scripts = {
        "fast": (9, taken, Script()),
        "slow": (2, taken, Script(rules=(Rule(stage=Stage.MESSAGE, delay=0.4),))),
        "tls": (2, taken, Script(offers=replace(Offers(), starttls=self_signed_context("mx.tls.soak.example")))),
        "grey": (
            2,
            taken,
            Script(rules=(Rule(stage=Stage.RCPT, reply="451 4.7.1 Greylisted, try again in 2 seconds", times=1),)),
        ),
        "gone": (
            1,
            ("bounced", "user_unknown", None),
            Script(rules=(Rule(stage=Stage.RCPT, reply="550 5.1.1 user unknown"),)),
        ),
        "policy": (
            1,
            ("bounced", "policy_rejected", None),
            Script(rules=(Rule(stage=Stage.MESSAGE, reply="550 5.7.1 Message rejected due to local policy"),)),
        ),
        "drops": (1, taken, Script(rules=(Rule(stage=Stage.DATA, disconnect=True, times=1),))),
        "down": (
            1,
            ("bounced", "delivery_expired", "server_unavailable"),
            Script(rules=(Rule(stage=Stage.RCPT, reply="451 4.3.2 System not accepting network messages"),)),
        ),
        "dead": (1, ("bounced", "delivery_expired", "connection_failed"), None),
    }
    return tuple(
        Part(
            domain=f"{name}.soak.example",
            share=share,
            ends=ends,
            script=None if script is None else replace(script, name=f"mx.{name}.soak.example"),
        )
        for name, (share, ends, script) in scripts.items()
    )


@dataclass(kw_only=True, slots=True)
class Sample:
    """What the workers had at one moment."""

    mib: float
    descriptors: int


@dataclass(kw_only=True, slots=True)
class Course:
    """What has been sent and seen until now."""

    sent: dict[str, Part] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


async def soak(seconds: float, rate: float, data: Path) -> dict[str, Any]:
    """Runs it; the figures, and under ``faults`` what was wrong."""
    mixture = parts()
    course = Course()
    async with AsyncExitStack() as running:
        port, receivers = await _receive(mixture, running)
        zones: dict[str, list[str]] = {}
        for number, part in enumerate(mixture, 1):
            zones[part.domain] = [f"MX 10 mx.{part.domain}"]
            zones[f"mx.{part.domain}"] = [f"A 127.0.0.{number}"]
        dns = await running.enter_async_context(LabDns(zones))
        setup = Setup(data=data, workers=2, signing="ed25519", events=True, dns=dns.address, sink_port=port)
        service = await Service.start(
            setup, delivery={"retry": ["1s", "2s"], "max_lifetime": f"{LIFETIME}s", "dane": False, "mta_sts": False}
        )
        try:
            started = time.monotonic()
            sampling = asyncio.create_task(_sample(service.pid, course))
            await _send(service, mixture, course, seconds=seconds, rate=rate)
            await _until_settled(data, course)
            took = time.monotonic() - started
            sampling.cancel()
        finally:
            await service.stop()
        taken = {name: receiver.taken_count for name, receiver in receivers.items()}
    await _check_ends(data, course, taken)
    figures = _check_flat(course)
    return {"seconds": round(took), "sent": len(course.sent), "taken": taken, **figures, "faults": course.faults}


async def _receive(mixture: tuple[Part, ...], running: AsyncExitStack) -> tuple[int, dict[str, Receiver]]:
    """The receivers, all on one port, each on an address of its own; one domain has none."""
    port = 0
    receivers: dict[str, Receiver] = {}
    for number, part in enumerate(mixture, 1):
        if part.script is not None:
            receiver = Receiver(part.script, host=f"127.0.0.{number}", port=port)
            receivers[part.domain] = await running.enter_async_context(receiver)
            port = receiver.port
    return port, receivers


async def _send(service: Service, mixture: tuple[Part, ...], course: Course, *, seconds: float, rate: float) -> None:
    """Submits over SMTP at an even pace, over a few connections."""
    pattern = [part for part in mixture for _ in range(part.share)]
    queue: asyncio.Queue[tuple[str, Part] | None] = asyncio.Queue(maxsize=1_000)
    senders = [asyncio.create_task(_submit(service, queue, course)) for _ in range(CONNECTIONS)]
    began, number = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        part = pattern[number * 7 % len(pattern)]
        await queue.put((f"u{number}@{part.domain}", part))
        number += 1
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
    for _ in senders:
        await queue.put(None)
    await asyncio.gather(*senders)


async def _submit(service: Service, queue: "asyncio.Queue[tuple[str, Part] | None]", course: Course) -> None:
    credentials = Credentials(user=KEY.name, password=smtp_password(KEY.secret, "us-east-1"))
    target = Target(host="localhost", ip="127.0.0.1", port=service.smtp, tls=TlsMode.CLEAR, credentials=credentials)
    settings = ClientSettings(helo="soak.example", tls=ClientTls(clock=now), clock=now)
    connection: SmtpConnection | None = None
    while (item := await queue.get()) is not None:
        recipient, part = item
        content = MAIL % (DOMAIN.encode(), recipient.encode(), CONFIGURATION_SET.encode(), TEXT)
        try:
            if connection is None or not connection.usable:
                connection = await SmtpConnection.open(target, settings=settings, transcript=[])
            connection.wire.transcript = []
            await connection.send(Envelope(mail_from=f"soak@{DOMAIN}", recipient=recipient, content=content))
        except SmtpError as error:
            course.refused.append(f"{recipient}: {error.text}")
            connection = None
        else:
            course.sent[recipient] = part
    if connection is not None:
        await connection.quit()


async def _sample(pid: int, course: Course) -> None:
    while True:
        workers = children_of(pid)
        course.samples.append(
            Sample(
                mib=sum(_resident_mib(each) for each in workers),
                descriptors=sum(_descriptors(each) for each in workers),
            )
        )
        await asyncio.sleep(SAMPLE_EVERY)


def _descriptors(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def _resident_mib(pid: int) -> float:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


async def _until_settled(data: Path, course: Course) -> None:
    """Waits until nothing is open any more, for three lifetimes at most."""
    store = await open_store(f"sqlite:///{data}/waybill.db", clock=now)
    try:
        for _ in range(3 * LIFETIME):
            health = await store.health()
            if not sum(health.deliveries.get(status, 0) for status in OPEN_STATUSES) and not health.notices:
                return
            await asyncio.sleep(1)
        course.faults.append("messages or events were still waiting long after their time")
    finally:
        await store.close()


async def _check_ends(data: Path, course: Course, taken: dict[str, int]) -> None:
    """Every message that was acknowledged has ended as its receiver's script implies, and its events were published."""
    store = await open_store(f"sqlite:///{data}/waybill.db", clock=now)
    found = await store.find(Search(limit=len(course.sent) + 1_000))
    await store.close()
    ends = {hit.delivery.recipient: hit.delivery for hit in found}
    wrong: Counter[str] = Counter()
    delivered: Counter[str] = Counter()
    for recipient, part in course.sent.items():
        end = ends.get(recipient)
        got = (
            None
            if end is None
            else (end.status.value, str(end.cause), end.underlying_cause and str(end.underlying_cause))
        )
        if got != part.ends:
            wrong[f"{part.domain}: {got} instead of {part.ends}"] += 1
        elif part.ends[0] == "delivered":
            delivered[part.domain] += 1
    course.faults += [f"{count} to {what}" for what, count in wrong.most_common(10)]
    course.faults += [f"refused at submission: {what}" for what in course.refused[:5]]
    if len(found) > len(course.sent) + len(course.refused):
        course.faults.append(f"{len(found)} in the ledger, {len(course.sent)} were sent")
    for domain, count in delivered.items():
        if taken[domain] != count:
            course.faults.append(f"{domain} took {taken[domain]} messages, {count} were delivered")
    told: Counter[str] = Counter()
    with (data / "events.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            told[json.loads(line)["eventType"]] += 1
    expected = {"Send": len(course.sent), "Delivery": sum(delivered.values())}
    course.faults += [
        f"{told[kind]} {kind} events for {count}" for kind, count in expected.items() if told[kind] < count
    ]


def _check_flat(course: Course) -> dict[str, Any]:
    """Compares the last quarter of the time with the second, when every cache has seen its first entries."""
    quarter = len(course.samples) // 4
    early, late = course.samples[quarter : 2 * quarter], course.samples[-quarter:]
    mib = [statistics.median(sample.mib for sample in samples) for samples in (early, late)]
    descriptors = [statistics.median(sample.descriptors for sample in samples) for samples in (early, late)]
    if mib[1] > mib[0] + max(MORE_MIB, MORE_SHARE * mib[0]):
        course.faults.append(f"memory grew from {mib[0]:.0f} to {mib[1]:.0f} MiB")
    if descriptors[1] > descriptors[0] + MORE_DESCRIPTORS:
        course.faults.append(f"descriptors grew from {descriptors[0]:.0f} to {descriptors[1]:.0f}")
    minutes = course.samples[:: round(60 / SAMPLE_EVERY)]
    return {
        "mib": [round(each, 1) for each in mib],
        "mib_by_minute": [round(sample.mib) for sample in minutes],
        "descriptors": [round(each) for each in descriptors],
    }


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=float, default=40, help="messages a second")
    parser.add_argument("--data", default="/var/tmp", help="a folder on the disk to use")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="waybill-soak-", dir=arguments.data) as folder:
        figures = asyncio.run(soak(arguments.seconds, arguments.rate, Path(folder)))
    print(json.dumps(figures, indent=2))
    sys.exit(1 if figures["faults"] else 0)


if __name__ == "__main__":
    main()
