"""Known mailboxes that are refused: a provider's mistake, and what only looks like one."""

from dataclasses import replace

import pytest

from tests.standing.series import BEGIN
from waybill.model.clock import DAY, HOUR, MINUTE, Instant
from waybill.model.incident import Figures, Incident, IncidentKind, IncidentState
from waybill.standing.incident.closing import QUIET_KNOWN, is_over
from waybill.standing.incident.counts import Cell, KnownRefused
from waybill.standing.incident.disowned import LITTLE, disowns, remember_refusals
from waybill.standing.incident.memory import Memory

AT: Instant = BEGIN + 9 * HOUR


def refused(*senders: str, ago: int = DAY, unknown: int = 0, ok: int = 0, minute: Instant = AT) -> Cell:
    """One known recipient refused for each sender named, beside others that were never reached and mail that was taken."""
    known = {
        f"1 r{number}-{minute}@gmail.com": KnownRefused(sender=sender, account="1", last_taken=AT - ago)
        for number, sender in enumerate(senders)
    }
    answers = {"ok": ok, "recipient": len(senders) + unknown}
    return Cell(
        minute=minute,
        site="google",
        answers=answers,
        known_refused=known,
        refused=len(senders) + unknown,
        is_provider=True,
    )


def found(cell: Cell) -> Figures | None:
    return disowns(cell, Memory(site="google"), AT + MINUTE)


def test_several_senders() -> None:
    """Five recipients of two senders are enough; four, or recipients of long ago, are not."""
    figures = found(refused("a", "a", "a", "b", "b", ok=20))
    assert figures is not None
    assert (5, 2, 1) == (figures.known_good, figures.senders, figures.accounts)
    assert None is found(refused("a", "a", "b", "b", ok=20))
    assert None is found(refused("a", "a", "a", "b", "b", ok=20, ago=40 * DAY))


def test_an_old_list_of_several_senders() -> None:
    """Most of those that it refuses were never reached."""
    assert None is found(refused("a", "a", "a", "b", "b", unknown=30, ok=20))


def test_a_single_sender_needs_more() -> None:
    """Eight recipients that took mail within the month, most of what is refused, and a fifth of all its mail."""
    assert None is found(refused(*["a"] * 7, ok=10))
    assert found(refused(*["a"] * 8, ok=10)) is not None
    assert None is found(refused(*["a"] * 8, ok=60))
    assert None is found(refused(*["a"] * 8, ok=10, unknown=8))
    assert None is found(refused(*["a"] * 8, ok=10, ago=60 * DAY))


def test_a_large_sender_loses_some_every_day() -> None:
    """Of twenty thousand answers a handful disown somebody: that is as usual."""
    assert None is found(refused("a", "a", "b", "b", "c", "c", ok=20_000))


def test_with_little_mail_an_hour_is_looked_back_on() -> None:
    """One refusal every six minutes: no ten minutes show it, the hour does."""
    memory = Memory(site="google")
    for number in range(10):
        remember_refusals(memory, refused("a", ok=1, minute=AT + number * 6 * MINUTE))
    last = AT + 54 * MINUTE
    figures = disowns(refused("a", ok=1, minute=last), memory, last + MINUTE)
    assert figures is not None
    assert 10 == figures.known_good
    remember_refusals(memory, refused(ok=1, minute=AT + 3 * HOUR))
    assert [AT + 3 * HOUR] == [cell.minute for cell in memory.recent]
    remember_refusals(memory, refused(ok=LITTLE + 1, minute=AT + 3 * HOUR + MINUTE))
    assert [] == memory.recent


def test_the_answers_since_are_counted() -> None:
    """From the last known recipient that was refused."""
    memory = Memory(site="google")
    remember_refusals(memory, refused(ok=4))
    remember_refusals(memory, refused("a", ok=4))
    remember_refusals(memory, refused(ok=3))
    assert 3 == memory.clean


@pytest.mark.parametrize(("known", "messages", "needed"), [(40, 100, 14), (5, 100, 135), (9, 10, 5)])
def test_it_is_over_when_it_could_not_be_chance(known: int, messages: int, needed: int) -> None:
    """The fewer it disowned, the more answers without it must come: else what waits would be tried, and lost."""
    incident = Incident(
        number=1,
        kind=IncidentKind.FALSE_RECIPIENT_REJECTS,
        state=IncidentState.OPEN,
        site="google",
        since=AT,
        opened_at=AT,
        updated_at=AT,
        author="rule:incident-false-recipient-rejects",
        figures=Figures(known_good=known, messages=messages, sites=("google",)),
    )
    now = AT + QUIET_KNOWN + MINUTE
    cells = [refused(ok=6, minute=now - 2 * MINUTE)]
    assert is_over(incident, cells, now, clean=needed)
    assert not is_over(incident, cells, now, clean=needed - 1)
    assert not is_over(incident, [*cells, refused("a", minute=now - 3 * MINUTE)], now, clean=needed)
    assert not is_over(replace(incident, opened_at=now - MINUTE), cells, now, clean=needed)
