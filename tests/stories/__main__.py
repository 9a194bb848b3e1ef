"""``make stories``: plays every story and prints the share of right answers."""

import statistics
import sys
from collections import Counter

from tests.stories.play import Told, all_stories, play
from waybill.model.cause import Cause

MEASURES = (
    "status",
    "cause",
    "underlying_cause",
    "branch",
    "scope",
    "responder",
    "permanent",
    "remedy",
    "act",
    "suppressed",
)

_NAMES = {"remedy": "who must act", "act": "what to do"}


def report(told: list[Told]) -> str:
    """The figures, and what was wrong, story by story."""
    lines = [f"{'':4}{one.story.name}: {_faults(one)}" for one in told if one.wrong]
    lines.insert(0, f"{len(told)} stories, {sum(not one.wrong for one in told)} told right" + ":" * bool(lines))
    for measure in MEASURES:
        asked = [one for one in told if measure == "status" or measure in one.story.expected]
        right = sum(measure not in one.wrong for one in asked)
        lines.append(
            f"  {_NAMES.get(measure, measure.replace('_', ' ')):18} {right:4} of {len(asked):3}  {right / max(1, len(asked)):7.1%}"
        )
    causes = Counter(one.said.get("cause") for one in told)
    unknown = causes[Cause.UNDETERMINED.value] - sum(one.story.expected["cause"] == Cause.UNDETERMINED for one in told)
    lines.append(f"  unknown where an expert knows: {unknown} of {len(told)} ({unknown / len(told):.1%})")
    lines.append(f"  causes told: {len(causes)} of {len(Cause)}")
    missing = sorted(cause.value for cause in Cause if cause.value not in causes)
    if missing:
        lines.append(f"  causes without a story: {', '.join(missing)}")
    taken = sorted(one.explained_ms for one in told)
    lines.append(f"  an explanation takes {statistics.median(taken):.1f} ms in the middle, {taken[-1]:.1f} ms at most")
    return "\n".join(lines)


def _faults(told: Told) -> str:
    return ", ".join(f"{word} is {found!r}, expected {expected!r}" for word, (expected, found) in told.wrong.items())


def main() -> None:
    """Exits 1 where anything was told wrong."""

    def progress(name: str) -> None:
        if sys.stderr.isatty():
            print(f"\r\x1b[K{name}", end="", file=sys.stderr, flush=True)

    told = play(all_stories(), progress)
    print(("\r\x1b[K" if sys.stderr.isatty() else "") + report(told))
    sys.exit(any(one.wrong for one in told))


if __name__ == "__main__":
    main()
