"""What is noted of mail that has gone out: under which name its authentication is kept, and whether its signatures held."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tests.queue.queueing import World, answer, work
from tests.queue.test_sign import CONTENT, ED_KEY, has_identity
from tests.store.builders import ACCOUNT, accepted
from waybill.deliver.attempt import Parcel
from waybill.mail.dkim import Signer, generate_ed25519, load_key, sign
from waybill.model.authentication import Sending, SignatureBroken
from waybill.model.cause import Cause, Scope
from waybill.model.event import Attempted, EventKind
from waybill.model.outcome import Attempt, Result
from waybill.queue.own_signature import EVERY, LARGEST, Samples, broken_signatures

SIGNER = Signer(domain="sender.example", selector="s2", key=load_key(ED_KEY.private_pem, "ed25519"))


@dataclass
class Noted:
    """Keeps what it is told."""

    told: list[tuple[Sending, bool]] = field(default_factory=list)

    def see(self, sending: Sending, *, refused: bool) -> str:
        self.told.append((sending, refused))
        return "a-name"


@dataclass
class From:
    """Attempts that leave from an address, and come to a result."""

    world: World
    source_ip: str | None = "198.51.100.4"
    ip: str = "203.0.113.7"
    cause: Cause = Cause.ACCEPTED_BY_RECEIVER

    async def __call__(self, parcel: Parcel) -> Attempt:
        attempt = answer(Result.DELIVERED, parcel, self.world.at)
        if self.cause is not Cause.ACCEPTED_BY_RECEIVER:
            outcome = replace(
                attempt.outcome, result=Result.BOUNCED, cause=self.cause, scope=Scope.SENDER_DOMAIN, permanent=True
            )
            attempt = replace(attempt, outcome=outcome)
        return replace(attempt, source_ip=self.source_ip, ip=self.ip, helo="mail.sender.example")


async def attempts_of(world: World, script: From, *, messages: int = 1, **changes: Any) -> tuple[Noted, list[Attempt]]:
    noted = Noted()
    queue = world.queue(script, parts={"authenticating": noted}, **changes)
    deliveries = [(await accepted(world.store, content=CONTENT))[0] for _ in range(messages)]
    await work(queue)
    facts = [(await world.ledger(delivery)).events[1].fact for delivery in deliveries]
    return noted, [fact.attempt for fact in facts if isinstance(fact, Attempted)]


async def test_attempt_names_its_evidence(world: World) -> None:
    """By all that authentication depends on."""
    await has_identity(world, dkim_keys=(ED_KEY,))
    noted, (attempt,) = await attempts_of(world, From(world))
    assert ("a-name", True) == (attempt.authentication, attempt.signature_intact)
    expected = Sending(
        account=ACCOUNT,
        from_domain="sender.example",
        mail_from_domain="bounce.test",
        helo="mail.sender.example",
        source_ip="198.51.100.4",
        signatures=(("sender.example", "s2"),),
    )
    assert [(expected, False)] == noted.told


@pytest.mark.parametrize(
    ("source", "peer", "translated"),
    [("10.0.0.5", "8.8.8.8", True), ("10.0.0.5", "10.0.0.9", False), ("8.8.4.4", "8.8.8.8", False)],
)
async def test_private_address_is_not_what_the_internet_sees(
    world: World, source: str, peer: str, *, translated: bool
) -> None:
    """Within a private network it is."""
    noted, _ = await attempts_of(world, From(world, source_ip=source, ip=peer))
    assert translated is noted.told[0][0].translated


async def test_relay_is_named(world: World) -> None:
    """Its address is what receivers see."""
    noted, _ = await attempts_of(world, From(world), relay="relay.example")
    assert "relay.example" == noted.told[0][0].via


async def test_attempt_that_spoke_to_nobody_has_none(world: World) -> None:
    """Nothing was shown to anybody."""
    await has_identity(world, dkim_keys=(ED_KEY,))
    noted, (attempt,) = await attempts_of(world, From(world, source_ip=None))
    assert ([], None, None) == (noted.told, attempt.authentication, attempt.signature_intact)


async def test_refusal_for_authentication_is_looked_into_at_once(world: World) -> None:
    """Its signature is checked, whatever was sampled before."""
    await has_identity(world, dkim_keys=(ED_KEY,))
    noted, refused = await attempts_of(world, From(world, cause=Cause.AUTH_FAILED), messages=3)
    assert [True] * 3 == [attempt.signature_intact for attempt in refused]
    assert [True] * 3 == [was_refused for _, was_refused in noted.told]


async def test_some_messages_are_looked_at(world: World) -> None:
    """The first of a domain, and then one of so many."""
    await has_identity(world, dkim_keys=(ED_KEY,))
    _, sent = await attempts_of(world, From(world), messages=EVERY + 1)
    assert [True, True, *[None] * (EVERY - 1)] == sorted(
        (attempt.signature_intact for attempt in sent), key=lambda intact: intact is None
    )


async def test_broken_signature_is_a_fact_of_its_own(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message kept with a signature of another content: what goes out does not match, and the ledger says so."""
    await has_identity(world, dkim_keys=(ED_KEY,))
    header = sign(CONTENT.replace(b"Hi\r\n", b"Ho\r\n"), (SIGNER,), world.at)

    async def kept(self: object, claim: object) -> bytes:
        return header

    monkeypatch.setattr("waybill.queue.sign.Signatures.header", kept)
    (delivery,) = await accepted(world.store, content=CONTENT)
    await work(world.queue(From(world)))
    _, attempted, broken = (await world.ledger(delivery)).events
    assert isinstance(attempted.fact, Attempted)
    assert False is attempted.fact.attempt.signature_intact
    assert EventKind.SIGNATURE_BROKEN is broken.kind
    assert (
        SignatureBroken(
            number=1,
            domain="sender.example",
            selector="s2",
            reason="the body hash differs: the body was changed after signing",
        )
        == broken.fact
    )


def test_signatures_of_others_are_not_ours_to_judge() -> None:
    """A message may carry a signature of whoever made it, and one of a key that was replaced."""
    other = Signer(domain="sender.example", selector="old", key=load_key(generate_ed25519()[0], "ed25519"))
    assert None is broken_signatures(sign(CONTENT, (other,), 0) + CONTENT, (SIGNER,))
    assert None is broken_signatures(b"DKIM-Signature: v=1\r\n" + CONTENT, (SIGNER,))
    assert () == broken_signatures(sign(CONTENT, (SIGNER, other), 0) + CONTENT, (SIGNER,))
    changed = sign(CONTENT, (SIGNER,), 0) + CONTENT.replace(b"Subject: Hi", b"Subject: Ho")
    broken = broken_signatures(changed, (SIGNER,))
    assert broken is not None
    assert ["sender.example"] == [found.domain for found in broken]


def test_large_messages_are_not_hashed_again() -> None:
    """They would hold up others."""
    samples = Samples()
    assert not samples.takes("a.example", LARGEST + 1)
    assert samples.takes("a.example", LARGEST)
    assert not samples.takes("a.example", 1)
    assert samples.takes("b.example", 1)
