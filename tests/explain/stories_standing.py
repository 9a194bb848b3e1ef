"""Stories in which a blocklist was asked by us, and what it said stands beside what the receiver said."""

from collections.abc import Callable
from typing import Any

from tests.explain.life import SOURCE_IP, START, Life
from tests.explain.stories_receiver import REPLIES
from waybill.model.clock import HOUR, MINUTE
from waybill.model.outcome import Stage
from waybill.model.standing import Listed, ListingState

ZEN = "zen.spamhaus.org"


def _said(state: ListingState, zone: str = ZEN, subject: str = SOURCE_IP, **changes: Any) -> Listed:
    fields: dict[str, Any] = {
        "blocklist": zone,
        "since": START - 3 * HOUR,
        "asked_at": START + 7 * MINUTE,
        "answers": ("127.0.0.4",) if state is ListingState.LISTED else (),
        "text": f"Spamhaus ZEN lists {subject} (127.0.0.4: XBL: a hijacked machine or an open proxy)"
        if state is ListingState.LISTED
        else "",
    }
    return Listed(subject=subject, zone=zone, state=state, **fields | changes)


def _blocked(*listings: Listed) -> Life:
    return Life(listings=listings).answered(*REPLIES["ip_blocklisted"]).wait(26 * HOUR)


LIVES: dict[str, Callable[[], Life]] = {
    "ip_blocklisted-list-says-so": lambda: _blocked(_said(ListingState.LISTED)),
    "ip_blocklisted-list-no-more": lambda: _blocked(
        _said(ListingState.LISTED, until=START + HOUR), _said(ListingState.CLEAR, since=START + HOUR)
    ),
    "ip_blocklisted-list-only-since": lambda: _blocked(
        _said(ListingState.LISTED, since=START + HOUR, asked_at=START + 2 * HOUR)
    ),
    "ip_blocklisted-no-list-says-so": lambda: _blocked(
        _said(ListingState.CLEAR),
        _said(ListingState.CLEAR, "psbl.surriel.com"),
        _said(ListingState.REFUSED, "b.example"),
    ),
    "domain_blocklisted-list-says-so": lambda: Life(
        listings=(
            _said(
                ListingState.LISTED,
                "dbl.spamhaus.org",
                "shop.example",
                answers=("127.0.1.2",),
                text="Spamhaus DBL lists shop.example (127.0.1.2)",
            ),
        )
    ).answered(*REPLIES["domain_blocklisted"]),
    "accepted_by_receiver-on-no-list": lambda: (
        Life(listings=(_said(ListingState.CLEAR), _said(ListingState.CLEAR, "dbl.spamhaus.org", "shop.example")))
        .answered("250 2.0.0 Ok: queued as 4Q7", Stage.MESSAGE)
        .wait(26 * HOUR)
    ),
    "accepted_by_receiver-on-a-list": lambda: (
        Life(listings=(_said(ListingState.LISTED),))
        .answered("250 2.0.0 Ok: queued as 4Q7", Stage.MESSAGE)
        .wait(26 * HOUR)
    ),
}
