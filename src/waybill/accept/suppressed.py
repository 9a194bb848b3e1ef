"""Which recipients a suppression list stops."""

from collections.abc import Sequence

from waybill.deliver.suppress import effective_reasons
from waybill.model.address import comparable
from waybill.model.clock import Instant
from waybill.model.event import Suppressed
from waybill.model.message import new_message_id
from waybill.model.resource import Account, ConfigurationSet
from waybill.model.simulator import is_simulated
from waybill.model.suppression import GLOBAL, ON_ACCOUNT_LIST, ON_GLOBAL_LIST, Reason, Suppression
from waybill.store.protocol import Store


async def find_suppressed(
    store: Store,
    account: Account,
    configuration_set: ConfigurationSet | None,
    recipients: Sequence[str],
    at: Instant,
) -> dict[str, Suppressed]:
    """For each recipient that is stopped, the entry that stops it. Recipients have their domains in lower case.

    The account's list is asked first: an entry stops if its reason is in force for the message. As with SES, an
    account's list that is in force for bounces overrides the global list's automatic entries; what the operator has put
    on the global list by hand always stops, and so does the simulator's ``suppressionlist@``.
    """
    reasons = effective_reasons(account, configuration_set)
    entries = await store.suppressed(account.name, recipients, at)
    entries.extend(_simulated(recipient, at) for recipient in recipients if _acts_suppressed(recipient))
    stopped: dict[str, Suppressed] = {}
    for entry in sorted(entries, key=lambda entry: entry.account == GLOBAL):
        recipient = comparable(entry.address)
        if recipient not in stopped and _stops(entry, reasons):
            text = ON_GLOBAL_LIST if entry.account == GLOBAL else ON_ACCOUNT_LIST
            stopped[recipient] = Suppressed(entry=entry, feedback_id=new_message_id(at), diagnostic=text)
    return stopped


def _stops(entry: Suppression, reasons: tuple[Reason, ...]) -> bool:
    if entry.account != GLOBAL:
        return entry.reason in reasons
    automatic = entry.author.startswith("rule:") and not is_simulated(entry.address)
    return not (automatic and Reason.BOUNCE in reasons)


def _acts_suppressed(recipient: str) -> bool:
    return is_simulated(recipient) and recipient.partition("@")[0].partition("+")[0].lower() == "suppressionlist"


def _simulated(address: str, at: Instant) -> Suppression:
    return Suppression(
        account=GLOBAL,
        address=address,
        reason=Reason.BOUNCE,
        at=at,
        author="rule:simulator",
        diagnostic="the mailbox simulator's suppressionlist@ behaves as if it were on the global suppression list",
    )
