"""The warm-up of a new address: how much it may send to one site on each day (``warm_up.toml``). Pure."""

import tomllib
from importlib import resources

from waybill.model.clock import DAY, Instant
from waybill.model.record import record


@record(frozen=True, kw_only=True, slots=True)
class Curve:
    """``first`` messages a day to one site, doubled every ``double_every`` days, and no cap after ``days`` days."""

    days: int
    first: int
    double_every: int

    def cap(self, begun_at: Instant, now: Instant) -> int | None:
        """How many messages may go to one site today; None: any number."""
        day = self.day(begun_at, now)
        return None if day > self.days else self.first << ((day - 1) // self.double_every)

    def day(self, begun_at: Instant, now: Instant) -> int:
        """Which day of the warm-up it is, from 1 on."""
        return max(0, now - begun_at) // DAY + 1

    def percentage(self, begun_at: Instant | None, now: Instant) -> int:
        """How far it is, as SES counts it; 100: it is over, or there is none."""
        if begun_at is None:
            return 100
        return min(100, max(0, now - begun_at) * 100 // (self.days * DAY))

    def begun(self, percentage: int, now: Instant) -> Instant | None:
        """When a warm-up began that is so far now; None for 100."""
        return None if percentage >= 100 else now - -(-percentage * self.days * DAY // 100)


def load_curve(document: str | None = None) -> Curve:
    """The curve of ``document`` in TOML; of the file beside this module where it is None.

    Raises:
        ValueError: a number is missing, strange or not above 0.
    """
    if document is None:
        document = resources.files("waybill.deliver").joinpath("warm_up.toml").read_text("utf-8")
    table = tomllib.loads(document)
    keys = ("days", "first", "double_every")
    if set(table) != set(keys) or not all(type(table[key]) is int and table[key] > 0 for key in keys):
        raise ValueError(f"warm_up.toml: needs {', '.join(keys)}, each a whole number above 0, and nothing else")
    return Curve(**table)


CURVE = load_curve()
