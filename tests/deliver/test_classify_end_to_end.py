"""Every example of every rule, said by a real receiver: from the socket to the Outcome of an attempt."""

import asyncio
import random
from dataclasses import replace

import pytest

from tests.deliver.delivering import CONFIG, PARCEL
from waybill.deliver.attempt import Deliverer
from waybill.deliver.classify import RULES, classify
from waybill.deliver.rules import Rule
from waybill.lab.dns import LabDns
from waybill.lab.receiver import Receiver
from waybill.lab.script import Rule as Line
from waybill.lab.script import Script
from waybill.mail.reply import MalformedReply, parse_reply
from waybill.model.clock import now
from waybill.model.outcome import Outcome, Stage
from waybill.net.resolver import Resolver

AT_ONCE = 16
ABOUT_RECIPIENT = {Stage.RCPT, Stage.DATA, Stage.MESSAGE}
HOST_OF = {provider.name: provider.mx[0].lstrip(".") for provider in RULES.providers}


def _is_reply(example: str) -> bool:
    """Words without a code come from reports, never from a conversation."""
    try:
        return parse_reply(example).code >= 400
    except MalformedReply:
        return False


SAID = [(rule, example) for rule in RULES.rules for example in rule.examples if _is_reply(example)]


def _stage(rule: Rule) -> Stage:
    return min(rule.stages, default=Stage.MESSAGE)


@pytest.mark.parametrize("stage", sorted({_stage(rule) for rule, _ in SAID}))
async def test_every_example_goes_from_the_wire_to_its_rule(stage: Stage) -> None:
    """Each has a domain and an MX host of its own, which bears its provider's name, and lands on the rule it is shown for."""
    cases = {f"r{number}": (rule, example) for number, (rule, example) in enumerate(SAID) if _stage(rule) is stage}
    hosts = {name: f"{name}.{HOST_OF.get(rule.provider or '', 'mx.test')}" for name, (rule, _) in cases.items()}
    zones = {f"{name}.test": [f"MX 10 {host}"] for name, host in hosts.items()}
    zones |= {host: ["A 127.0.0.1"] for host in hosts.values()}
    lines = tuple(
        Line(stage=stage, recipient=f"{name}@{name}.test", reply=example) for name, (_, example) in cases.items()
    )
    expected = {name: (rule.id, rule.cause) for name, (rule, _) in cases.items()}
    if stage not in ABOUT_RECIPIENT:  # there the receiver does not know the recipient: one receiver for each
        outcomes = {
            name: (await _deliver_all([name], zones, Script(rules=(replace(line, recipient="*"),))))[name]
            for name, line in zip(cases, lines, strict=True)
        }
    else:
        outcomes = await _deliver_all(list(cases), zones, Script(rules=lines))
    assert expected == {name: (outcome.rule, outcome.cause) for name, outcome in outcomes.items()}


async def _deliver_all(names: list[str], zones: dict[str, list[str]], script: Script) -> dict[str, Outcome]:
    async with Receiver(script) as receiver, LabDns(zones) as dns:
        resolver = Resolver([dns.address], patience=1.0, rounds=2)
        deliverer = Deliverer(
            resolver=resolver,
            config=replace(CONFIG, port=receiver.port),
            clock=now,
            rng=random.Random(1),
            classify=classify,
        )
        turns = asyncio.Semaphore(AT_ONCE)

        async def deliver(name: str) -> Outcome:
            async with turns:
                attempt = await deliverer.attempt(replace(PARCEL, recipient=f"{name}@{name}.test"))
                return attempt.outcome

        try:
            outcomes = await asyncio.gather(*map(deliver, names))
        finally:
            await deliverer.close()
            await resolver.close()
    return dict(zip(names, outcomes, strict=True))
