"""``docs/checks.md`` names every check and every blocklist as the code has them."""

from pathlib import Path

from waybill.standing.blocklists import blocklists
from waybill.standing.checks.catalogue import CATALOGUE

PAGE = Path(__file__).parents[3] / "docs" / "checks.md"


def test_checks() -> None:
    """The table is the catalogue."""
    expected = [f"| `{check_id}` | {kind.title} | {kind.why} | {kind.source} |" for check_id, kind in CATALOGUE.items()]
    assert expected == [
        line for line in PAGE.read_text("utf-8").splitlines() if line.count(" | ") == 3 and line.startswith("| `")
    ]


def test_blocklists() -> None:
    """The table is the file that is asked by."""
    expected = [
        f"| {zone.name} | {'addresses' if zone.about == 'ip' else 'domains'} | `{zone.zone}` | "
        f"{'fail' if zone.is_heavy else 'warn'} | {zone.removal} |"
        for zone in blocklists()
    ]
    listed = [line for line in PAGE.read_text("utf-8").splitlines() if line.count(" | ") == 4 and "`" in line]
    assert expected == listed
