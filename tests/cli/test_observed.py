"""``waybill unknown-replies`` and ``reports``: what was counted and kept can be read, and known replies are forgotten."""

import asyncio
from pathlib import Path

import pytest

from tests.cli.conftest import Run, rows
from waybill.model.clock import now
from waybill.store.observed import KeptReport
from waybill.store.open import open_store


@pytest.fixture(autouse=True)
def seen(run: Run, tmp_path: Path) -> None:
    run("keys", "create")
    [file] = tmp_path.rglob("waybill.db")

    async def fill() -> None:
        store = await open_store(f"sqlite:///{file}", clock=now)
        await store.keep_report(
            KeptReport(
                kind="dmarc",
                key="Receiver Inc. 42 shop.example",
                domain="shop.example",
                reporter="Receiver Inc.",
                begin=1_700_000_000_000,
                end=1_700_086_400_000,
                received_at=1_700_090_000_000,
                summary={"messages": 5, "passed": 3},
            )
        )
        await store.close()

    asyncio.run(fill())


def test_reports(run: Run) -> None:
    """One line each, or everything as JSON."""
    assert "2023-11-14 to 2023-11-15  shop.example  Receiver Inc.: 3 of 5 messages passed DMARC" in run(
        "reports", "dmarc"
    )
    [report] = rows(run("reports", "dmarc", "--domain", "shop.example", "--json"))
    assert ("shop.example", "2023-11-14T22:13:20.000Z") == (report["domain"], report["begin"])
    assert "no dmarc report about other.example has come" in run(
        "reports", "dmarc", "--domain", "other.example", code=4
    )
    assert "No tlsrpt report has come." in run("reports", "tlsrpt")


def test_no_unknown_replies(run: Run) -> None:
    """A new ledger says so, and there is nothing to forget."""
    assert "No reply has come that no rule knows." in run("unknown-replies")
    assert "0 are known by now" in run("unknown-replies", "--forget-known")
