"""A key that vanishes from the DNS: taken while it is there, refused when it is gone, and the answer says until when it was."""

from collections.abc import Sequence
from dataclasses import replace

from tests.lessons.journey import EVERYWHERE, Journey, received
from tests.queue.queueing import World
from tests.queue.test_sign import CONTENT, ED_KEY, has_identity
from waybill.explain.record import RecipientExplanation
from waybill.inquire import inquire
from waybill.lab.dns import LabDns, Zones
from waybill.lab.script import Rule, Script
from waybill.mail.dkim import dns_record
from waybill.model.clock import DAY, HOUR, rfc3339
from waybill.model.message import Delivery
from waybill.model.outcome import Stage
from waybill.model.resource import DkimKey, Identity
from waybill.net.lookup import ResolverLookups
from waybill.net.resolver import Resolver
from waybill.standing.authentication_watch import AuthenticationWatch
from waybill.store.protocol import Store

KEY_NAME = "s2._domainkey.sender.example"
POLICY = {"_dmarc.sender.example": ['TXT "v=DMARC1; p=reject"']}
KEY = {KEY_NAME: [f'TXT "{dns_record("ed25519", ED_KEY.public)}"']}
STRICT = Script(
    rules=(
        Rule(stage=Stage.MESSAGE, recipient="first@*"),
        Rule(
            stage=Stage.MESSAGE,
            recipient="*@*",
            reply="550-5.7.26 Unauthenticated email from sender.example is not accepted due to\n"
            "550 5.7.26 domain's DMARC policy.",
        ),
    )
)


def watching(store: Store, dns: LabDns, world: World) -> AuthenticationWatch:
    """What the service has, on a set clock."""

    async def find_key(account: str, domain: str, selector: str) -> DkimKey | None:
        identity = await store.get(Identity, account, domain)
        return next((key for key in identity.dkim_keys if key.selector == selector), None) if identity else None

    def lookups() -> ResolverLookups:
        return ResolverLookups(Resolver([dns.address], patience=1.0, rounds=1))

    return AuthenticationWatch(lookups=lookups, find_key=find_key, keep=store.authentications.keep, clock=world.clock)


async def sent(trip: Journey, watch: AuthenticationWatch, recipient: str) -> Delivery:
    """A message on its way, and what was looked at beside it."""
    (delivery,) = await trip.send(recipient, content=CONTENT)
    await watch.close()
    return delivery


async def told(world: World, delivery: Delivery) -> RecipientExplanation:
    explanation = await inquire(world.store, delivery.message_id, world.at + HOUR)
    assert explanation is not None
    return explanation.recipients[0]


def texts(recipient: RecipientExplanation, kind: str) -> Sequence[str]:
    return [item.text for item in recipient.telling.evidence if item.kind == kind]


async def test_a_key_that_is_gone_was_there_until(world: World) -> None:
    """Over real DNS and real SMTP; a day lies between the two messages."""
    await has_identity(world, dkim_keys=(ED_KEY,))
    async with LabDns({**POLICY, **KEY}) as dns:
        watch = watching(world.store, dns, world)
        async with received(world, STRICT, zones=EVERYWHERE, parts={"authenticating": watch}) as (trip, _):
            taken_at = world.at
            taken = await told(world, await sent(trip, watch, "first@reader.test"))
            assert "DKIM passes and aligns with sender.example" in texts(taken, "known")[0]
            world.at += DAY
            dns.zones = Zones(POLICY)
            delivery = await sent(trip, watch, "second@reader.test")
            refused = await told(world, delivery)
            gone = f"the key at {KEY_NAME} was published until {rfc3339(taken_at)[:19].replace('T', ' ')} UTC"
            assert f"{gone} (last good check)" in texts(refused, "changed")[0]
            [proof] = texts(refused, "authentication")
            assert f"DKIM  fail for sender.example: no key is published at {KEY_NAME}" in proof
            world.at += HOUR
            dns.zones = Zones({**POLICY, **KEY})
            await sent(trip, watch, "first@reader.test")
            settled = await told(world, delivery)
    assert f"the key at {KEY_NAME} has been seen since" in texts(settled, "changed")[0]
    assert settled.telling.remedies[0].text.startswith("What was wrong is settled since: send the message again.")
    assert replace(refused.telling, evidence=(), remedies=()) == replace(settled.telling, evidence=(), remedies=())
