"""How soon the incident detector sees what, and how often it is wrong: replayed series and quiet simulated months.

python bench/incidents.py               # everything, some ten minutes
python bench/incidents.py --days 3      # shorter quiet times
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.standing.known_series import NINE, WARM, Series, named, play, series
from tests.standing.series import BEGIN, Replay, Traffic

from waybill.model.clock import DAY, MINUTE

VOLUMES = (60.0, 3_000.0, 20_000.0)
"""Messages an hour, over all sites."""

QUIET_VOLUMES = (60.0, 600.0, 3_000.0)


def delay_of(one: Series, an_hour: float, seeds: range) -> str:
    """The minutes until the incident was opened, of several runs; or what else became of it."""
    delays: list[float] = []
    suspected, missed, wrong = 0, 0, Counter[str]()
    for seed in seeds:
        played = play(one, day=BEGIN, an_hour=an_hour, seed=seed)
        names = [named(incident) for incident in played.opened]
        wrong.update(f"{kind.value} {about}".strip() for kind, about in names if (kind, about) != one.expected)
        if one.expected in names:
            delays.append(played.delay or 0.0)
        elif one.expected is not None:
            missed += 1
            suspected += played.suspected is not None
    parts = []
    if delays:
        ordered = sorted(delays)
        parts.append(f"{ordered[len(ordered) // 2]:g} (worst {ordered[-1]:g})")
    elif one.expected is None and not wrong:
        parts.append("none, rightly")
    if missed:
        parts.append(f"{missed} of {len(seeds)} missed in the hour, {suspected} of them suspected")
    parts += [f"WRONG: {name} x{count}" for name, count in wrong.items()]
    return "; ".join(parts)


def print_delays(volumes: list[float], runs: int) -> None:
    print(
        f"minutes from the beginning until it is opened, median of {runs} runs; a look each minute, half a minute after it"
    )
    for one in series(BEGIN + NINE + WARM):
        for an_hour in volumes:
            print(f"{one.name:34} {an_hour:8,.0f}/h  {delay_of(one, an_hour, range(1, runs + 1))}", flush=True)


def print_quiet(volumes: list[float], days: int, seed: int) -> None:
    print(f"quiet but noisy traffic, {days} simulated days each (6 sites, 5 senders, 2 bad customer lists a day)")
    for an_hour in volumes:
        replay = Replay(traffic=Traffic(an_hour=an_hour, seed=seed)).run(BEGIN, days * DAY // MINUTE)
        sure, all_opened = len(replay.sure()), len(replay.opened)
        month = 30 / days
        found = ", ".join(f"{incident.kind.value} {incident.about}" for incident in replay.sure())
        print(
            f"{an_hour:8,.0f}/h  false alarms a month: {sure * month:g}; "
            f"suspicions a month (without effect): {(all_opened - sure) * month:g} {found}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--volume", type=float, action="append", help="messages an hour; may be repeated")
    parser.add_argument("--only", choices=["delays", "quiet"])
    asked = parser.parse_args()
    if asked.only != "quiet":
        print_delays(asked.volume or list(VOLUMES), asked.runs)
    if asked.only != "delays":
        print_quiet(asked.volume or list(QUIET_VOLUMES), asked.days, asked.seed)


if __name__ == "__main__":
    main()
