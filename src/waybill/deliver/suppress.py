"""Which suppression entries a bounce or complaint makes: pure, and the same for a refusal and for a report that came home."""

from collections.abc import Iterable
from dataclasses import dataclass

from waybill.model.address import comparable
from waybill.model.cause import Cause
from waybill.model.clock import DAY, Instant
from waybill.model.event import EventKind, NewEvent, SuppressionAdded
from waybill.model.outcome import Outcome
from waybill.model.resource import Account, ConfigurationSet
from waybill.model.simulator import is_simulated
from waybill.model.suppression import GLOBAL, Reason, Suppression

GLOBAL_LIFETIME = 14 * DAY
"""How long an entry of the global list stands: the longest that Amazon SES keeps one. Account entries stay until removed."""

COMPLAINT_RULE = "complaint-report"


@dataclass(frozen=True, kw_only=True, slots=True)
class Grounds:
    """What a suppression rests on: the message, its reply or report, and the rule that judged it.

    ``rule`` is the id without its ``rule:`` prefix; ``diagnostic`` the words of the receiver.
    """

    reason: Reason
    rule: str
    message_id: str
    feedback_id: str
    diagnostic: str
    at: Instant
    cause: Cause | None = None


def grounds_of_bounce(outcome: Outcome, *, message_id: str, feedback_id: str, at: Instant) -> Grounds | None:
    """The grounds that a refusal gives, or None where it must not suppress: only a certain, permanent one of this recipient does."""
    if not outcome.suppress:
        return None
    return Grounds(
        reason=Reason.BOUNCE,
        rule=outcome.rule,
        message_id=message_id,
        feedback_id=feedback_id,
        diagnostic=outcome.diagnostic,
        at=at,
        cause=outcome.cause,
    )


def effective_reasons(account: Account, configuration_set: ConfigurationSet | None) -> tuple[Reason, ...]:
    """The reasons in force for a message: its configuration set's where it sets them (none, even), else the account's."""
    if configuration_set is not None and configuration_set.suppressed_reasons is not None:
        return configuration_set.suppressed_reasons
    return account.suppressed_reasons


def entries_for(
    grounds: Grounds, recipient: str, account: Account, configuration_set: ConfigurationSet | None
) -> tuple[Suppression, ...]:
    """The entries that these grounds put on the lists; none for the mailbox simulator.

    The account's list takes the reasons in force for the message. The global list takes bounces whatever the
    account's settings are, and for ``GLOBAL_LIFETIME`` only; a complaint is between recipient and sender and
    concerns no other account.
    """
    if is_simulated(recipient):
        return ()
    lists: list[tuple[str, Instant | None]] = []
    if grounds.reason in effective_reasons(account, configuration_set):
        lists.append((account.name, None))
    if grounds.reason is Reason.BOUNCE:
        lists.append((GLOBAL, grounds.at + GLOBAL_LIFETIME))
    return tuple(
        Suppression(
            account=owner,
            address=comparable(recipient),
            reason=grounds.reason,
            at=grounds.at,
            author=f"rule:{grounds.rule}",
            message_id=grounds.message_id,
            feedback_id=grounds.feedback_id,
            diagnostic=grounds.diagnostic,
            expires_at=expires_at,
            cause=grounds.cause,
        )
        for owner, expires_at in lists
    )


def additions(entries: Iterable[Suppression], recipient: str) -> tuple[NewEvent, ...]:
    """The ledger's events for entries that a message makes: one for each list."""
    return tuple(
        NewEvent(
            kind=EventKind.SUPPRESSION_ADDED,
            at=entry.at,
            recipient=recipient,
            fact=SuppressionAdded(
                list="global" if entry.account == GLOBAL else "account",
                reason=entry.reason,
                author=entry.author,
                expires_at=entry.expires_at,
            ),
        )
        for entry in entries
    )
