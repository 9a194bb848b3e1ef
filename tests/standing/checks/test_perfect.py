"""A domain that is set up to perfection passes every check, each with its evidence; nothing is delivered meanwhile."""

import json
from pathlib import Path

from tests.standing.checks.world import world
from waybill.standing.checks.catalogue import CATALOGUE
from waybill.standing.checks.check import Verdict
from waybill.standing.checks.run import report_json, run_checks


async def test_perfection(tmp_path: Path) -> None:
    """All of the catalogue is checked, all of it passes, and what DNS or a server said stands beside it."""
    async with world(tmp_path) as it:
        report = await it.report()
        assert [] == [(check.id, check.text) for check in report.checks if check.verdict is not Verdict.PASS]
        assert list(CATALOGUE) == list(dict.fromkeys(check.id for check in report.checks))
        judged = {"gmail_rules", "yahoo_rules", "microsoft_rules", "ipv6"}
        assert judged == {check.id for check in report.checks if not check.evidence}
        assert (Verdict.PASS, False) == (report.verdict, report.fails)
        assert 0 == len(it.mx.received)


async def test_the_json(tmp_path: Path) -> None:
    """It can be written, and says of each check what a reader needs without this program."""
    async with world(tmp_path) as it:
        document = json.loads(json.dumps(report_json(await it.report())))
    assert (1, "shop.example", "pass") == (document["version"], document["domain"], document["verdict"])
    assert {"fail": 0, "warn": 0, "unknown": 0, "pass": len(document["checks"])} == document["counts"]
    expected = ["id", "subject", "title", "verdict", "text", "why", "rule", "remedy", "command", "records", "evidence"]
    assert all(expected == list(check) for check in document["checks"])
    [spf] = [check for check in document["checks"] if check["id"] == "spf_record"]
    assert ["at", "kind", "source", "text"] == list(spf["evidence"][0])
    assert "answered for bounce.shop.example TXT: v=spf1" in spf["evidence"][0]["text"]


async def test_progress_is_told(tmp_path: Path) -> None:
    """Whoever waits sees how far it is."""
    told: list[tuple[int, int]] = []
    async with world(tmp_path) as it:
        await run_checks(it.sender, it.tools, progress=lambda done, total: told.append((done, total)))
    assert [(done, len(told)) for done in range(1, len(told) + 1)] == told
