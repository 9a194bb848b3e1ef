"""Mailboxes that took mail lately are said not to exist: a provider's mistake, or a customer's old list?"""

from collections.abc import Sequence

from waybill.model.clock import DAY, HOUR, MINUTE, Instant
from waybill.model.incident import Figures
from waybill.standing.incident.chance import gamma_poisson_tail
from waybill.standing.incident.counts import Answer, Cell, KnownRefused, merge
from waybill.standing.incident.finding import figures_of
from waybill.standing.incident.memory import Memory

CHANCE = 1e-7
STRENGTH = 2.0
REFUSED = 5
REFUSED_ONE_SENDER = 8
LATELY = 30 * DAY
SHARE = 0.3
SHARE_ONE_SENDER = 0.6
ANSWERED_SHARE_ONE_SENDER = 0.2

RECENT = HOUR
LITTLE = 60
"""Minutes with so few messages are remembered for an hour: where there is little mail, ten minutes say nothing."""


def disowns(cell: Cell, memory: Memory, at: Instant) -> Figures | None:
    """The figures, where known recipients are refused that cannot all be gone: in ten minutes, or with little mail in an hour."""
    figures = _judge(cell, memory, at)
    if figures is not None:
        return figures
    recent = merge(memory.recent)
    return None if recent is None else _judge(recent, memory, at)


def remember_refusals(memory: Memory, cell: Cell) -> None:
    """Takes in a complete minute: for the hour that is looked back on, and for how long nobody known was refused."""
    answered = sum(cell.answers.values()) + sum(cell.again.values())
    memory.clean = 0 if cell.known_refused else memory.clean + answered
    memory.recent = [one for one in memory.recent if one.minute > cell.minute - RECENT + MINUTE]
    if answered > LITTLE:
        memory.recent = []
    elif answered:
        slim = Cell(minute=cell.minute, site=cell.site, title=cell.title, is_provider=cell.is_provider)
        slim.answers, slim.again, slim.refused = cell.answers, cell.again, cell.refused
        slim.known_refused = cell.known_refused
        slim.rules = {rule: count for rule, count in cell.rules.items() if cell.known_refused}
        slim.words = {rule: cell.words.get(rule, "") for rule in slim.rules}
        memory.recent.append(slim)


def _judge(cell: Cell, memory: Memory, at: Instant) -> Figures | None:
    known = list(cell.known_refused.values())
    if len(known) < REFUSED:
        return None
    answered = max(sum(cell.answers.values()) + sum(cell.again.values()), len(known))
    chance = gamma_poisson_tail(len(known), answered, memory.known_refused, STRENGTH)
    if chance >= CHANCE or not _enough(known, max(cell.refused, len(known)), answered, at):
        return None
    return figures_of(cell, (Answer.RECIPIENT,), usual=memory.known_refused, chance=chance, test="known mailboxes")


def _enough(known: Sequence[KnownRefused], refused: int, answered: int, at: Instant) -> bool:
    """Of several senders five, of one alone eight and most of its mail.

    With one sender its own list may be bad; then those that it has never reached are refused with the others, and those that
    it has reached it reached long ago.
    """
    lately = sum(1 for one in known if at - one.last_taken < LATELY)
    senders = {(one.account, one.sender) for one in known}
    by_one = max(sum(1 for one in known if (one.account, one.sender) == each) for each in senders)
    if len(known) - by_one >= 2:
        return lately >= REFUSED and len(known) >= SHARE * refused
    of_refused, of_all = SHARE_ONE_SENDER * refused, ANSWERED_SHARE_ONE_SENDER * answered
    return lately >= REFUSED_ONE_SENDER and len(known) >= max(of_refused, of_all)
