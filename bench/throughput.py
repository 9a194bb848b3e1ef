"""Measures the whole way of a message: accepted, stored, signed, delivered, settled, published.

``make bench`` runs it small. Everything is real: the process tree of ``waybill serve``, SQLite with synchronous=FULL
on a disk, signed requests, SMTP out to a sink in another process. Everything it starts, it stops.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from drive import Sink, arrived, running_sink, send
from load import DOMAINS, SIZE, Job
from service import CONFIGURATION_SET, DOMAIN, KEY, Service, Setup, usage_of, used_between

from waybill.lab.dns import LabDns
from waybill.submission.password import smtp_password

REGION = "us-east-1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One thing to measure."""

    protocol: str
    workers: int
    signing: str
    events: bool
    size: int = SIZE

    @property
    def name(self) -> str:
        """The case in words."""
        signed = "unsigned" if self.signing == "none" else self.signing
        size = f", {self.size:,} octets" if self.size != SIZE else ""
        workers = f"{self.workers} worker{'s' * (self.workers > 1)}"
        return f"{self.protocol}, {workers}, {signed}{size}{', no events' * (not self.events)}"


async def measure(
    case: Case, arguments: argparse.Namespace, fill: Callable[[Path], None] | None = None
) -> dict[str, Any]:
    """The figures of one run, on a store that ``fill`` has filled. Raises: RuntimeError: a message was refused, or did not arrive in time."""
    zones = {f"sink{number}.bench.example": ["MX 10 mx.bench.example"] for number in range(DOMAINS)}
    with tempfile.TemporaryDirectory(prefix="waybill-bench-", dir=arguments.data) as folder:
        async with LabDns(zones | {"mx.bench.example": ["A 127.0.0.1"]}) as dns, running_sink() as sink:
            setup = Setup(
                data=Path(folder),
                workers=case.workers,
                signing=case.signing,
                events=case.events,
                dns=dns.address,
                sink_port=sink.port,
                profiles=arguments.profiles,
            )
            service = await Service.start(setup, fill=fill)
            try:
                return await _run(case, arguments, service, sink)
            finally:
                await service.stop()


async def _run(case: Case, arguments: argparse.Namespace, service: Service, sink: Sink) -> dict[str, Any]:
    await _load(case, arguments, service, arguments.warm_up)
    await arrived(sink, arguments.warm_up, arguments.patience)
    await asyncio.sleep(1.0)
    before, sink_before = service.usage(), usage_of(sink.process.pid)
    counts_before = await sink.counts()
    load = await _load(case, arguments, service, arguments.messages)
    counts = await arrived(sink, arguments.warm_up + arguments.messages, arguments.patience)
    await asyncio.sleep(1.0)  # the last settlements and events
    used = used_between(before, service.usage())
    sink_cpu = usage_of(sink.process.pid).cpu - sink_before.cpu
    workers_cpu = sum(usage["cpu"] for name, usage in used.items() if name.startswith("worker"))
    began = load["first_sent_at"]
    return {
        "case": case.name,
        **asdict(case),
        "messages": arguments.messages,
        "accepted_per_second": round(arguments.messages / (load["last_accepted_at"] - began)),
        "delivered_per_second": round(arguments.messages / (counts["last_at"] - began)),
        "accept_p50_ms": round(load["wait_p50"] * 1000, 1),
        "accept_p99_ms": round(load["wait_p99"] * 1000, 1),
        "worker_cpu_us_per_message": round(workers_cpu / arguments.messages * 1e6),
        "sink_cpu_us_per_message": round(sink_cpu / arguments.messages * 1e6),
        "load_cpu_us_per_message": round(load["cpu"] / arguments.messages * 1e6),
        "signed": counts["signed"] - counts_before["signed"],
        "processes": used,
    }


async def _load(case: Case, arguments: argparse.Namespace, service: Service, count: int) -> dict[str, Any]:
    job = Job(
        host="127.0.0.1",
        port=service.http if case.protocol == "api" else service.smtp,
        count=count,
        connections=arguments.connections,
        sender=f"bench@{DOMAIN}",
        size=case.size,
        configuration_set=CONFIGURATION_SET,
        key=KEY.name,
        secret=KEY.secret,
        password=smtp_password(KEY.secret, REGION),
        region=REGION,
    )
    try:
        return await send(job, case.protocol, arguments.patience)
    except RuntimeError as error:
        raise RuntimeError(f"{case.name}: {error}") from None


def median_of(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The run's figures, each the median of all runs; memory is the most of any."""
    figures = dict(runs[0])
    for name, value in runs[0].items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            figures[name] = statistics.median(run[name] for run in runs)
    figures["processes"] = {
        name: {
            "cpu": round(statistics.median(run["processes"][name]["cpu"] for run in runs), 2),
            "peak_mib": max(run["processes"][name]["peak_mib"] for run in runs),
        }
        for name in runs[0]["processes"]
    }
    figures["runs"] = [[run["accepted_per_second"], run["delivered_per_second"]] for run in runs]
    return figures


COLUMNS = (
    ("accepted/s", "accepted_per_second"),
    ("delivered/s", "delivered_per_second"),
    ("accept p50 ms", "accept_p50_ms"),
    ("p99 ms", "accept_p99_ms"),
    ("worker CPU µs/msg", "worker_cpu_us_per_message"),
    ("sink", "sink_cpu_us_per_message"),
    ("load", "load_cpu_us_per_message"),
)


def table(results: list[dict[str, Any]]) -> str:
    """The results in Markdown."""
    lines = [
        "| case | " + " | ".join(title for title, _ in COLUMNS) + " | worker peak MiB |",
        "|---" * (len(COLUMNS) + 2) + "|",
    ]
    for result in results:
        peak = max(usage["peak_mib"] for name, usage in result["processes"].items() if name.startswith("worker"))
        values = " | ".join(f"{result[key]:g}" for _, key in COLUMNS)
        lines.append(f"| {result['case']} | {values} | {peak:.0f} |")
    return "\n".join(lines)


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--protocols", nargs="+", choices=["smtp", "api"], default=["smtp", "api"])
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--signing", nargs="+", choices=["rsa", "ed25519", "none"], default=["rsa"])
    parser.add_argument("--sizes", nargs="+", type=int, default=[SIZE], help="octets of a message's text")
    parser.add_argument("--no-events", action="store_true", help="publish nothing; else a file of JSON lines")
    parser.add_argument("--messages", type=int, default=3_000, help="in a run (default: %(default)s)")
    parser.add_argument("--warm-up", type=int, default=200, help="sent before the clock starts")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--patience", type=float, default=60.0, help="seconds after which a run is given up")
    parser.add_argument("--data", type=Path, help="folder for the stores, on a real disk (default: /var/tmp)")
    parser.add_argument("--profiles", type=Path, help="profile the workers' threads into this folder (slow)")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    arguments.data = arguments.data or Path("/var/tmp")
    return arguments


async def main() -> None:
    """Runs every case and prints the table."""
    arguments = parse_arguments()
    cases = [
        Case(protocol=protocol, workers=workers, signing=signing, events=not arguments.no_events, size=size)
        for protocol in arguments.protocols
        for size in arguments.sizes
        for workers in arguments.workers
        for signing in arguments.signing
    ]
    results = []
    for case in cases:
        runs = []
        for number in range(arguments.repeat):
            run = await measure(case, arguments)
            runs.append(run)
            print(
                f"{case.name} ({number + 1}/{arguments.repeat}): {run['delivered_per_second']} delivered/s",
                file=sys.stderr,
            )
        results.append(median_of(runs))
    print(table(results))
    load = os.getloadavg()[1]
    print(f"\n{os.cpu_count()} cores, {arguments.repeat} run(s) a case, load average {load:.1f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
