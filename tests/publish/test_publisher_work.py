"""Publishers at work: side by side, ending, killed in the middle; and the file."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.publish.publishing import (
    START,
    Endpoint,
    open_endpoint,
    open_world,
    publish_all,
    until,
)
from tests.store.builders import accepted, attempted
from waybill.model.clock import DAY, MINUTE, SECOND
from waybill.model.message import Status
from waybill.publish.publisher import LEASE


async def test_a_slow_endpoint_stops_only_itself(tmp_path: Path) -> None:
    """While one endpoint keeps its posts waiting, the other gets all of its own, and none is posted twice."""
    gate = asyncio.Event()
    async with (
        open_world(tmp_path) as world,
        open_endpoint(Endpoint(gate=gate)) as slow,
        open_endpoint(Endpoint()) as fast,
    ):
        await world.topic()
        await world.subscribe(slow.url, "s1")
        await world.subscribe(fast.url, "s2")
        texts = [f"m{number}" for number in range(40)]
        await world.publish(*texts)
        stop = asyncio.Event()
        running = asyncio.create_task(world.publisher().run(stop))
        await until(lambda: len(fast.posts) == len(texts))
        assert slow.most_at_once == 10
        gate.set()
        await until(lambda: len(slow.posts) == len(texts))
        stop.set()
        await running
        assert sorted(post.envelope["Message"] for post in slow.posts) == sorted(texts)
        assert await world.pending() == 0


async def test_two_publishers_share_the_work(tmp_path: Path) -> None:
    """Two workers on one store post each message once."""
    async with (
        open_world(tmp_path) as world,
        open_world(tmp_path) as other,
        open_endpoint(Endpoint()) as endpoint,
    ):
        await world.topic()
        await world.subscribe(endpoint.url)
        texts = [f"m{number}" for number in range(60)]
        stop = asyncio.Event()
        running = [
            asyncio.create_task(one.publisher(worker).run(stop)) for one, worker in ((world, "w1"), (other, "w2"))
        ]
        for text in texts:
            await world.publish(text)
        await until(lambda: len(endpoint.posts) >= len(texts))
        stop.set()
        await asyncio.gather(*running)
        assert sorted(post.envelope["Message"] for post in endpoint.posts) == sorted(texts)
        assert await world.pending() == 0


async def test_ending_publishes_what_is_due(tmp_path: Path) -> None:
    """A publisher that is told to stop takes the events of its worker's last deliveries to the endpoint."""
    async with open_world(tmp_path) as world, open_endpoint(Endpoint()) as endpoint:
        await world.topic()
        await world.subscribe(endpoint.url)
        await world.publish("m")
        stop = asyncio.Event()
        stop.set()
        await world.publisher().run(stop)
        assert (len(endpoint.posts), await world.pending()) == (1, 0)


async def test_a_store_that_cannot_be_reached(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The publisher waits and says so; it does not end until it is told to."""
    async with open_world(tmp_path) as world:
        await world.store.close()
        stop = asyncio.Event()
        running = asyncio.create_task(world.publisher().run(stop))
        await until(lambda: bool(caplog.records))
        assert not running.done()
        stop.set()
        await running
        assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]


async def test_killed_between_the_post_and_its_end(tmp_path: Path) -> None:
    """What was posted and not settled is posted again when the lease has run out, byte for byte."""
    gate = asyncio.Event()
    async with (
        open_world(tmp_path) as world,
        open_world(tmp_path) as other,
        open_endpoint(Endpoint(gate=gate)) as endpoint,
    ):
        await world.topic()
        await world.subscribe(endpoint.url)
        await world.publish("m")
        dying = world.publisher()
        await dying.publish_due()
        await dying.publish_due()
        await until(lambda: len(endpoint.posts) == 1)
        await world.store.close()
        gate.set()
        await dying.settled()
        await publish_all(other.publisher("w2"))
        assert len(endpoint.posts) == 1
        other.now += LEASE * SECOND
        await publish_all(other.publisher("w2"))
        first, second = endpoint.posts
        assert (first.body, await other.pending()) == (second.body, 0)


async def test_killed_while_rendering(tmp_path: Path) -> None:
    """A notice that is rendered twice has the same message id both times."""
    async with open_world(tmp_path) as world, open_endpoint(Endpoint()) as endpoint:
        await world.topic()
        await world.subscribe(endpoint.url)
        await world.publish("m", "n")
        (notice, _) = await world.store.claim_notices("w1", START, limit=2, lease_until=START + MINUTE)
        rendered = await world.publisher()._fan_out.render([notice])
        world.now += DAY
        await publish_all(world.publisher("w2"))
        headers = rendered[0].follow_ups[0].headers or {}
        ids = {post.envelope["Message"]: post.envelope["MessageId"] for post in endpoint.posts}
        assert ids["m"] == headers["x-amz-sns-message-id"]
        assert ids["m"] != ids["n"]


async def test_the_file(tmp_path: Path) -> None:
    """Every event is a line of the file; a folder that cannot be written makes them wait."""
    file = tmp_path / "events" / "events.jsonl"
    file.parent.write_text("in the way")
    async with open_world(tmp_path, file_events=True) as world:
        (delivery,) = await accepted(world.store, lease_owner="w", lease_until=START + MINUTE)
        await world.store.settle(attempted(delivery, Status.DELIVERED, START))
        publisher = world.publisher(file=file)
        await publish_all(publisher)
        assert await world.pending() == 2
        file.parent.unlink()
        world.now += MINUTE
        await publish_all(publisher)
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        assert [line["eventType"] for line in lines] == ["Send", "Delivery"]
        assert await world.pending() == 0


async def test_killed_between_the_file_and_its_end(tmp_path: Path) -> None:
    """A line that was written and not settled is written again."""
    file = tmp_path / "events.jsonl"
    async with open_world(tmp_path, file_events=True) as world, open_world(tmp_path, file_events=True) as other:
        await accepted(world.store)
        notices = await world.store.claim_notices("w1", START, limit=9, lease_until=START + LEASE * SECOND)
        await world.publisher(file=file)._append(notices)
        other.now += LEASE * SECOND
        await publish_all(other.publisher("w2", file=file))
        first, second = file.read_text().splitlines()
        assert (first, await other.pending()) == (second, 0)
