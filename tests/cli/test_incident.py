"""``waybill incident``: what lasts and what was, the figures of one, and an operator's end of it."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.conftest import Run, rows
from tests.explain.stories_incidents import DISOWNING, OUTAGE
from waybill.model.clock import HOUR, now, rfc3339
from waybill.model.incident import IncidentState
from waybill.store.open import open_store


@pytest.fixture(autouse=True)
def seen(run: Run, tmp_path: Path) -> None:
    """INC-1 lasts, INC-2 is over."""
    run("keys", "create")
    [file] = tmp_path.rglob("waybill.db")

    async def fill() -> None:
        at = now()
        store = await open_store(f"sqlite:///{file}", clock=now)
        await store.incidents.open(replace(DISOWNING, since=at - HOUR, opened_at=at - HOUR + 1, quarantined=0))
        over = replace(OUTAGE, since=at - 3 * HOUR, opened_at=at - 3 * HOUR)
        over = await store.incidents.open(over)
        await store.incidents.change(replace(over, state=IncidentState.CLOSED, closed_at=at - 2 * HOUR))
        await store.close()

    asyncio.run(fill())


def test_list(run: Run) -> None:
    """One line each, newest first; or those that last."""
    first, second = run("incident", "list").splitlines()
    assert first.startswith("INC-1    open ")
    assert "Google is refusing mailboxes that exist: 23 recipients" in first
    assert second.startswith("INC-2    closed ")
    assert "Microsoft was failing: 412 of 450 messages failed (92%" in second
    assert ["INC-1"] == [one["id"] for one in rows(run("incident", "list", "--open", "--json"))]
    half_an_hour_ago = rfc3339(now() - HOUR // 2)
    assert ["INC-1"] == [one["id"] for one in rows(run("incident", "list", "--since", half_an_hour_ago, "--json"))]
    assert "--since" in run("incident", "list", "--since", "yesterday", code=2)


def test_show(run: Run) -> None:
    """The figures, what Waybill does meanwhile, and how to end it."""
    text = run("incident", "show", "inc-1")
    assert "INC-1  Google is refusing mailboxes that exist  (open)" in text
    assert "that mail waits, one message is tried every 5 minutes" in text
    assert "waybill incident close INC-1 --discard" in text
    shown = rows(run("incident", "show", "1", "--json"))
    assert ("false_recipient_rejects", "open", 23, []) == (
        shown["kind"],
        shown["state"],
        shown["figures"]["known_good"],
        shown["quarantine"],
    )
    assert "no incident INC-9" in run("incident", "show", "INC-9", code=4)
    assert "write it as INC-7" in run("incident", "show", "seven", code=2)


def test_close(run: Run) -> None:
    """An operator ends it, once."""
    assert "INC-1 is closed and discarded" in run("incident", "close", "INC-1", "--discard")
    shown = rows(run("incident", "show", "INC-1", "--json"))
    assert ("closed", "operator", True, None) == (
        shown["state"],
        shown["closed_by"],
        shown["discarded"],
        shown["undo"],
    )
    run("incident", "close", "INC-1", code=1)
    run("incident", "close", "INC-9", code=4)
    assert "No incident lasts." in run("incident", "list", "--open")


def test_status_names_what_lasts(run: Run) -> None:
    """In a line of its own, and in the JSON."""
    text = run("status")
    assert "incident     INC-1 " in text
    assert "waybill incident show INC-1" in text
    assert "INC-2" not in text
    assert ["INC-1"] == [one["id"] for one in rows(run("status", "--json"))["incidents"]]
