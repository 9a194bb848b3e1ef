"""Which evidence of SPF, DKIM and DMARC is told for an attempt, and the records that are given to publish."""

from dataclasses import replace

import pytest

from tests.explain.life import SOURCE_IP, START, Life
from tests.explain.stories_authentication import KEY_NAME, PUBLISHED, REJECT, SPF, refused, seen, sending
from waybill.explain import explain
from waybill.explain.authentication import listed
from waybill.explain.authentication_remedies import txt_line, with_term
from waybill.model.authentication import AuthenticationSeen
from waybill.model.clock import HOUR, MINUTE, SECOND

WHAT = sending()


def told(life: Life) -> list[tuple[str, str]]:
    recipient = explain(life.facts(), life.now).recipients[0]
    return [(item.kind, item.text) for item in recipient.telling.evidence]


def proof(*all_seen: AuthenticationSeen) -> str:
    [text] = [text for kind, text in told(refused(*all_seen, what=WHAT)) if kind == "authentication"]
    return text.partition("\n")[0]


@pytest.mark.parametrize(
    ("since", "until", "at"),
    [
        (START - HOUR, START + HOUR, "14:03:09"),  # covers the attempt
        (START + 3 * SECOND, START + HOUR, "14:03:12"),  # the first look came a moment later
        (START - HOUR, START - 4 * MINUTE, "13:59:09"),  # the last look was a while ago
    ],
)
def test_time_is_one_at_which_it_was_so(since: int, until: int, at: str) -> None:
    """The nearest to the attempt at which it is known."""
    text = proof(seen(WHAT, REJECT, since=since, until=until))
    assert f"as seen at 2026-11-24 {at} UTC: From shop.example, DMARC p=reject" == text


def test_nearest_look_is_told() -> None:
    """Before or after, whichever is nearer; another sending's is not."""
    before = seen(WHAT, since=START - 2 * HOUR, until=START - HOUR)
    after = seen(WHAT, REJECT, since=START + SECOND)
    elsewhere = seen(replace(WHAT, source_ip="198.51.100.9"), since=START, until=START + HOUR)
    assert proof(elsewhere, before, after).endswith("DMARC p=reject")
    assert proof(elsewhere, before).endswith("no DMARC policy")


def test_what_is_not_on_record_is_said() -> None:
    """No guess is made from how it is elsewhere."""
    elsewhere = seen(replace(WHAT, source_ip="198.51.100.9"), REJECT)
    found = told(refused(elsewhere, what=WHAT))
    assert ("not_seen", "what SPF, DKIM and DMARC looked like at that time is not on record") in found
    assert "authentication" not in {kind for kind, _ in found}


def test_lookup_that_failed_changes_nothing() -> None:
    """That a resolver did not answer once is no change of a record."""
    failed = seen(WHAT, REJECT, since=START - HOUR, until=START - MINUTE)
    spf = failed.authentication.spf
    assert spf is not None
    failed = replace(
        failed, authentication=replace(failed.authentication, spf=replace(spf, result=type(spf.result).TEMPERROR))
    )
    now = seen(WHAT, {"_dmarc.shop.example": "v=DMARC1; p=quarantine"})
    assert "changed" not in {kind for kind, _ in told(refused(now, failed, what=WHAT))}
    then = seen(WHAT, REJECT, SPF, PUBLISHED, since=START - HOUR, until=START - MINUTE)
    [changed] = [text for kind, text in told(refused(now, then, what=WHAT)) if kind == "changed"]
    assert [
        f"the key at {KEY_NAME} was published until 2026-11-24 14:02:09 UTC (last good check)",
        f"SPF of bounce.shop.example passed for {SOURCE_IP} until 2026-11-24 14:02:09 UTC (last good check)",
        "shop.example had DMARC p=reject until 2026-11-24 14:02:09 UTC",
    ] == changed.splitlines()


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ("v=spf1 -all", "v=spf1 ip4:192.0.2.1 -all"),
        ("v=spf1 a mx include:x.example ~all", "v=spf1 ip4:192.0.2.1 a mx include:x.example ~all"),
        ("v=spf1 redirect=x.example", "v=spf1 ip4:192.0.2.1 redirect=x.example"),
        ("v=spf1", "v=spf1 ip4:192.0.2.1"),
    ],
)
def test_term_is_put_where_nothing_refuses_before(record: str, expected: str) -> None:
    """It also spares lookups."""
    assert expected == with_term(record, "ip4:192.0.2.1")


def test_long_record_is_cut_into_strings() -> None:
    """Each of at most 255 octets, as a zone file needs it."""
    line = txt_line("a.example", "x" * 256)
    assert f'a.example. TXT "{"x" * 255}" "x"' == line


def test_names_are_listed() -> None:
    """As a person writes them."""
    assert ["", "SPF", "SPF and DKIM", "SPF, DKIM and DMARC"] == [
        listed(("SPF", "DKIM", "DMARC")[:number]) for number in range(4)
    ]
