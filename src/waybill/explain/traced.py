"""What a received copy that came back tells of the time after the receiver's yes."""

from collections.abc import Iterator

from waybill.explain.case import Case
from waybill.explain.record import Evidence, Remedy, Who
from waybill.explain.remedies import sender
from waybill.explain.words import author, quoted, span
from waybill.model.clock import MINUTE
from waybill.model.event import Event
from waybill.model.traced import QUARANTINE, CopyTraced

LATE = MINUTE
"""Time inside the receiver from which on it is told as a delay of its own."""

_FOLDERS = {"spam": "filed as spam", QUARANTINE: "put into quarantine", "inbox": "put into the inbox"}


def copy_of(case: Case) -> tuple[Event, CopyTraced] | None:
    """The newest copy that came back."""
    for event in reversed(case.events):
        if isinstance(event.fact, CopyTraced):
            return event, event.fact
    return None


def in_the_inbox(case: Case) -> bool:
    """Whether a copy that came back shows that it was not taken for spam."""
    found = copy_of(case)
    return found is not None and found[1].filed == "inbox"


def what_the_copy_shows(fact: CopyTraced) -> str:
    """For a headline: where it was filed and by whom, else how late it was stored."""
    if fact.is_spam:
        judged = _FOLDERS[fact.filed] if fact.is_folder or fact.filed == QUARANTINE else "taken for spam"
        why = f": {fact.reason}" if fact.reason else ""
        return f", and {judged} there by {fact.system or 'its filter'}{why}. The copy that came back says so."
    if (fact.after_ms or 0) < LATE and fact.filed == "inbox":
        judged = "put into the inbox" if fact.is_folder else "not taken for spam"
        return f", and {judged} there by {fact.system or 'its filter'}. The copy that came back says so."
    slowest = f", most of it at {fact.slowest}" if fact.slowest else ""
    return (
        f", and stored late there: {span(fact.after_ms or 0)} went by inside{slowest}. The copy that came back says so."
    )


def copy_evidence(case: Case) -> Iterator[Evidence]:
    """The verdict as it stands in the copy's header, and the time inside the receiver."""
    found = copy_of(case)
    if found is None:
        return
    event, fact = found
    kept = f"kept by {author(fact.by)}" + (f", tied by {fact.found_by}" if fact.found_by else "")
    if fact.header is not None:
        means = f"{fact.header}: {quoted(fact.words or '')}\n{fact.text or ''}".rstrip()
        grounds = "".join(f"\n{ground}" for ground in fact.grounds)
        source = f"{fact.system or 'a filter'}, in the header of the received copy ({kept})"
        yield Evidence(at=event.at, kind="copy", source=source, text=f"{means}{grounds}", event=event.id)
    if fact.after_ms is not None:
        at = f", most of it at {fact.slowest}" if fact.slowest else ""
        text = f"by the Received fields of the copy it spent {span(fact.after_ms)} inside the receiver{at}"
        yield Evidence(at=event.at, kind="known", source=f"the received copy ({kept})", text=text, event=event.id)


def copy_remedies(case: Case) -> tuple[Remedy, ...]:
    """What to do about a copy that was taken for spam; nothing where none was."""
    found = copy_of(case)
    if found is None or not found[1].is_spam:
        return ()
    fact = found[1]
    grounds = f"What counted most: {'; '.join(fact.grounds[:3])}." if fact.grounds else "It gives no grounds."
    return (
        Remedy(
            who=Who.RECIPIENT,
            text=f"Move it out of Junk, mark it as not spam, and add {case.message.sender} to the contacts: filters learn from that.",
        ),
        sender(
            f"{fact.system or 'The filter'} decided by the message itself and what it knows of the sender. {grounds}"
        ),
    )


def describe_copy(fact: CopyTraced) -> str:
    """For the timeline."""
    filed = (
        f"{fact.system}: {_FOLDERS.get(fact.filed, 'where it was filed is not told')}" if fact.system else "no verdict"
    )
    inside = f"; {span(fact.after_ms)} inside the receiver" if fact.after_ms is not None else ""
    return f"a received copy came back, kept by {author(fact.by)}: {filed}{inside}"
