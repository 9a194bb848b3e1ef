"""A provider that disowns recipients who took mail lately is suspected; a list with old addresses is not."""

from waybill.model.clock import DAY, HOUR, MINUTE
from waybill.queue.false_reject import FalseRejects, is_known_good


def test_the_december_2020_shape() -> None:
    """From the third known recipient on nobody is believed, and the first two are named so that they can be put right."""
    heard = FalseRejects()
    found = []
    for number in range(4):
        heard.answered("google", number)
        found.append(heard.refused("google", ("a", f"u{number}@gmail.example"), number))
    assert [None, None, (("a", "u0@gmail.example"), ("a", "u1@gmail.example"))] == found[:3]
    assert found[3] is not None
    assert heard.refused("yahoo", ("a", "x@yahoo.example"), 4) is None


def test_a_large_list_is_no_incident() -> None:
    """Some who took mail months ago are gone: three in a thousand answers say nothing about the provider."""
    heard = FalseRejects()
    for number in range(1_000):
        heard.answered("google", number)
    assert [None] * 3 == [heard.refused("google", ("a", f"u{number}@gmail.example"), 1_000) for number in range(3)]


def test_the_suspicion_ends() -> None:
    """An hour after the last such refusal the next one is believed again."""
    heard = FalseRejects()
    for number in range(3):
        heard.refused("google", ("a", f"u{number}@gmail.example"), number)
    assert heard.refused("google", ("a", "later@gmail.example"), 30 * MINUTE) is not None
    assert heard.refused("google", ("a", "much-later@gmail.example"), 2 * HOUR) is None


def test_who_is_known() -> None:
    """Those whose server took mail within 90 days."""
    assert is_known_good(100 * DAY, 150 * DAY)
    assert not is_known_good(100 * DAY, 191 * DAY)
    assert not is_known_good(None, 1)
