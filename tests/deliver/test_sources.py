"""From which of our addresses a message may go."""

from waybill.deliver.config import Source
from waybill.deliver.sources import SYSTEM, Hold, Sources, pool_of, same_each_time
from waybill.model.clock import DAY, HOUR, Instant
from waybill.model.resource import INSTALLATION, DedicatedIp

NOON = 20_000 * DAY + 12 * HOUR
OLD, NEW, THIRD = Source(ip="192.0.2.1"), Source(ip="192.0.2.2", helo="two.us.test"), Source(ip="192.0.2.3")
POOL = pool_of("100000000001", "marketing")


def stored(source: Source, *, pool: str | None = None, warm_up_from: Instant | None = None) -> DedicatedIp:
    owner = "100000000001" if pool else ""
    return DedicatedIp(account=INSTALLATION, name=source.ip, owner=owner, pool=pool, warm_up_from=warm_up_from)


def send(sources: Sources, source: Source, times: int, *, site: str = "google", now: Instant = NOON) -> None:
    for _ in range(times):
        sources.count(source.ip, site, now)


def test_without_addresses_the_kernel_chooses() -> None:
    """Mail without a pool goes from wherever; a pool has no address, and its mail waits."""
    sources = Sources()
    assert sources.eligible(None, "google", NOON) == (SYSTEM,)
    hold = sources.hold(POOL, "google", NOON)
    assert hold is not None
    assert (hold.limit, hold.by) == ("sending pool", "sending-pool")
    assert (
        hold.text
        == "The pool marketing, which the configuration set sends from, has no address; its mail goes from no other"
    )
    sources.update(())
    assert sources.eligible(None, "google", NOON) == (SYSTEM,)


def test_a_pool_sends_from_its_addresses_only() -> None:
    """And what has no pool from the others; two accounts' pools of one name are two pools."""
    sources = Sources((OLD, NEW, THIRD))
    assert sources.eligible(None, "google", NOON) == (OLD, NEW, THIRD)
    sources.update((stored(NEW, pool="marketing"), DedicatedIp(account=INSTALLATION, name="198.51.100.9")))
    assert sources.eligible(POOL, "google", NOON) == (NEW,)
    assert sources.eligible(None, "google", NOON) == (OLD, THIRD)
    assert isinstance(sources.eligible(pool_of("100000000002", "marketing"), "google", NOON), Hold)
    sources.update(stored(source, pool="marketing") for source in (OLD, NEW, THIRD))
    hold = sources.hold(None, "google", NOON)
    assert hold is not None
    assert hold.text.startswith("Every source address is in a dedicated pool")


def test_a_warming_address_stops_at_its_cap_and_another_takes_over() -> None:
    """Fifty to each site on the first day; then the old address sends alone."""
    sources = Sources((OLD, NEW))
    sources.update((stored(OLD), stored(NEW, warm_up_from=NOON)))
    assert sources.eligible(None, "google", NOON) == (OLD, NEW)
    send(sources, NEW, 50)
    assert sources.eligible(None, "google", NOON) == (OLD,)
    assert sources.eligible(None, "yahoo", NOON) == (OLD, NEW)
    assert sources.eligible(None, "google", NOON + DAY) == (OLD, NEW)


def test_with_all_addresses_used_up_mail_waits_for_midnight() -> None:
    """The hold says whose day is over, how much that was, and when it is over."""
    sources = Sources((NEW,))
    sources.update((stored(NEW, warm_up_from=NOON - 4 * DAY),))
    send(sources, NEW, 99)
    assert sources.hold(None, "google", NOON) is None
    send(sources, NEW, 1)
    assert sources.hold(None, "google", NOON) == Hold(
        limit="warm-up",
        by="warm-up",
        text="Every address that this message may go from is warming up and has used its day: "
        "192.0.2.2 (day 5 of 45) may send 100 messages to google today",
        until=20_001 * DAY,
    )
    assert sources.hold(None, "google", 20_001 * DAY) is None


def test_a_message_that_did_not_go_is_not_counted() -> None:
    """It is taken off again, and never below nothing."""
    sources = Sources((NEW,))
    sources.update((stored(NEW, warm_up_from=NOON),))
    send(sources, NEW, 50)
    sources.count(NEW.ip, "google", NOON, -1)
    assert sources.hold(None, "google", NOON) is None
    sources.count(NEW.ip, "yahoo", NOON, -1)
    send(sources, NEW, 50, site="yahoo")
    assert sources.hold(None, "yahoo", NOON) is not None


def test_workers_share_a_day() -> None:
    """Each of four may send a quarter, and at least one."""
    sources = Sources((NEW,), workers=4)
    sources.update((stored(NEW, warm_up_from=NOON),))
    send(sources, NEW, 12)
    assert sources.hold(None, "google", NOON) is not None
    crowd = Sources((NEW,), workers=100)
    crowd.update((stored(NEW, warm_up_from=NOON),))
    assert crowd.hold(None, "google", NOON) is None


async def test_what_was_sent_before_a_restart_counts() -> None:
    """A new process reads the day so far from the ledger, once for each address and site, and takes its share of it."""
    asked: list[tuple[str, str, Instant]] = []

    async def sent_from(ip: str, site: str, since: Instant) -> int | None:
        asked.append((ip, site, since))
        return answers.pop()

    answers: list[int | None] = [0, 47, None]
    sources = Sources((OLD, NEW), workers=2)
    sources.sent_from = sent_from
    sources.update((stored(OLD), stored(NEW, warm_up_from=NOON)))
    for _ in range(3):
        await sources.prepare(None, "google", NOON)
    assert asked == [(NEW.ip, "google", 20_000 * DAY)] * 2
    assert sources.eligible(None, "google", NOON) == (OLD, NEW)
    send(sources, NEW, 1)
    assert sources.eligible(None, "google", NOON) == (OLD,)
    await sources.prepare(None, "google", NOON + DAY)
    assert asked[2:] == [(NEW.ip, "google", 20_001 * DAY)]
    assert sources.eligible(None, "google", NOON + DAY) == (OLD, NEW)


def test_every_attempt_of_a_delivery_has_the_same_address() -> None:
    """Greylisting remembers it; deliveries are spread over all that there are, of each kind."""
    senders = tuple(Source(ip=ip) for ip in ("192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1"))
    chosen = [same_each_time(senders, delivery_id) for delivery_id in range(6)]
    assert chosen == [same_each_time(senders, delivery_id) for delivery_id in range(6)]
    assert {("192.0.2.1", "2001:db8::1"), ("192.0.2.2", "2001:db8::1"), ("192.0.2.3", "2001:db8::1")} == {
        tuple(source.ip for source in pair) for pair in chosen
    }
