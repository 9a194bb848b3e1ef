"""Every address of the mailbox simulator, sent through boto3: explanation, ledger and SES events agree on its fate."""

import pytest

from tests.flow.conftest import EVENT_SET
from tests.flow.installation import Installation, until
from tests.flow.listener import Listener
from waybill.lab.simulated import SIMULATED, SimulatedAddress
from waybill.model.cause import CATALOGUE, Cause
from waybill.queue.schedule import POLICIES

pytestmark = pytest.mark.story

_PUT_OFF = {"greylist", "delayed"}
"""Addresses that take the message in the end."""

_AFTER_THE_250 = {"complaint": ("complained", "Complaint"), "later-bounce": ("bounced", "Bounce")}

_TOLD_AS = {
    "accepted": "Send",
    "delivered": "Delivery",
    "deferred": "DeliveryDelay",
    "bounced": "Bounce",
    "bounce_received": "Bounce",
    "suppressed": "Bounce",
    "complained": "Complaint",
}
"""The SES event that tells of each kind of the ledger's; of others, such as automatic replies, it tells nothing."""


def _key(entry: SimulatedAddress) -> str:
    return entry.local if entry.local != "anyone" else entry.domain.partition(".")[0]


@pytest.fixture(scope="module")
def sent(service: Installation) -> dict[str, str]:
    """The message id of each address; all are sent before the first is looked at."""
    return {
        entry.address: service.send(
            entry.address.replace("@", "+flow@"), ConfigurationSetName=EVENT_SET, sender="orders@shop.example"
        )
        for entry in SIMULATED
    }


def _expected(entry: SimulatedAddress) -> tuple[str, str, list[str]]:
    """Status, cause and SES events."""
    if entry.local in _AFTER_THE_250:
        status, event = _AFTER_THE_250[entry.local]
        return status, entry.cause.value, sorted(["Send", "Delivery", event])
    if entry.local in _PUT_OFF:
        delays = ["DeliveryDelay"] * (entry.times or 0)
        return "delivered", Cause.ACCEPTED_BY_RECEIVER.value, ["Delivery", *delays, "Send"]
    if entry.cause is Cause.ACCEPTED_BY_RECEIVER:
        return "delivered", entry.cause.value, ["Delivery", "Send"]
    if entry.cause is Cause.SUPPRESSED_GLOBAL:
        return "suppressed", entry.cause.value, ["Bounce", "Send"]
    if CATALOGUE[entry.cause].permanent or entry.reply.startswith("5"):
        return "bounced", entry.cause.value, ["Bounce", "Send"]
    # Two short waits, then an hour, which the causes that take patience begin with.
    delays = ["DeliveryDelay"] * (1 if entry.cause in POLICIES else 3)
    return "delayed", entry.cause.value, [*delays, "Send"]


@pytest.mark.parametrize("entry", SIMULATED, ids=_key)
def test_an_address_of_the_simulator_meets_its_fate(
    entry: SimulatedAddress, sent: dict[str, str], service: Installation, listener: Listener
) -> None:
    """What the receiver said is what explain, the ledger and SES's events say, and about whom it was said."""
    message_id = sent[entry.address]
    status, cause, events = _expected(entry)
    told = service.ended(message_id, status)
    assert cause == told["cause"]
    assert CATALOGUE[Cause(cause)].branch.value == told["branch"]
    if status != "delivered":
        assert CATALOGUE[Cause(cause)].scope.value == told["scope"]
    if entry.reply and status in {"bounced", "delayed"}:
        assert entry.reply in str(told["evidence"])
    until(lambda: sorted(_TOLD_AS[kind] for kind in service.kinds(message_id) if kind in _TOLD_AS) == events)
    until(lambda: listener.kinds(message_id) == events)
