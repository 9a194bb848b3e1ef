"""The lane that examines contents: every message once, copies of a mailing together, and nothing that waits for it."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.mail.lint.messages import HTML, both, plain
from tests.queue.queueing import World, finished
from tests.store.builders import START, acceptance, message
from waybill.lab.dns import LabDns
from waybill.mail.lint.make import make_of
from waybill.model.clock import HOUR, MINUTE
from waybill.model.content import ContentExamined, Finding
from waybill.net.content_filter import FilterUnavailable, Question
from waybill.net.resolver import Resolver
from waybill.queue import examine, filters
from waybill.queue.examine import ExamineParts, Examiner
from waybill.queue.link_lists import DomainLists
from waybill.standing.blocklists import blocklists
from waybill.store.protocol import Claim, LimitReached, StoreUnavailable

BAD = f'{HTML}<a href="https://evil.example/%d">corp.example</a>'


async def claims(world: World, content: bytes, *recipients: str, **changes: Any) -> list[Claim]:
    taken = acceptance(START, *recipients, message=message(**changes), content=content)
    deliveries = await world.store.accept(taken)
    assert not isinstance(deliveries, LimitReached)
    return [Claim(delivery=delivery, message=taken.message, content=content) for delivery in deliveries]


async def found(world: World, claim: Claim) -> list[ContentExamined]:
    ledger = await world.ledger(claim.delivery)
    return [event.fact for event in ledger.events if isinstance(event.fact, ContentExamined)]


def parts(world: World, **changes: Any) -> ExamineParts:
    fields: dict[str, Any] = {
        "store": world.store,
        "clock": world.clock,
        "watch": lambda part, problem: world.troubles.append((part, problem)),
    }
    return ExamineParts(**fields | changes)


async def test_what_the_queue_takes_is_examined(world: World) -> None:
    """Once for all its recipients, when it is about to be attempted for the first time; the delivery does not wait."""
    lane = Examiner(parts(world))
    queue = world.queue(world.receiver(), parts={"examine": lane.take})
    one, other = await claims(world, both(BAD % 1), "a@b.example", "b@b.example")
    queue.offer([one, other])
    await finished(queue)
    assert [] == await found(world, one)
    assert not await lane.work_once()
    (fact,) = await found(world, one)
    assert ("waybill", None) == (fact.by, fact.like)
    assert ["link-text-differs"] == [finding.id for finding in fact.findings]
    lane.take(replace(one, delivery=replace(one.delivery, attempts=1)))
    assert 1 == len(await found(world, one))


async def test_copies_of_a_mailing(world: World) -> None:
    """What differs in its words alone is examined once an hour, and the others say whose findings they have."""
    lane = Examiner(parts(world))
    asked = [
        (await claims(world, both(BAD % number, f"Dear {number}", Subject=f"For {number}")))[0] for number in range(5)
    ]
    for claim in asked:
        lane.take(claim)
    await lane.work_once()
    likes = [(await found(world, claim))[0].like for claim in asked]
    assert [None] + [asked[0].message.id] * 4 == likes
    other = (await claims(world, both(BAD.replace("evil", "good") % 1)))[0]
    theirs = (await claims(world, both(BAD % 7), account="100000000002"))[0]
    world.at += HOUR
    later = (await claims(world, both(BAD % 8)))[0]
    for claim in (other, theirs, later):
        lane.take(claim)
    await lane.work_once()
    assert [None] * 3 == [(await found(world, claim))[0].like for claim in (other, theirs, later)]


async def test_bulk_and_unsigned(world: World) -> None:
    """How it was sent counts: mail of SendBulkEmail needs a way to unsubscribe, mail from a free address our signature."""
    lane = Examiner(parts(world))
    bulk = (await claims(world, plain(), operation="SendBulkEmail"))[0]
    free = (await claims(world, plain(From="shop@gmail.com"), identity="shop@gmail.com"))[0]
    for claim in (bulk, free):
        lane.take(claim)
    await lane.work_once()
    ids = [[finding.id for finding in (await found(world, claim))[0].findings] for claim in (bulk, free)]
    assert [["unsubscribe-missing"], ["from-free-mail"]] == ids


async def test_too_much(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be kept in memory is not examined, and the ledger says so."""
    monkeypatch.setattr(examine, "MOST_WAITING", 1)
    lane = Examiner(parts(world))
    asked = [(await claims(world, plain()))[0] for _ in range(2)]
    for claim in asked:
        lane.take(claim)
    await lane.work_once()
    unseen = [(await found(world, claim))[0].unseen for claim in asked]
    assert None is unseen[0]
    assert "more mail" in str(unseen[1])


async def test_a_fault_of_ours(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that fails ends neither the lane nor what else is in it."""

    def broken(data: bytes) -> bytes:
        return make_of(data) if b"good" in data else bytes([len(data)])

    monkeypatch.setattr("waybill.queue.examine.make_of", broken)
    lane = Examiner(parts(world))
    bad, good = (await claims(world, plain("bad " * 100)))[0], (await claims(world, plain("good")))[0]
    lane.take(bad)
    lane.take(good)
    await lane.work_once()
    assert "inside Waybill" in str((await found(world, bad))[0].unseen)
    assert None is (await found(world, good))[0].unseen


async def test_stopping_and_a_store_that_is_away(world: World) -> None:
    """What could not be written is written later, and what was taken is examined before the lane ends."""

    class Away:
        fails = True

        async def keep(self, examined: Any) -> None:
            if self.fails:
                self.fails = False
                raise StoreUnavailable("locked")
            await world.store.examinations.keep(examined)

    class Store:
        examinations = Away()

    lane = Examiner(parts(world, store=Store()))
    stop = asyncio.Event()
    running = asyncio.create_task(lane.run(stop))
    first, second = (await claims(world, plain()))[0], (await claims(world, plain()))[0]
    lane.take(first)
    await asyncio.sleep(0)
    lane.take(second)
    stop.set()
    await running
    assert [1, 1] == [len(await found(world, claim)) for claim in (first, second)]


class Opinion:
    """A filter that thinks the same of everything, or cannot be asked."""

    name = "rspamd"

    def __init__(self) -> None:
        self.asked: list[Question] = []
        self.away: str | None = None
        self.hangs = False
        self.closed = False

    async def examine(self, question: Question) -> ContentExamined:
        self.asked.append(question)
        if self.hangs:
            await asyncio.Event().wait()
        if self.away:
            raise FilterUnavailable(self.away)
        return ContentExamined(by="rspamd 3.4", score=1.0, threshold=6.0, action="no action")

    async def close(self) -> None:
        self.closed = True


async def test_filters(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each message is asked about; while a filter cannot be asked, the messages say so, and it is left alone for a while."""
    monkeypatch.setattr(filters, "_POLL", 0.001)
    opinion = Opinion()
    lane = Examiner(parts(world, filters=(opinion,)))
    stop = asyncio.Event()
    running = asyncio.create_task(lane.run(stop))

    async def ask(at: int, **changes: Any) -> ContentExamined:
        world.at = at
        claim = (await claims(world, plain(), **changes))[0]
        lane.take(claim)
        async with asyncio.timeout(10):
            while not (answers := [fact for fact in await found(world, claim) if fact.by.startswith("rspamd")]):
                await lane.work_once()
                await asyncio.sleep(0.002)
        return answers[0]

    assert 1.0 == (await ask(START)).score
    assert [("alice@sender.example", ("bob@receiver.example",))] == [(q.sender, q.recipients) for q in opinion.asked]
    opinion.away = "http://127.0.0.1:1 could not be asked"
    assert "http://127.0.0.1:1 could not be asked" == (await ask(START)).unseen
    assert "http://127.0.0.1:1 could not be asked" == (await ask(START + 1)).unseen
    assert 2 == len(opinion.asked)
    opinion.away = None
    assert 1.0 == (await ask(START + MINUTE)).score
    stop.set()
    await running
    assert opinion.closed
    assert ("content filter", "rspamd: http://127.0.0.1:1 could not be asked") in world.troubles
    assert ("content filter", None) == world.troubles[-1]


async def test_filters_at_the_end(world: World) -> None:
    """What a filter has not answered when the service stops says so."""
    opinion = Opinion()
    opinion.hangs = True
    lane = Examiner(parts(world, filters=(opinion,)))
    asked = [(await claims(world, plain()))[0] for _ in range(filters.AT_ONCE + 1)]
    for claim in asked:
        lane.take(claim)
    stop = asyncio.Event()
    stop.set()
    await lane.run(stop)
    unseen = [fact.unseen for claim in asked for fact in await found(world, claim) if fact.by == "rspamd"]
    ends = ["the service was stopped before it answered"] * 4 + ["the service was stopped before it was asked"]
    assert ends == unseen


@pytest.mark.parametrize(("answer", "ids"), [("127.0.1.2", ["link-on-blocklist"]), ("127.255.255.254", [])])
async def test_link_lists(answer: str, ids: list[str]) -> None:
    """Only what a list lists is found, by the name that was registered; a refusal to answer is none."""
    (dbl,) = [one for one in blocklists() if one.id == "spamhaus-dbl"]
    zones = {f"evil.example.{dbl.zone}": [f"A {answer}"], f"{dbl.listed}.{dbl.zone}": ["A 127.0.1.2"]}
    async with LabDns(zones) as dns:
        resolver = Resolver([dns.address])
        lists = DomainLists(resolver, [dbl])
        findings: tuple[Finding, ...] = await lists.judge(
            ["www.evil.example", "a.good.example", "192.0.2.1", "x" * 70 + ".example"]
        )
        await resolver.close()
    assert ids == [finding.id for finding in findings]
    assert all("evil.example, which Spamhaus DBL lists (127.0.1.2)" in finding.text for finding in findings)
