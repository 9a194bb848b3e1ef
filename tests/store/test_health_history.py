"""What is kept beside messages' lives: the parts' health, the pace of live probes, and events that change nothing."""

from dataclasses import replace

import pytest

from tests.store.builders import START, accepted
from waybill.model.clock import DAY, SECOND
from waybill.model.event import AutoReplied, EventKind, NewEvent
from waybill.model.health import HealthPeriod
from waybill.model.outcome import Reply, Stage
from waybill.model.probe import Probed, ProbedHost, ProbeStep, Step
from waybill.store.health_history import KEPT
from waybill.store.protocol import NotFound, Store

FAILED = HealthPeriod(part="resolver", state="failing", since=START, until=START + 10, evidence="5 sites")
LASTS = HealthPeriod(part="disk", state="degraded", since=START + 5, evidence="900 MB")


async def test_periods(store: Store) -> None:
    """One row for each part and beginning; those that touch a time are found, the newest first."""
    history = store.health_history
    await history.keep([replace(FAILED, until=None, evidence="4 sites"), LASTS], START)
    await history.keep([FAILED], START)
    assert [LASTS, FAILED] == await history.between(START, START + DAY)
    assert [LASTS] == await history.between(START + 11, START + DAY)
    assert [FAILED] == await history.between(START - DAY, START + 4)
    assert [LASTS, FAILED] == await history.between(START + 10, START + 10)
    assert [LASTS] == await history.between(START, START + DAY, limit=1)
    assert [LASTS] == await history.lasting()


async def test_old_periods_are_forgotten(store: Store) -> None:
    """Once they have ended for long; one that lasts stays."""
    await store.health_history.keep([FAILED, LASTS], START)
    await store.health_history.keep([], START + KEPT + 10)
    assert [LASTS, FAILED] == await store.health_history.between(0, START + DAY)
    await store.health_history.keep([], START + KEPT + 11)
    assert [LASTS] == await store.health_history.between(0, START + DAY)


async def test_the_pace_of_walks(store: Store) -> None:
    """Each domain has its own; a time in the future is a clock that was set back, and holds nobody up."""
    walks, within = store.walks, 30 * SECOND
    assert None is await walks.begin("a.example", START, within=within)
    assert START == await walks.begin("a.example", START + within - 1, within=within)
    assert None is await walks.begin("b.example", START + 1, within=within)
    assert None is await walks.begin("a.example", START + within, within=within)
    assert None is await walks.begin("a.example", START, within=within)


async def test_an_event_that_changes_nothing(store: Store) -> None:
    """It stands in the ledger, and the delivery is as it was."""
    (delivery,) = await accepted(store, START)
    reply = Reply(code=250, enhanced="2.1.5", lines=("2.1.5 Ok",))
    probed = Probed(
        started_at=START,
        ended_at=START + 40,
        helo="us.example",
        mail_from="b@us.example",
        mx=("10 mx.example",),
        steps=(ProbeStep(step=Step.RCPT, at=START, ms=40, ok=True, text="250 2.1.5 Ok", host="mx.example"),),
        hosts=(ProbedHost(host="mx.example", stage=Stage.RCPT, text="250 2.1.5 Ok", reply=reply),),
    )
    event = NewEvent(kind=EventKind.PROBED, at=START, fact=probed, recipient=delivery.recipient)
    await store.append(delivery.message_id, [event])
    ledger = await store.ledger(delivery.message_id)
    assert ledger is not None
    assert (delivery,) == ledger.deliveries
    assert (EventKind.PROBED, probed) == (ledger.events[-1].kind, ledger.events[-1].fact)
    with pytest.raises(NotFound):
        await store.append("nobody's", [NewEvent(kind=EventKind.AUTO_REPLIED, at=START, fact=_REPLY)])


_REPLY = AutoReplied(subject="", auto_submitted="")
