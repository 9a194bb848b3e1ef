"""From findings to incidents: they open, become certain, get worse and end; and what the detector forgets and remembers."""

from dataclasses import replace

import msgspec
import pytest

from tests.standing.series import BEGIN, Replay, Traffic, hard_outage
from waybill.model.clock import DAY, HOUR, MINUTE, SECOND, Instant
from waybill.model.incident import Figures, Incident, IncidentKind, IncidentState, incident_number
from waybill.standing.incident.book import SUSPECTED_FOR, key_of, troubled_sites, turn
from waybill.standing.incident.closing import NOTHING_SENT, is_over
from waybill.standing.incident.counts import Cell
from waybill.standing.incident.detect import Detector
from waybill.standing.incident.finding import Finding
from waybill.standing.incident.memory import NOTHING_KNOWN, Memory, hour_of_week, learn

AT: Instant = BEGIN + 9 * HOUR


def finding(failing: int = 40, *, certain: bool = True, site: str = "google", **about: str) -> Finding:
    return Finding(
        kind=IncidentKind.IP_BLOCK if about else IncidentKind.OUTAGE,
        site=site,
        title=site.title(),
        since=AT - MINUTE,
        figures=Figures(messages=50, failing=failing, sites=(site,)),
        certain=certain,
        **about,
    )


def opened(one: Finding) -> Incident:
    (incident,) = turn([], [one], [], AT).opened
    return replace(incident, number=1)


def cell(minute: Instant, **answers: int) -> Cell:
    return Cell(minute=minute, site="google", answers=answers)


def test_it_opens_with_its_author() -> None:
    """By the rule of its kind, since the first of the minutes that it was counted in."""
    incident = opened(finding())
    assert ("rule:incident-outage", IncidentState.OPEN, AT - MINUTE, AT, "Google") == (
        incident.author,
        incident.state,
        incident.since,
        incident.opened_at,
        incident.about,
    )


def test_a_suspicion_is_confirmed_or_dropped() -> None:
    """When there is enough mail to be sure, it is open; after an hour without another word it is nothing."""
    doubt = opened(finding(certain=False))
    assert IncidentState.SUSPECTED is doubt.state
    (sure,) = turn([doubt], [finding()], [], AT + MINUTE).confirmed
    assert (1, IncidentState.OPEN, AT + MINUTE) == (sure.number, sure.state, sure.opened_at)
    assert () == turn([doubt], [], [], AT + SUSPECTED_FOR).closed
    assert [IncidentState.CLOSED] == [one.state for one in turn([doubt], [], [], AT + SUSPECTED_FOR + 1).closed]


def test_the_worst_figures_are_kept() -> None:
    """What was found later and is less does not take the place of what was more."""
    incident = opened(finding(40))
    (worse,) = turn([incident], [finding(45)], [], AT + MINUTE).updated
    (same,) = turn([worse], [finding(5)], [], AT + 2 * MINUTE).updated
    assert (45, AT + 2 * MINUTE) == (same.figures.failing, same.updated_at)


def test_a_blocked_address_is_one_incident_wherever_it_is_refused() -> None:
    """Its sites are listed."""
    both = [finding(site=site, source_ip="198.51.100.4") for site in ("google", "yahoo")]
    (incident,) = turn([], both, [], AT).opened
    assert ("google", "yahoo") == incident.figures.sites
    assert both[1].key == key_of(incident)


def test_hysteresis() -> None:
    """It ends after five quiet minutes with mail in them; what is still found, or too little mail, ends nothing."""
    incident = opened(finding())
    now = AT + 6 * MINUTE
    quiet = [cell(AT + number * MINUTE, ok=3) for number in range(2, 6)]
    assert is_over(incident, quiet, now)
    assert not is_over(incident, [cell(AT + 5 * MINUTE, ok=2)], now)
    assert not is_over(incident, [*quiet, cell(AT + 4 * MINUTE, system=9)], now)
    assert not is_over(incident, quiet, AT + 4 * MINUTE)
    assert () == turn([incident], [finding()], quiet, now).closed
    assert [now] == [one.closed_at for one in turn([incident], [], quiet, now).closed]


def test_an_incident_that_nobody_hears_of_any_more() -> None:
    """After six hours without a message there nobody knows that it lasts."""
    incident = opened(finding())
    assert not is_over(incident, [], AT + NOTHING_SENT)
    assert is_over(incident, [], AT + NOTHING_SENT + 1)


def test_troubled_sites() -> None:
    """Those of open incidents; our own trouble is everybody's."""
    ours = replace(opened(finding()), kind=IncidentKind.OWN_NETWORK, site="")
    assert {"google"} == troubled_sites([opened(finding()), opened(finding(site="yahoo", certain=False))])
    assert {""} == troubled_sites([ours])


def test_what_is_usual_is_learned_by_the_hour_of_the_week() -> None:
    """A site that fails every Monday at nine is no surprise on a Monday at nine."""
    memory = Memory(site="google")
    assert NOTHING_KNOWN == memory.usual_at(BEGIN)
    for minute in range(0, 14 * 24 * 60, 10):
        at = BEGIN + minute * MINUTE
        bad = hour_of_week(at) == hour_of_week(BEGIN + 9 * HOUR)
        learn(memory, cell(at, ok=70, system=30) if bad else cell(at, ok=99, system=1))
    assert memory.usual_at(BEGIN + 21 * DAY + 9 * HOUR) == pytest.approx(0.3, abs=0.02)
    assert memory.usual_at(BEGIN + 21 * DAY + 15 * HOUR) < 0.05


def test_the_memory_survives_the_store() -> None:
    """JSON and back: after a restart the detector goes on where it was."""
    replay = Replay(traffic=Traffic(an_hour=600, seed=3)).run(AT, 90)
    memories = replay.detector.memories
    kept = [msgspec.json.Decoder(Memory).decode(msgspec.json.encode(one)) for one in memories.values()]
    assert memories == Detector(kept).memories


def test_an_outage_is_not_learned() -> None:
    """What an incident shows does not become what is usual, and each minute is taken in once."""
    quiet = Replay(traffic=Traffic(an_hour=3_000, seed=3)).run(AT, 60)
    before = quiet.detector.memories["microsoft"].usual
    quiet.traffic.shape = hard_outage(AT)
    quiet.run(AT + HOUR, 30)
    assert ["microsoft"] == [one.site for one in quiet.sure()]
    assert quiet.detector.memories["microsoft"].usual < before + 0.02
    learned = {site: memory.learned for site, memory in quiet.detector.memories.items()}
    quiet.detector.look([], AT + 90 * MINUTE + 40 * SECOND)
    assert learned == {site: memory.learned for site, memory in quiet.detector.memories.items()}


@pytest.mark.parametrize(
    ("name", "number"), [("INC-7", 7), ("inc-12", 12), ("7", 7), ("INC-", None), ("x", None), ("-7", None), ("²", None)]
)
def test_names(name: str, number: int | None) -> None:
    """As people write them."""
    assert number == incident_number(name)
