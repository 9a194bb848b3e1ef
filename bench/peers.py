"""Waybill beside Postfix, and Postfix with OpenDKIM: one run, in turns, the same messages from the same clients to the same sink.

``make bench-peers`` runs it. Nobody is spared: Waybill signs with RSA-2048, keeps every conversation and publishes
its events to a file; Postfix is tuned (``bench/postfix.py``) and writes its log. All of them sync what they accept
to the same disk. Needs root and the packages postfix and opendkim; what is missing is left out, and named.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from drive import arrived, running_sink, send
from load import SIZE, Job
from postfix import PostfixError, running_postfix
from service import DOMAIN, usage_of
from throughput import Case, measure

MEASURES = ("accepted_per_second", "delivered_per_second", "accept_p50_ms", "accept_p99_ms", "cpu_us_per_message")


async def measure_postfix(arguments: argparse.Namespace, *, signing: bool) -> dict[str, Any]:
    """The figures of one run. Raises: PostfixError, RuntimeError."""
    async with running_sink() as sink:
        with running_postfix(
            sink=sink.port, data=arguments.data, signing=signing, concurrency=arguments.concurrency
        ) as postfix:
            job = _job(postfix.port, arguments.warm_up, arguments)
            await send(job, "smtp", arguments.patience)
            await arrived(sink, arguments.warm_up, arguments.patience)
            await asyncio.sleep(1.0)
            before, counts_before = postfix.cpu(), await sink.counts()
            sink_before = usage_of(sink.process.pid).cpu
            load = await send(_job(postfix.port, arguments.messages, arguments), "smtp", arguments.patience)
            counts = await arrived(sink, arguments.warm_up + arguments.messages, arguments.patience)
            await asyncio.sleep(1.0)
            after = postfix.cpu()
            sink_cpu = usage_of(sink.process.pid).cpu - sink_before
    signed = counts["signed"] - counts_before["signed"]
    if signed != arguments.messages * signing:
        raise RuntimeError(f"{signed} of {arguments.messages} messages were signed")
    began = load["first_sent_at"]
    cpu = {name: round((after[name] - before[name]) / arguments.messages * 1e6) for name in after}
    return {
        "accepted_per_second": round(arguments.messages / (load["last_accepted_at"] - began)),
        "delivered_per_second": round(arguments.messages / (counts["last_at"] - began)),
        "accept_p50_ms": round(load["wait_p50"] * 1000, 1),
        "accept_p99_ms": round(load["wait_p99"] * 1000, 1),
        "cpu_us_per_message": sum(cpu.values()),
        "cpu": cpu | {"sink": round(sink_cpu / arguments.messages * 1e6)},
        "sink_connections": counts["connections"],
    }


def _job(port: int, count: int, arguments: argparse.Namespace) -> Job:
    return Job(
        host="127.0.0.1",
        port=port,
        count=count,
        connections=arguments.connections,
        sender=f"bench@{DOMAIN}",
        size=arguments.size,
        configuration_set="bench",
        key="",
        secret="",
        password="",
        region="us-east-1",
    )


async def measure_waybill(arguments: argparse.Namespace, *, protocol: str, signing: str = "rsa") -> dict[str, Any]:
    """The figures of one run. Raises: RuntimeError."""
    case = Case(protocol=protocol, workers=arguments.workers, signing=signing, events=True, size=arguments.size)
    figures = await measure(case, arguments)
    if figures["signed"] != arguments.messages * (signing != "none"):
        raise RuntimeError(f"{figures['signed']} of {arguments.messages} messages were signed")
    return figures | {"cpu_us_per_message": figures["worker_cpu_us_per_message"]}


Contender = Callable[[argparse.Namespace], Awaitable[dict[str, Any]]]

CONTENDERS: dict[str, Contender] = {
    "Postfix, not signing": lambda arguments: measure_postfix(arguments, signing=False),
    "Postfix + OpenDKIM": lambda arguments: measure_postfix(arguments, signing=True),
    "Waybill, SMTP": lambda arguments: measure_waybill(arguments, protocol="smtp"),
    "Waybill, SES v2": lambda arguments: measure_waybill(arguments, protocol="api"),
    "Waybill, SMTP, not signing": lambda arguments: measure_waybill(arguments, protocol="smtp", signing="none"),
    "Waybill, SES v2, not signing": lambda arguments: measure_waybill(arguments, protocol="api", signing="none"),
}


def medians(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Of each measure the median, and the rates of every run."""
    figures: dict[str, Any] = {name: statistics.median(run[name] for run in runs) for name in MEASURES}
    return figures | {"runs": [run["delivered_per_second"] for run in runs], "last": runs[-1]}


def ratios(runs: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Waybill's rate by each peer's, turn by turn: lowest, median and highest."""
    lines = []
    for ours in (name for name in runs if name.startswith("Waybill")):
        for peer in (name for name in runs if not name.startswith("Waybill")):
            by_turn = [
                mine["delivered_per_second"] / theirs["delivered_per_second"]
                for mine, theirs in zip(runs[ours], runs[peer], strict=False)
            ]
            if by_turn:
                middle = statistics.median(by_turn)
                lines.append(f"{ours} / {peer}: {middle:.1f} ({min(by_turn):.1f} to {max(by_turn):.1f})")
    return lines


def table(results: dict[str, dict[str, Any]]) -> str:
    """The results in Markdown."""
    lines = [
        "| | accepted/s | delivered/s | accept p50 ms | p99 ms | CPU µs/message |",
        "|---|---|---|---|---|---|",
    ]
    for name, figures in results.items():
        lines.append(f"| {name} | " + " | ".join(f"{figures[measure]:g}" for measure in MEASURES) + " |")
    return "\n".join(lines)


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=3_000, help="in a run (default: %(default)s)")
    parser.add_argument("--warm-up", type=int, default=200, help="sent before the clock starts")
    parser.add_argument("--connections", type=int, default=32, help="of the load generator")
    parser.add_argument("--concurrency", type=int, default=20, help="of Postfix's deliveries to the sink")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="of Waybill (default: one a core)")
    parser.add_argument("--size", type=int, default=SIZE, help="octets of a message's text")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=list(CONTENDERS), default=list(CONTENDERS))
    parser.add_argument("--patience", type=float, default=120.0, help="seconds after which a run is given up")
    parser.add_argument("--data", type=Path, default=Path("/var/tmp"), help="folder on a real disk")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    arguments.profiles = None
    return arguments


async def main() -> None:
    """Runs everybody in turns and prints the table."""
    arguments = parse_arguments()
    runs: dict[str, list[dict[str, Any]]] = {}
    missing: dict[str, str] = {}
    for turn in range(arguments.turns):
        for name in (name for name in arguments.only if name not in missing):
            try:
                run = await CONTENDERS[name](arguments)
            except PostfixError as error:
                missing[name] = str(error)
                continue
            runs.setdefault(name, []).append(run)
            print(f"turn {turn + 1}, {name}: {run['delivered_per_second']} delivered/s", file=sys.stderr)
    results = {name: medians(of_one) for name, of_one in runs.items()}
    print(table(results), "", *ratios(runs), sep="\n")
    for name, fault in missing.items():
        print(f"{name}: not run, {fault}")
    print(f"\n{os.cpu_count()} cores, {arguments.turns} turn(s), load average {os.getloadavg()[1]:.1f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
