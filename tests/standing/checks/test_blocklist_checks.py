"""What a listing means for a sender: refusals where large receivers ask the list, a warning where few do."""

from pathlib import Path

import pytest

from tests.standing.checks.world import V4, amiss, gravest, world
from waybill.standing.blocklists import blocklists
from waybill.standing.checks.check import Verdict

LISTS = {zone.id: zone for zone in blocklists()}


@pytest.mark.parametrize(
    ("zone", "subject", "answer", "check_id", "verdict", "words"),
    [
        ("spamhaus-zen", V4, "A 127.0.0.4", "ip_blocklist", Verdict.FAIL, f"Spamhaus ZEN lists {V4} (127.0.0.4: XBL"),
        ("psbl", V4, "A 127.0.0.2", "ip_blocklist", Verdict.WARN, f"PSBL lists {V4}"),
        ("spamhaus-zen", V4, "A 127.255.255.254", "ip_blocklist", Verdict.UNKNOWN, "which is no listing"),
        ("spamhaus-zen", V4, "SERVFAIL", "ip_blocklist", Verdict.UNKNOWN, "Spamhaus ZEN did not answer"),
        ("surbl", "shop.example", "A 127.0.0.8", "domain_blocklist", Verdict.FAIL, "SURBL lists shop.example"),
        ("uribl", "shop.example", "A 127.0.0.1", "domain_blocklist", Verdict.UNKNOWN, "which is no listing"),
    ],
)
async def test_a_listing(  # noqa: PLR0917 - the columns of the table
    zone: str, subject: str, answer: str, check_id: str, verdict: Verdict, words: str, tmp_path: Path
) -> None:
    """The verdict, what the list said, and where to ask for removal."""
    async with world(tmp_path) as it:
        it.publish({LISTS[zone].question(subject): [answer]})
        report = await it.report()
    found = gravest(report, check_id)
    assert (verdict, True) == (found.verdict, words in found.text), found.text
    assert {check_id} == amiss(report)
    assert f"{subject} at {LISTS[zone].name}" == found.subject
    if verdict is not Verdict.UNKNOWN:
        assert found.remedy.endswith(LISTS[zone].removal)
