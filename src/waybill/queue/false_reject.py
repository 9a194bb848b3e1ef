"""Refusals that cannot all be true: a provider that says of many who took mail lately that they do not exist is mistaken.

In December 2020 Gmail answered 550 5.1.1 for existing mailboxes, for hours, and senders lost their best addresses to their
suppression lists. While a site is suspected of that, no refusal of a recipient who took mail before suppresses.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import TypeAlias

from waybill.model.clock import DAY, MINUTE, Instant

KNOWN_GOOD_FOR = 90 * DAY
"""A recipient whose server took mail within this time is known to exist."""

WINDOW = 10 * MINUTE
REFUSED = 3
SHARE = 0.2
"""Suspected: so many known recipients refused within the window, and so large a share of all that the site answered."""

Known: TypeAlias = tuple[str, str]
"""An account and the address of a recipient that took mail from it."""

SUSPECTED_FOR = 60 * MINUTE
_MOST_SITES = 1_000
_MOST_ANSWERS = 2_000


@dataclass(kw_only=True, slots=True)
class _Site:
    answers: deque[Instant] = field(default_factory=lambda: deque(maxlen=_MOST_ANSWERS))
    refused: OrderedDict[Known, Instant] = field(default_factory=OrderedDict)
    suspected_until: Instant = 0


class FalseRejects:
    """What this worker has heard of late, by site."""

    def __init__(self) -> None:
        self._sites: OrderedDict[str, _Site] = OrderedDict()

    def answered(self, site: str, at: Instant) -> None:
        """The site took a message, or refused one for good."""
        self._of(site).answers.append(at)

    def refused(self, site: str, recipient: Known, at: Instant) -> tuple[Known, ...] | None:
        """A known recipient was refused as one that does not exist.

        None while nothing speaks against it; else the recipients refused before in the window, for what was made of their refusals
        rests on the same mistake.
        """
        known = self._of(site)
        while known.refused and next(iter(known.refused.values())) <= at - WINDOW:
            known.refused.popitem(last=False)
        known.refused[recipient] = at
        answers = sum(1 for each in known.answers if each > at - WINDOW)
        if len(known.refused) >= REFUSED and len(known.refused) >= SHARE * answers:
            known.suspected_until = at + SUSPECTED_FOR
        if at >= known.suspected_until:
            return None
        return tuple(each for each in known.refused if each != recipient)

    def _of(self, site: str) -> _Site:
        known = self._sites.pop(site, None) or _Site()
        self._sites[site] = known
        if len(self._sites) > _MOST_SITES:
            self._sites.popitem(last=False)
        return known


def is_known_good(last_delivered: Instant | None, at: Instant) -> bool:
    """Whether a recipient whose server took mail at ``last_delivered`` surely existed lately."""
    return last_delivered is not None and last_delivered > at - KNOWN_GOOD_FOR
