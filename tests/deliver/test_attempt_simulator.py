"""Attempts at the mailbox simulator's addresses, with the real classifier: each comes to the cause it stands for."""

import asyncio
import random
from dataclasses import replace

from tests.deliver.delivering import CONFIG, PARCEL
from waybill.deliver.attempt import Deliverer
from waybill.deliver.classify import classify
from waybill.deliver.config import ZoneRoute
from waybill.lab.simulated import SIMULATED
from waybill.lab.simulator import start_simulator
from waybill.model.cause import Cause
from waybill.model.clock import now
from waybill.net.resolver import Resolver

IN_THE_CONVERSATION = [
    simulated
    for simulated in SIMULATED
    if simulated.after is None and simulated.delay < 1 and simulated.cause is not Cause.SUPPRESSED_GLOBAL
]


async def test_every_simulated_refusal_has_its_cause() -> None:
    """Reached by the zone's route through the simulator's own DNS, whatever private addresses are allowed elsewhere."""
    simulator = await start_simulator(None)
    resolver = Resolver([], zones={simulator.zone: simulator.dns_address}, patience=1.0, rounds=1)
    route = ZoneRoute(zone=simulator.zone, smtp_port=simulator.smtp_port)
    deliverer = Deliverer(
        resolver=resolver,
        config=replace(CONFIG, allow_private=False, zone_routes=(route,)),
        clock=now,
        rng=random.Random(1),
        classify=classify,
    )
    try:
        attempts = await asyncio.gather(
            *(deliverer.attempt(replace(PARCEL, recipient=each.address)) for each in IN_THE_CONVERSATION)
        )
    finally:
        await deliverer.close()
        await simulator.close()
    assert {each.address: each.cause for each in IN_THE_CONVERSATION} == {
        each.address: attempt.outcome.cause for each, attempt in zip(IN_THE_CONVERSATION, attempts, strict=True)
    }
