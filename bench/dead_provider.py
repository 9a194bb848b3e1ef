"""A provider whose servers never say a word, with 100,000 messages due to it, beside mail to a provider that answers.

The healthy mail comes at a steady pace over one SMTP connection; of each message the time from the client's last octet
to the healthy receiver's is taken, without the queue and with it.
"""

import argparse
import asyncio
import base64
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backlog import Backlog
from drive import Sink, arrived, running_sink
from service import CONFIGURATION_SET, DOMAIN, KEY, Service, Setup

from waybill.lab.dns import LabDns
from waybill.submission.password import smtp_password

DEAD = "dead.bench.example"
HEALTHY = "healthy.bench.example"
ZONES = {
    DEAD: ["MX 10 mx.dead.bench.example"],
    "mx.dead.bench.example": ["A 127.0.0.2"],
    HEALTHY: ["MX 10 mx.bench.example"],
    "mx.bench.example": ["A 127.0.0.1"],
}
TEXT = "The quick brown fox jumps over the lazy dog, and then does it once more.\r\n" * 68


@contextmanager
def silent_server(port: int) -> Iterator[None]:
    """Takes connections at the dead provider's address, and says nothing."""
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.2", port))
        listening.listen(1_000)
        yield


async def send_steadily(port: int, arguments: argparse.Namespace) -> list[float]:
    """Sends the healthy mail; how many seconds each message waited to be accepted. Raises: RuntimeError: one was not."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    secret = base64.b64encode(f"\0{KEY.name}\0{smtp_password(KEY.secret, 'us-east-1')}".encode()).decode()
    await _said(reader, b"220")
    for command, code in (("EHLO load.bench.example", b"250"), (f"AUTH PLAIN {secret}", b"235")):
        writer.write(f"{command}\r\n".encode())
        await _said(reader, code)
    waits = []
    began = time.monotonic()
    for number in range(arguments.messages):
        await asyncio.sleep(max(0.0, began + number / arguments.rate - time.monotonic()))
        to = f"user{number}@{HEALTHY}"
        writer.write(f"MAIL FROM:<bench@{DOMAIN}>\r\nRCPT TO:<{to}>\r\nDATA\r\n".encode())
        for code in (b"250", b"250", b"354"):
            await _said(reader, code)
        sent = time.time()
        head = f"From: bench@{DOMAIN}\r\nTo: {to}\r\nSubject: Bench {number}\r\nX-SES-CONFIGURATION-SET: {CONFIGURATION_SET}\r\n"
        writer.write(f"{head}X-Bench-Sent: {sent:.6f}\r\n\r\n{TEXT}.\r\n".encode())
        await _said(reader, b"250")
        waits.append(time.time() - sent)
    writer.close()
    return waits


async def _said(reader: asyncio.StreamReader, code: bytes) -> None:
    line = await asyncio.wait_for(reader.readline(), 60)
    while line[3:4] == b"-":
        line = await reader.readline()
    if not line.startswith(code):
        raise RuntimeError(f"wanted {code.decode()}, got {line.decode('latin-1').strip()}")


async def measure(arguments: argparse.Namespace, queued: int) -> dict[str, Any]:
    """The figures of one run with so many messages due to the dead provider."""
    with tempfile.TemporaryDirectory(prefix="waybill-bench-", dir=arguments.data) as folder:
        async with LabDns(ZONES) as dns, running_sink("--lateness") as sink:
            with silent_server(sink.port):
                setup = Setup(
                    data=Path(folder),
                    workers=arguments.workers,
                    signing="rsa",
                    events=True,
                    dns=dns.address,
                    sink_port=sink.port,
                )
                backlog = Backlog(count=queued, domains=(DEAD,), spread=0)
                service = await Service.start(setup, fill=backlog.fill if queued else None)
                try:
                    return await _run(arguments, service, sink)
                finally:
                    await service.stop()


async def _run(arguments: argparse.Namespace, service: Service, sink: Sink) -> dict[str, Any]:
    await asyncio.sleep(arguments.settle)  # the workers take up the queue
    waits = sorted(await send_steadily(service.smtp, arguments))
    counts = await arrived(sink, arguments.messages, arguments.patience)
    peak = max(usage.peak_mib for name, usage in service.usage().items() if name.startswith("worker"))
    return {
        "accept_p50_ms": round(waits[len(waits) // 2] * 1000, 1),
        "accept_p99_ms": round(waits[len(waits) * 99 // 100] * 1000, 1),
        "late_p50_ms": round(counts["late_p50"] * 1000, 1),
        "late_p99_ms": round(counts["late_p99"] * 1000, 1),
        "late_most_ms": round(counts["late_most"] * 1000, 1),
        "worker_peak_mib": round(peak),
    }


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queued", type=int, default=100_000, help="for the dead provider (default: %(default)s)")
    parser.add_argument("--messages", type=int, default=2_000, help="to the healthy one")
    parser.add_argument("--rate", type=float, default=50.0, help="of the healthy mail, in messages a second")
    parser.add_argument("--settle", type=float, default=5.0, help="seconds before the first healthy message")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--patience", type=float, default=60.0)
    parser.add_argument("--data", type=Path, default=Path("/var/tmp"), help="folder on a real disk")
    return parser.parse_args()


async def main() -> None:
    """Runs it without the queue and with it."""
    arguments = parse_arguments()
    print(
        "| queued for the dead provider | accept p50 ms | p99 | accepted to delivered p50 ms | p99 | most | worker peak MiB |"
    )
    print("|---|---|---|---|---|---|---|")
    for queued in (0, arguments.queued):
        figures = await measure(arguments, queued)
        print(f"| {queued:,} | {' | '.join(f'{value:g}' for value in figures.values())} |", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
