"""The history of the parts' health: one period for each trouble, with its beginning, its end and its last evidence."""

import asyncio
import time
from pathlib import Path

from waybill.model.clock import DAY, MINUTE, SECOND, Instant, now
from waybill.model.health import HealthPeriod
from waybill.serve.health import SUPERVISOR, HealthPage, PartHealth, ProcessHealth, State, health_path
from waybill.serve.recorder import Periods, Recorder, interruption, last_word, recording
from waybill.store.open import open_store
from waybill.store.protocol import Store

START = 1_800_000_000_000


def part(state: State, evidence: str = "", since: Instant | None = None) -> PartHealth:
    return PartHealth(state=state, evidence=evidence, since=since)


def period(state: str, since: Instant, until: Instant | None, evidence: str, name: str = "resolver") -> HealthPeriod:
    return HealthPeriod(part=name, state=state, since=since, until=until, evidence=evidence)


def test_a_trouble_is_one_period() -> None:
    """Written when it begins, and again when it ends, with what was said of it last."""
    periods = Periods()
    periods.see({"resolver": part(State.OK, "it answers", START)}, START)
    assert [] == periods.take()
    periods.see({"resolver": part(State.FAILING, "5 sites", START + 10)}, START + 900)
    assert [period("failing", START + 10, None, "5 sites")] == periods.take()
    periods.see({"resolver": part(State.FAILING, "9 sites", START + 10)}, START + 1_900)
    assert [] == periods.take()
    periods.see({}, START + 2_000)
    periods.see({"resolver": part(State.OK, "it answers", START + 2_500)}, START + 2_900)
    assert [period("failing", START + 10, START + 2_500, "9 sites")] == periods.take()


def test_periods_of_a_part_follow_one_another() -> None:
    """Where one worker is better off than another, its older trouble does not overwrite what was written."""
    periods = Periods()
    seen = [
        (State.DEGRADED, START, START + 1),
        (State.FAILING, START + 5_000, START + 5_500),
        (State.DEGRADED, START, START + 7_500),
        (State.OK, START + 9_000, START + 9_500),
    ]
    written: dict[Instant, tuple[str, Instant | None]] = {}
    for state, since, at in seen:
        periods.see({"disk": part(state, "x", since)}, at)
        written |= {one.since: (one.state, one.until) for one in periods.take()}
    assert {
        START: ("degraded", START + 5_000),
        START + 5_000: ("failing", START + 7_500),
        START + 7_500: ("degraded", START + 9_000),
    } == written


def test_what_could_not_be_written_is_kept() -> None:
    """What has come since counts for more than what was taken back."""
    periods = Periods()
    periods.see({"store": part(State.FAILING, "full", START)}, START)
    taken = periods.take()
    periods.see({"store": part(State.OK, "", START + 10)}, START + 10)
    periods.add(taken)
    assert [period("failing", START, START + 10, "full", "store")] == periods.take()


def test_the_end() -> None:
    """What lasts when nobody watches any more ends then."""
    periods = Periods()
    periods.see({"disk": part(State.DEGRADED, "little", START)}, START)
    periods.end(START + 50)
    assert [period("degraded", START, START + 50, "little", "disk")] == periods.take()


def test_the_time_between_two_runs() -> None:
    """From the earlier supervisor's last word to the beginning of this one."""
    said = ProcessHealth(name="supervisor", pid=1, started_at=START, at=START + 100, beat=0.0, stopped=True)
    found = interruption(said, START + 5_000)
    assert found is not None
    assert ("service", START + 100, START + 5_000, True) == (found.part, found.since, found.until, found.failing)
    assert "it was stopped" in found.evidence
    assert None is interruption(None, START)
    assert None is interruption(said, START + 100)


async def test_in_the_store(tmp_path: Path) -> None:
    """What the page says comes into the store; what an earlier run left open is ended; what is old is forgotten."""
    url = f"sqlite:///{tmp_path / 'waybill.db'}"
    store = await open_store(url, clock=now)
    at = now()
    old = period("failing", at - 200 * DAY, at - 100 * DAY, "long ago")
    await store.health_history.keep([period("failing", at - MINUTE, None, "left open", "disk")], at)
    await store.health_history.keep([old], at - 99 * DAY)
    page = HealthPage(health_path(tmp_path / "waybill.db"), SUPERVISOR)
    page.write(ProcessHealth(name="supervisor", pid=1, started_at=at, at=at - 30 * SECOND, beat=0.0, stopped=False))
    recorder = Recorder(
        url=url,
        page=health_path(tmp_path / "waybill.db"),
        earlier=last_word(health_path(tmp_path / "waybill.db")),
        started_at=at,
        clock=now,
    )
    page.write(ProcessHealth(name="supervisor", pid=2, started_at=at, at=at, beat=time.monotonic()))
    async with recording(recorder):
        found = await _until_told(store)
    page.close()
    gap, left = found
    assert ("service", at - 30 * SECOND, at) == (gap.part, gap.since, gap.until)
    assert "it was killed" in gap.evidence
    assert ("disk", at - 30 * SECOND) == (left.part, left.until)
    await store.close()


async def _until_told(store: Store) -> list[HealthPeriod]:
    async with asyncio.timeout(10):
        while True:
            found = await store.health_history.between(0, now())
            if any(one.part == "service" for one in found):
                return found
            await asyncio.sleep(0.05)
