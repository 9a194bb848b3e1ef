"""New mail beside a queue of a million deliveries that wait for their next attempt: its rate, its latency, the memory."""

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from backlog import Backlog
from throughput import Case, measure, table

from waybill.model.clock import HOUR


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queued", type=int, default=1_000_000, help="deliveries that wait (default: %(default)s)")
    parser.add_argument("--domains", type=int, default=10_000, help="to so many domains")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--turns", type=int, default=3, help="with and without the queue, in turns")
    parser.add_argument("--messages", type=int, default=3_000, help="new ones in a run")
    parser.add_argument("--warm-up", type=int, default=200)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--patience", type=float, default=120.0)
    parser.add_argument("--data", type=Path, default=Path("/var/tmp"), help="folder on a real disk, with 5 GB free")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    arguments.profiles = None
    return arguments


async def main() -> None:
    """Runs both in turns and prints the table and the ratio."""
    arguments = parse_arguments()
    case = Case(protocol="smtp", workers=arguments.workers, signing="rsa", events=True)
    domains = tuple(f"waits{number}.bench.example" for number in range(arguments.domains))
    backlog = Backlog(count=arguments.queued, domains=domains, spread=10 * HOUR)
    runs: dict[str, list[dict[str, Any]]] = {"empty queue": [], f"{arguments.queued:,} queued": []}
    for turn in range(arguments.turns):
        for name, fill in zip(runs, (None, backlog.fill), strict=True):
            began = time.monotonic()
            run = await measure(case, arguments, fill=fill)
            runs[name].append(run | {"case": name})
            took = time.monotonic() - began
            print(f"turn {turn + 1}, {name}: {run['delivered_per_second']} delivered/s ({took:.0f} s)", file=sys.stderr)
    results = [_middle(of_one) for of_one in runs.values()]
    print(table(results))
    ratios = [
        full["accepted_per_second"] / empty["accepted_per_second"] for empty, full in zip(*runs.values(), strict=True)
    ]
    print(
        f"\naccepted/s with the queue by without it: {statistics.median(ratios):.2f}, of {[round(r, 2) for r in ratios]}"
    )
    if arguments.json:
        arguments.json.write_text(json.dumps(runs, indent=2) + "\n")


def _middle(runs: list[dict[str, Any]]) -> dict[str, Any]:
    return sorted(runs, key=lambda run: float(run["accepted_per_second"]))[len(runs) // 2]


if __name__ == "__main__":
    asyncio.run(main())
