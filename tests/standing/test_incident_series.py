"""The detector on replayed series: what is an incident is found in time and for what it is, and quiet months stay quiet."""

import pytest

from tests.standing.known_series import NINE, WARM, Series, named, play, series
from tests.standing.series import BEGIN, Replay, Traffic
from waybill.model.clock import HOUR, MINUTE

AN_HOUR = 3_000.0
_TROUBLE = BEGIN + NINE + WARM
_ALL = series(_TROUBLE)


@pytest.mark.parametrize("one", _ALL, ids=lambda one: one.name)
def test_what_it_is_taken_for(one: Series) -> None:
    """One incident, of the right kind, about the right thing, in time, and closed after it is over; or none at all."""
    played = play(one, day=BEGIN, an_hour=AN_HOUR, seed=7)
    assert ([] if one.expected is None else [one.expected]) == [named(incident) for incident in played.opened]
    if one.expected is not None:
        assert played.delay is not None
        assert played.delay <= one.within
        assert played.lasted_on is not None
        assert played.lasted_on <= 20


@pytest.mark.parametrize(("an_hour", "hours"), [(60.0, 48), (600.0, 16), (6_000.0, 4)])
def test_quiet_days_open_nothing(an_hour: float, hours: int) -> None:
    """Noise, bad hours of single domains and customers' old lists are no incident."""
    replay = Replay(traffic=Traffic(an_hour=an_hour, seed=11, bad_lists_a_day=4.0)).run(
        BEGIN + NINE, hours * HOUR // MINUTE
    )
    assert [] == [named(incident) for incident in replay.sure()]


def test_little_mail_raises_a_suspicion_first() -> None:
    """With a message a minute over all sites an outage is suspected within the hour, and nothing is done about it."""
    (outage,) = [one for one in _ALL if one.name == "outage, 90 % deferred"]
    played = play(outage, day=BEGIN, an_hour=60.0, seed=7)
    assert played.suspected is not None
    assert played.suspected <= 60
