"""The report of the whole service, from a real store and a health page."""

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.store.builders import accepted
from waybill.model.clock import HOUR, MINUTE, now
from waybill.model.resource import INSTALLATION, Suspension
from waybill.serve.health import SUPERVISOR, HealthPage, PartHealth, ProcessHealth, State, health_path
from waybill.serve.report import Report, report, report_json
from waybill.store.open import open_store
from waybill.store.protocol import Store

WELL = PartHealth(state=State.OK, evidence="2 of 2 workers at work")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await open_store(f"sqlite:///{tmp_path}/waybill.db", clock=now)
    yield store
    await store.close()


def said(name: str, **parts: PartHealth) -> ProcessHealth:
    return ProcessHealth(name=name, pid=1, started_at=now(), at=now(), beat=time.monotonic(), parts=parts)


def write(folder: Path, words: dict[int, ProcessHealth]) -> None:
    for place, health in words.items():
        page = HealthPage(health_path(folder / "waybill.db"), place)
        page.write(health)
        page.close()


async def look(store: Store, folder: Path) -> Report:
    return await report(store, health_path(folder / "waybill.db"), at=now(), monotonic=time.monotonic())


async def test_the_worst_worker_speaks_for_a_part(store: Store, tmp_path: Path) -> None:
    """One that cannot write the store makes it failing, whatever the others and the figures say."""
    trouble = PartHealth(state=State.FAILING, evidence="database is locked", since=5)
    scarce = PartHealth(state=State.DEGRADED, evidence="little", since=6)
    write(
        tmp_path,
        {
            0: said("one", store=replace(WELL, since=7), disk=scarce),
            1: said("two", store=trouble, disk=replace(scarce, state=State.OK)),
            SUPERVISOR: said("supervisor", workers=WELL),
        },
    )
    found = await look(store, tmp_path)
    assert found.failing
    assert (trouble, scarce, WELL) == tuple(found.parts[name] for name in ("store", "disk", "service"))
    shown = report_json(found)
    assert [("one", True), ("two", True)] == [(one["worker"], one["alive"]) for one in shown["workers"]]
    assert "1970-01-01T00:00:00.005Z" == shown["parts"]["store"]["since"]


async def test_a_worker_that_hangs_is_named(store: Store, tmp_path: Path) -> None:
    """Its last words about its parts count no more."""
    trouble = PartHealth(state=State.FAILING, evidence="locked")
    hung = replace(said("one", store=trouble), beat=time.monotonic() - 60)
    write(tmp_path, {0: hung, SUPERVISOR: said("supervisor", workers=WELL)})
    found = await look(store, tmp_path)
    assert (State.DEGRADED, "one (pid 1) has said nothing for 60 s") == (
        found.parts["service"].state,
        found.parts["service"].evidence,
    )
    assert State.OK is found.parts["store"].state


async def test_a_service_that_was_killed_is_failing(store: Store, tmp_path: Path) -> None:
    """Also with nothing to send: nobody takes mail."""
    write(tmp_path, {SUPERVISOR: replace(said("supervisor", workers=WELL), beat=time.monotonic() - 60)})
    part = (await look(store, tmp_path)).parts["service"]
    assert State.FAILING is part.state
    assert "it was killed" in part.evidence


async def test_a_service_that_was_stopped_is_failing_once_mail_is_due(store: Store, tmp_path: Path) -> None:
    """Until then it is no more than degraded: an upgrade is no alarm."""
    write(tmp_path, {SUPERVISOR: replace(said("supervisor", workers=WELL), stopped=True)})
    assert State.DEGRADED is (await look(store, tmp_path)).parts["service"].state
    await accepted(store, now())
    found = await look(store, tmp_path)
    assert State.FAILING is found.parts["service"].state
    assert found.parts["service"].evidence.endswith("it was stopped, and 1 recipient is due")
    assert ["receiver.example"] == [one["site"] for one in report_json(found)["queue"]]


async def test_what_nobody_touches_is_stuck(store: Store, tmp_path: Path) -> None:
    """By name, with when it was due."""
    (delivery,) = await accepted(store, now() - HOUR)
    found = await look(store, tmp_path)
    assert State.FAILING is found.parts["queue"].state
    assert [delivery.message_id] == [one["message_id"] for one in report_json(found)["stuck"]]


async def test_suspensions_in_force_are_shown(store: Store, tmp_path: Path) -> None:
    """With who made them, why and until when; those that have ended are not."""
    suspension = Suspension(account=INSTALLATION, name="google", by="operator", reason="quiet", at=now())
    await store.put(suspension)
    await store.put(replace(suspension, name="yahoo", until=now() - MINUTE))
    shown = report_json(await look(store, tmp_path))["suspensions"]
    assert [("google", "operator", "quiet", None)] == [
        (one["site"], one["by"], one["reason"], one["until"]) for one in shown
    ]


async def test_a_ledger_from_the_future(store: Store, tmp_path: Path) -> None:
    """The clock was set back while nothing ran: the newest event says so, whatever the worker sees."""
    assert "clock" not in (await look(store, tmp_path)).parts
    await accepted(store, now() + HOUR)
    found = (await look(store, tmp_path)).parts["clock"]
    assert State.DEGRADED is found.state
    assert "ahead of this machine's clock" in found.evidence
