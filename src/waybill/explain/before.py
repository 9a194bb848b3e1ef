"""The time before Waybill had a message, as far as somebody other than the client's own clock tells of it."""

from dataclasses import dataclass

from waybill.mail.header import Field
from waybill.mail.received_path import read_path
from waybill.model.clock import DAY, MINUTE, Instant
from waybill.model.message import Message, Source

LATE = MINUTE
"""Time before acceptance from which on it is told as a delay of its own."""

_OLDEST = 7 * DAY


@dataclass(frozen=True, kw_only=True, slots=True)
class Before:
    """When the message was first seen, and by whom: a server that it came through, or ours while it was being handed in."""

    since: Instant
    by: str
    last: str | None
    ms: int


def time_before(message: Message) -> Before | None:
    """The time before acceptance; None where nothing reliable tells of it.

    An API client's signature is dated by its own clock, so it proves nothing. The start of an SMTP transaction is on our
    clock, and servers that a message came through have written theirs into it (Received, RFC 5321 §4.4).
    """
    through = _servers_before(message)
    if through is not None:
        return through
    started = message.client_started_at
    if message.source is not Source.SMTP or started is None or started >= message.accepted_at:
        return None
    return Before(since=started, by="the client", last=None, ms=message.accepted_at - started)


def _servers_before(message: Message) -> Before | None:
    fields = [Field(name, value, 0, 0) for name, value in message.headers if name.lower() == "received"]
    timed = read_path(fields).timed if fields else ()
    if not timed:
        return None
    since = timed[0].hop.at
    ms = message.accepted_at - (since or 0)
    if since is None or not 0 < ms < _OLDEST:
        return None
    return Before(since=since, by=timed[0].hop.place, last=timed[-1].hop.place, ms=ms)
