"""How much a new address may send."""

import pytest

from waybill.deliver.warm_up import CURVE, Curve, load_curve
from waybill.model.clock import DAY

BEGUN = 1_800_000_000_000


def test_the_curve_doubles_and_ends() -> None:
    """From fifty a day to a site, doubled every third day, over the 45 days of Amazon SES; then there is no cap."""
    caps = [CURVE.cap(BEGUN, BEGUN + day * DAY) for day in range(47)]
    assert caps[:7] == [50, 50, 50, 100, 100, 100, 200]
    assert caps[44:] == [819_200, None, None]
    assert caps[:45] == sorted(cap for cap in caps if cap is not None)


def test_a_clock_that_goes_back_begins_anew() -> None:
    """Before its beginning a warm-up is at its first day."""
    assert (CURVE.cap(BEGUN, BEGUN - DAY), CURVE.percentage(BEGUN, BEGUN - DAY)) == (50, 0)


@pytest.mark.parametrize("percentage", range(101))
def test_a_percentage_that_was_put_is_got(percentage: int) -> None:
    """PutDedicatedIpWarmupAttributes and GetDedicatedIp agree."""
    begun = CURVE.begun(percentage, BEGUN)
    assert CURVE.percentage(begun, BEGUN) == percentage
    assert (begun is None) is (percentage == 100)


@pytest.mark.parametrize(
    "document", ["days = 45", "days = 45\nfirst = 0\ndouble_every = 3", "days = 1\nfirst = 1\ndouble_every = 1\nx = 1"]
)
def test_a_faulty_file_is_refused(document: str) -> None:
    """Each number has to be there, and to make sense."""
    with pytest.raises(ValueError, match=r"warm_up\.toml: needs days, first, double_every"):
        load_curve(document)


def test_a_file_is_read() -> None:
    """The three numbers."""
    assert load_curve("days = 10\nfirst = 5\ndouble_every = 2") == Curve(days=10, first=5, double_every=2)
