"""What was found in contents is written beside the sending, as events of the messages."""

from tests.store.builders import START, accepted
from waybill.model.content import ContentExamined, Finding, Severity
from waybill.model.event import EventKind
from waybill.store.examinations import Examined
from waybill.store.protocol import Store

RISK = Finding(
    id="html-only", severity=Severity.MEDIUM, text="there is no text part beside the HTML", source="RFC 2046"
)
FACT = ContentExamined(by="waybill", findings=(RISK,))


async def facts(store: Store, message_id: str) -> list[object]:
    ledger = await store.ledger(message_id)
    assert ledger is not None
    return [(event.at, event.fact) for event in ledger.events if event.kind is EventKind.CONTENT_EXAMINED]


async def test_kept_once_for_an_examiner(store: Store) -> None:
    """Each message of a batch gets its event, once for an examiner, whoever examined it first."""
    (first,) = await accepted(store)
    (second,) = await accepted(store)
    rspamd = ContentExamined(by="rspamd 3.4", score=7.5, threshold=6.0, action="add header")
    await store.examinations.keep(
        [
            Examined(message_id=first.message_id, at=START + 1, fact=FACT),
            Examined(message_id=second.message_id, at=START + 2, fact=FACT),
            Examined(message_id=first.message_id, at=START + 3, fact=rspamd),
            Examined(message_id="unknown", at=START + 3, fact=FACT),
        ]
    )
    await store.examinations.keep([Examined(message_id=first.message_id, at=START + 9, fact=FACT)])
    await store.examinations.keep([])
    assert [(START + 1, FACT), (START + 3, rspamd)] == await facts(store, first.message_id)
    assert [(START + 2, FACT)] == await facts(store, second.message_id)


async def test_ids_go_on(store: Store) -> None:
    """Events written afterwards have later ids."""
    (first,) = await accepted(store)
    await store.examinations.keep([Examined(message_id=first.message_id, at=START + 1, fact=FACT)])
    (later,) = await accepted(store)
    ledger, after = await store.ledger(first.message_id), await store.ledger(later.message_id)
    assert ledger is not None
    assert after is not None
    assert ledger.events[-1].id < after.events[0].id
