"""Why a delivery that was due had to wait its turn: a rate that its site is sent at, told with the attempt that ends the wait."""

from waybill.model.clock import SECOND, Instant
from waybill.model.message import Delivery
from waybill.model.outcome import Slowed
from waybill.queue.lanes import Lane

LEAST = SECOND
"""A shorter wait is not worth a word."""

RATE_LIMIT = "rate-limit"


def slowed_by(lane: Lane, delivery: Delivery, began: Instant) -> Slowed | None:
    """The rate that the delivery waited for, by the lane's state as its attempt begins; None where it did not wait, or for no rate."""
    due = max(delivery.accepted_at, delivery.next_at or 0)
    if began - due < LEAST:
        return None
    title, suspension, note, own = lane.site.title, lane.suspension, lane.pace.note, lane.pace.per_second
    if suspension is not None and suspension.per_minute and suspension.holds(began):
        text = f"mail to {title} goes at {suspension.per_minute:g} messages a minute: {suspension.reason}"
        return Slowed(by=suspension.by, since=max(due, suspension.at), text=text)
    if note is not None:
        text = f"mail to {title} goes at {note.per_second:g} messages a second from this worker, since it answered: {note.reply}"
        return Slowed(by=RATE_LIMIT, since=max(due, note.at), text=text)
    if own is not None:
        text = f"mail to {title} goes at {own:g} messages a second from this worker, which is what it bears"
        return Slowed(by=RATE_LIMIT, since=due, text=text)
    return None
