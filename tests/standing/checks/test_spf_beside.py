"""SPF of the domain itself, where the return path is another's: what is broken there is said, and fails nothing of ours."""

from pathlib import Path

import pytest

from tests.standing.checks.world import SPF, amiss, gravest, world
from waybill.standing.checks.check import Verdict


@pytest.mark.parametrize(
    ("spf", "words", "terms"),
    [
        (
            [SPF, "v=spf1 a:old.example -all"],
            "shop.example publishes 2 SPF records: receivers count that as broken. Our mail is not judged by them",
            {"v=spf1", "a:old.example", "ip4:192.0.2.7", "ip6:2001:db8::7", "~all"},
        ),
        (
            ["v=spf1 ip4:192.0.2.777 -all"],
            "shop.example's SPF record has an error in 'ip4:192.0.2.777': '192.0.2.777' is no IPv4 network. Our mail is not",
            set[str](),
        ),
    ],
)
async def test_what_is_broken_there(spf: list[str], words: str, terms: set[str], tmp_path: Path) -> None:
    """A warning with the one record to publish, or what to correct."""
    async with world(tmp_path) as it:
        it.publish({"shop.example": ["MX 10 mx.shop.example", *(f"TXT {text}" for text in spf)]})
        report = await it.report()
    found = gravest(report, "spf_record")
    assert Verdict.WARN is found.verdict
    assert found.text.startswith(words)
    assert terms == {term for record in found.records for term in record.value.split()}  # DNS keeps no order
    assert found.records or found.remedy
    assert {"spf_record"} == amiss(report)


async def test_a_sound_record_there_is_no_matter(tmp_path: Path) -> None:
    """It is not our mail's."""
    async with world(tmp_path) as it:
        it.publish({"shop.example": ["MX 10 mx.shop.example", "TXT v=spf1 -all"]})
        assert set() == amiss(await it.report())
