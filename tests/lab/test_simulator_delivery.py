import random
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from waybill.deliver.attempt import Deliverer, Parcel
from waybill.deliver.classify import classify
from waybill.deliver.config import DeliverConfig, ZoneRoute
from waybill.lab.script import AfterEffect
from waybill.lab.simulated import SIMULATED, ZONE, SimulatedAddress
from waybill.lab.simulator import Simulator, start_simulator
from waybill.model.cause import Cause
from waybill.model.clock import now
from waybill.model.outcome import Attempt, Result
from waybill.net.resolver import Resolver

CONTENT = b"From: a@b.example\r\nSubject: hello\r\n\r\nhello\r\n"


@dataclass(frozen=True)
class Sending:
    """A deliverer that reaches the simulator the way the service does."""

    deliverer: Deliverer
    simulator: Simulator

    async def to(self, recipient: str) -> Attempt:
        parcel = Parcel(
            delivery_id=1, message_id="m", recipient=recipient, mail_from="r@b.example", content=CONTENT, number=1
        )
        return await self.deliverer.attempt(parcel)


@pytest.fixture
async def sending() -> AsyncIterator[Sending]:
    async with await start_simulator(None) as simulator:
        deliverer = Deliverer(
            resolver=Resolver(["127.0.0.1:9"], zones={ZONE: simulator.dns_address}, patience=2.0, rounds=1),
            config=DeliverConfig(
                hostname="us.example", zone_routes=(ZoneRoute(zone=ZONE, smtp_port=simulator.smtp_port),)
            ),
            clock=now,
            rng=random.Random(1),
            classify=classify,
        )
        yield Sending(deliverer, simulator)
        await deliverer.close()


def _first_cause(entry: SimulatedAddress) -> Cause:
    """What the attempt itself shows; reports come home later, and the suppression list is looked at earlier."""
    if entry.after is AfterEffect.COMPLAINT or entry.after is AfterEffect.BOUNCE:
        return Cause.ACCEPTED_BY_RECEIVER
    return Cause.USER_UNKNOWN if entry.cause is Cause.SUPPRESSED_GLOBAL else entry.cause


@pytest.mark.parametrize("entry", [entry for entry in SIMULATED if not entry.delay], ids=lambda entry: entry.address)
async def test_attempt_shows_the_cause_of_the_table(sending: Sending, entry: SimulatedAddress) -> None:
    """A real attempt at each address ends in the cause that its table promises."""
    attempt = await sending.to(entry.address)
    assert attempt.outcome.cause is _first_cause(entry)


async def test_tls_is_used_where_it_is_offered(sending: Sending) -> None:
    """The simulator is reached over TLS with an unverified certificate, notls. in clear."""
    encrypted = await sending.to(f"success@{ZONE}")
    assert encrypted.tls is not None
    assert not encrypted.tls.verified
    assert [message.encrypted for message in sending.simulator.received] == [True]
    clear = await sending.to(f"anyone@notls.{ZONE}")
    assert (clear.tls, clear.outcome.result) == (None, Result.DELIVERED)
