"""What a process measures of itself and its machine."""

import resource
from pathlib import Path

import pytest

from waybill.model.clock import HOUR, SECOND
from waybill.serve import gauge
from waybill.serve.gauge import JUMP, JUMP_REMEMBERED, ClockGauge, descriptors, disk, memory
from waybill.serve.health import State

AT = 1_795_500_000_000


class Clocks:
    """Two clocks that tests move."""

    def __init__(self) -> None:
        self.wall, self.steady = AT, 100.0

    def pass_by(self, seconds: float, *, set_by: int = 0) -> None:
        self.steady += seconds
        self.wall += round(seconds * SECOND) + set_by


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def clock(clocks: Clocks) -> ClockGauge:
    return ClockGauge(lambda: clocks.wall, lambda: clocks.steady)


@pytest.mark.parametrize(("by", "word"), [(2 * HOUR, "7,200 s forward"), (-2 * HOUR, "7,200 s back")])
def test_a_clock_that_was_set_is_noticed(clock: ClockGauge, clocks: Clocks, by: int, word: str) -> None:
    """With the direction and what follows from it; ten minutes later it is an old story."""
    clocks.pass_by(1, set_by=by)
    found, jump = clock.look()
    assert (State.DEGRADED, by) == (found.state, jump)
    assert word in found.evidence
    clocks.pass_by(1)
    assert (State.DEGRADED, 0) == (clock.look()[0].state, clock.look()[1])
    clocks.pass_by(JUMP_REMEMBERED / SECOND)
    assert State.OK is clock.look()[0].state


def test_a_clock_that_is_adjusted_or_looked_at_late_is_well(clock: ClockGauge, clocks: Clocks) -> None:
    """NTP moves it by little; a loop that was busy for an hour has the same hour on both clocks."""
    clocks.pass_by(1, set_by=JUMP - 1)
    assert 0 == clock.look()[1]
    clocks.pass_by(3_600)
    assert (State.OK, 0) == (clock.look()[0].state, clock.look()[1])


def test_this_machine_can_be_measured(tmp_path: Path) -> None:
    """Every figure is there, in words."""
    assert f"free at {tmp_path}" in disk(tmp_path).evidence
    assert "descriptors in use" in descriptors().evidence
    assert "in this process" in memory().evidence
    assert State.FAILING is disk(tmp_path / "absent").state


def test_a_disk_that_fills_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Little room is degraded, hardly any is failing."""
    monkeypatch.setattr(gauge, "LITTLE_DISK", 1 << 62)
    assert State.DEGRADED is disk(tmp_path).state
    monkeypatch.setattr(gauge, "NO_DISK", 1 << 62)
    assert State.FAILING is disk(tmp_path).state


def test_descriptors_that_run_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the limit of the process."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1, 1))
    assert State.FAILING is descriptors().state


@pytest.mark.parametrize(
    ("current", "inactive", "state"), [(50, 0, State.OK), (95, 20, State.OK), (95, 0, State.DEGRADED)]
)
def test_the_control_groups_memory_counts(
    current: int, inactive: int, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its limit, without the file pages that it can give back at once."""
    texts = {
        "/proc/self/statm": "500 10 1",
        "/sys/fs/cgroup/memory.max": f"{100 * gauge.MEGA}\n",
        "/sys/fs/cgroup/memory.current": f"{current * gauge.MEGA}\n",
        "/sys/fs/cgroup/memory.stat": f"anon 1\ninactive_file {inactive * gauge.MEGA}\n",
    }
    monkeypatch.setattr(gauge, "_text", lambda path, _: texts[path])
    found = memory()
    assert state is found.state
    assert f"{100 - current + inactive} MB of 100 MB left" in found.evidence
