"""``waybill queue`` on the store alone: what waits, and what becomes of it; the service need not run."""

import asyncio
import shlex
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.cli.conftest import Run, rows
from tests.store.builders import accepted, attempted
from waybill.model.clock import DAY, HOUR, MINUTE, now
from waybill.model.event import EventKind, Held
from waybill.model.message import Delivery, Status
from waybill.model.resource import EVERY_SITE, INSTALLATION, Probe, Suspension
from waybill.store.protocol import Store
from waybill.store.queueing import Selection
from waybill.store.sqlite import open_sqlite

T = TypeVar("T")


@pytest.fixture
def on_store(tmp_path: Path) -> Callable[[Callable[[Store], Awaitable[T]]], T]:
    """Runs something on the store that the commands use."""

    def run_on(work: Callable[[Store], Awaitable[T]]) -> T:
        async def session() -> T:
            store = await open_sqlite(tmp_path / "waybill.db", clock=now)
            try:
                return await work(store)
            finally:
                await store.close()

        return asyncio.run(session())

    return run_on


OnStore = Callable[[Callable[[Store], Awaitable[T]]], T]


@pytest.fixture
def mail(on_store: OnStore[list[Delivery]]) -> list[Delivery]:
    """Two recipients at Google (one of them greylisted), one elsewhere, and one in a worker's hands."""

    async def fill(store: Store) -> list[Delivery]:
        at = now()
        await store.remember_sites({"one.example": "google", "two.example": "google"})
        (new,) = await accepted(store, at - MINUTE, "a@one.example")
        (old,) = await accepted(store, at - HOUR, "b@two.example", lease_owner="w", lease_until=at)
        await store.settle(attempted(old, Status.DELAYED, at - HOUR, next_at=at + DAY // 4))
        (own,) = await accepted(store, at, "c@own.example")
        (hand,) = await accepted(store, at, "d@own.example", lease_owner="w", lease_until=at + HOUR)
        return [new, old, own, hand]

    return on_store(fill)


def test_the_list_by_site(run: Run, mail: list[Delivery]) -> None:
    """One line a site, those with the most first, with what waits for which cause."""
    google, own = rows(run("queue", "list", "--json"))
    assert ("google", 2, 0, 1, {"greylisted": 1}) == tuple(
        google[key] for key in ("site", "waiting", "held", "due", "causes")
    )
    assert ("own.example", 2, 1) == (own["site"], own["waiting"], own["under_lease"])
    first, second = run("queue", "list").splitlines()
    assert "google" == first.split()[0]
    assert "2 waiting, 1 due, oldest 1 h" in first
    assert first.endswith("(1 greylisted)")
    assert "2 waiting, 1 due, 1 in hand" in second
    assert 1 == len(rows(run("queue", "list", "--limit", "1", "--json")))


def test_an_empty_queue(run: Run) -> None:
    """Nothing is said to be nothing."""
    run("keys", "create")
    assert "Nothing waits.\n" == run("queue", "list")
    assert [] == rows(run("queue", "list", "--json"))
    assert "No site is suspended.\n" == run("queue", "suspensions")
    assert "no mail that waits fits that" in run("queue", "list", "--domain", "x.example", code=4)


def test_the_list_of_recipients(run: Run, mail: list[Delivery]) -> None:
    """With a selector: each recipient, when it goes on, and the words that it waits for."""
    (one,) = rows(run("queue", "list", "--site", "google", "--cause", "greylisted", "--json"))
    assert ("b@two.example", "delayed", "greylisted", 1, None, "smtp; 451 4.7.1 Greylisted, try again") == tuple(
        one[key] for key in ("recipient", "status", "cause", "attempts", "held", "why")
    )
    lines = run("queue", "list", "--message", mail[1].message_id).splitlines()
    assert lines[0].startswith(f"{mail[1].message_id}  b@two.example  delayed (greylisted), 1 attempt, next 20")
    assert "    smtp; 451 4.7.1 Greylisted, try again" == lines[1]
    assert "not tried yet" in run("queue", "list", "--domain", "one.example")
    assert "in a worker's hands" in run("queue", "list", "--message", mail[3].message_id)
    assert "no mail that waits fits that" in run("queue", "list", "--held", code=4)


def test_holding_and_releasing(run: Run, mail: list[Delivery], on_store: OnStore[list[EventKind]]) -> None:
    """What is held waits until it is released, with the reason that was given; the command that undoes it is printed."""
    text = run("queue", "hold", "--domain", "own.example", "--reason", "wrong prices")
    assert "1 recipient is held until somebody releases it; 1 recipient is in a worker's hands at this moment." in text
    undo = text.splitlines()[-1].removeprefix("To undo it: waybill ")
    (held,) = rows(run("queue", "list", "--held", "--json"))
    assert ({"limit": "operator", "by": "operator"}, "Held by hand: wrong prices", None) == (
        held["held"],
        held["why"],
        held["next_at"],
    )
    assert "held, 0 attempts, until somebody releases it, at the latest until it expires at " in run(
        "queue", "list", "--held"
    )
    assert "1 recipient is released and due now.\n" == run(*shlex.split(undo))
    assert "nothing that is held fits that" in run(*shlex.split(undo), code=4)

    async def kinds(store: Store) -> list[EventKind]:
        ledger = await store.ledger(mail[2].message_id)
        assert ledger is not None
        return [event.kind for event in ledger.events]

    assert [EventKind.ACCEPTED, EventKind.HELD, EventKind.RELEASED] == on_store(kinds)


def test_holding_for_a_while(run: Run, mail: list[Delivery]) -> None:
    """A hold may have an end: a time, or a length."""
    done = rows(run("queue", "hold", "--message", mail[0].message_id, "--for", "2h", "--json"))
    assert (1, 0, None) == (done["held"], done["in_hand"], done["suspension"])
    (held,) = rows(run("queue", "list", "--held", "--json"))
    assert done["until"] == held["next_at"]
    later = "2999-01-01T00:00:00.000Z"
    done = rows(run("queue", "hold", "--all", "--until", later, "--json"))
    assert (3, 1, later) == (done["held"], done["in_hand"], done["until"])
    done = rows(run("queue", "release", "--all", "--json"))
    assert {"released": 3, "resumed": [], "suspended": [], "probed": [], "known": True} == done


def test_suspending_a_site(run: Run, mail: list[Delivery], on_store: OnStore[Suspension | None]) -> None:
    """A site that is held alone is suspended for all workers; resuming it releases what it held, and nothing else."""
    run("queue", "hold", "--message", mail[0].message_id)
    text = run("queue", "hold", "--site", "google", "--for", "1h", "--reason", "they asked us to")
    assert text.startswith("Mail to google is suspended until 20")
    assert text.endswith("To undo it: waybill queue resume google\n")
    suspension = on_store(lambda store: store.get(Suspension, INSTALLATION, "google"))
    assert suspension is not None
    assert ("operator", "they asked us to", 0) == (suspension.by, suspension.reason, suspension.per_minute)
    (shown,) = rows(run("queue", "suspensions", "--json"))
    assert ("google", "they asked us to", None) == (shown["site"], shown["reason"], shown["reply"])
    assert "why:   they asked us to\n" in run("queue", "suspensions")
    held = rows(run("queue", "list", "--held", "--json"))
    assert {"a@one.example": "operator"} == {one["recipient"]: one["held"]["limit"] for one in held}
    run("queue", "hold", "--site", "google")
    assert {"operator", "suspension"} >= {
        one["held"]["limit"] for one in rows(run("queue", "list", "--held", "--json"))
    }
    text = run("queue", "release", "--domain", "one.example")
    assert "google is still suspended, and what goes there is held again: waybill queue resume google" in text
    text = run("queue", "resume", "Google")
    assert text.startswith("Mail to google goes again.\n")
    assert "google is not suspended" in run("queue", "resume", "google", code=4)


def test_suspending_before_any_mail_waits(run: Run) -> None:
    """A site can be suspended although nothing waits for it, and ``release --site`` resumes it."""
    run("keys", "create")
    assert "0 recipients are held" in run("queue", "hold", "--site", "google")
    done = rows(run("queue", "release", "--site", "google", "--json"))
    assert {"released": 0, "resumed": ["google"], "suspended": [], "probed": [], "known": True} == done


def test_a_domain_is_no_site(run: Run, mail: list[Delivery]) -> None:
    """Suspending a domain of a provider would hold nothing new: it says what would."""
    text = run("queue", "hold", "--site", "two.example", code=2)
    assert "its mail goes to google" in text
    assert "--domain two.example holds this one" in text
    assert [] == rows(run("queue", "suspensions", "--json"))


def test_retrying_now(run: Run, mail: list[Delivery]) -> None:
    """What waits for a later attempt is due at once; what is held stays so, and it is said."""
    done = rows(run("queue", "retry-now", "--site", "google", "--json"))
    assert {"due": 1, "held": 0, "in_hand": 0, "probed": []} == done
    run("queue", "hold", "--domain", "two.example")
    text = run("queue", "retry-now", "--domain", "two.example")
    assert "0 recipients are due now.\n1 recipient is still held; to end that: " in text
    assert "waybill queue release --domain two.example" in text
    assert "no mail that waits fits that" in run("queue", "retry-now", "--domain", "x.example", code=4)


@pytest.mark.parametrize(
    "command",
    [
        ("release", "--site", "mx.dead.example"),
        ("release", "--message", ""),
        ("retry-now", "--domain", "dead.example"),
        ("retry-now", "--site", "mx.dead.example"),
        ("resume", "mx.dead.example"),
    ],
    ids=" ".join,
)
def test_mail_for_servers_that_nobody_answered_for_is_tried_again(
    command: tuple[str, ...], run: Run, on_store: OnStore[Any]
) -> None:
    """It is due, and the workers are told to end their rest at its site, and at no other."""

    async def fill(store: Store) -> Delivery:
        at = now()
        await store.remember_sites({"dead.example": "mx.dead.example", "other.example": "mx.other.example"})
        (delivery,) = await accepted(store, at, "a@dead.example")
        await accepted(store, at, "b@other.example")
        held = Held(limit="unreachable", by="rule:unreachable-destination", text="Nobody answers", until=at + HOUR)
        await store.hold(Selection(), held, now=at, limit=10)
        return delivery

    delivery = on_store(fill)
    text = run("queue", *(word or delivery.message_id for word in command))
    assert "1 recipient is" in text.splitlines()[0]
    assert "due now" in text.splitlines()[0]
    assert "Nobody had answered for mx.dead.example: one message is tried at once" in text.splitlines()[-1]
    (probe,) = on_store(lambda store: store.scan(Probe, INSTALLATION))
    assert ("mx.dead.example", "operator") == (probe.name, probe.by)
    (other,) = rows(run("queue", "list", "--held", "--json"))
    assert "b@other.example" == other["recipient"]


def test_all_of_it_is_tried_again(run: Run, on_store: OnStore[Any]) -> None:
    """With ``--all`` every rest ends; what is held for another reason stays so, and the command that ends it is printed."""

    async def fill(store: Store) -> None:
        at = now()
        await accepted(store, at, "a@dead.example")
        await accepted(store, at, "b@other.example")
        held = Held(limit="unreachable", by="rule:unreachable-destination", text="Nobody answers", until=at + HOUR)
        await store.hold(Selection(domain="dead.example"), held, now=at, limit=10)
        by_hand = Held(limit="operator", by="operator", text="Held by hand", until=None)
        await store.hold(Selection(domain="other.example"), by_hand, now=at, limit=10)

    on_store(fill)
    text = run("queue", "retry-now", "--all")
    assert text.startswith(
        "1 recipient is due now.\n1 recipient is still held; to end that: waybill queue release --all\n"
    )
    (probe,) = on_store(lambda store: store.scan(Probe, INSTALLATION))
    assert EVERY_SITE == probe.name
    assert "1 recipient is released" in run("queue", "release", "--all")


def test_a_site_that_nobody_knows(run: Run, mail: list[Delivery]) -> None:
    """It may be held, for mail to come; but it is said, and nothing is promised of its end."""
    assert "Mail to google is suspended until somebody resumes it.\n" in run("queue", "hold", "--site", "google")
    text = run("queue", "hold", "--site", "gogle")
    unknown = "no mail to a site of this name has been seen; its name must be one that `waybill queue list` shows"
    assert f"Mail to gogle is suspended until somebody resumes it; but {unknown}" in text
    text = run("queue", "release", "--site", "gogle")
    assert text.startswith(f"The suspension of gogle has ended; {unknown}")
    assert unknown in run("queue", "release", "--site", "gogle", code=4)
    assert f"gogle is not suspended: {unknown}" in run("queue", "resume", "gogle", code=4)


def test_a_site_of_former_mail_is_known(run: Run, on_store: OnStore[None]) -> None:
    """Nothing waits for it now, but mail has gone there."""
    on_store(lambda store: store.remember_sites({"one.example": "mx.one.example"}))
    assert "no mail to a site" not in run("queue", "hold", "--site", "mx.one.example")
    assert "no mail to a site" not in run("queue", "hold", "--site", "yahoo")
    assert "Mail to mx.one.example goes again." in run("queue", "resume", "mx.one.example")


def test_a_rules_suspension_is_shown_with_its_reply(run: Run, on_store: OnStore[None]) -> None:
    """What a rule did names the rule, the message and the reply."""
    at = now()
    rule = Suspension(
        account=INSTALLATION,
        name="yahoo",
        by="rule:yahoo-tss04",
        reason="Yahoo defers all our mail",
        at=at,
        until=at + HOUR,
        per_minute=10,
        message_id="m-1",
        reply="421 4.7.0 [TSS04]",
    )
    over = Suspension(account=INSTALLATION, name="gone", by="operator", reason="", at=at - HOUR, until=at - MINUTE)

    async def put(store: Store) -> None:
        await store.put(rule)
        await store.put(over)

    on_store(put)
    text = run("queue", "suspensions")
    assert "by rule:yahoo-tss04, 10 messages a minute still go" in text
    assert "    reply: 421 4.7.0 [TSS04] (message m-1)\n    undo:  waybill queue resume yahoo\n" in text
    assert "gone" not in text


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("hold",), "say which mail: at least one of --site, --domain, --cause, --message, --account, or else --all"),
        (("release",), "say which mail"),
        (("retry-now",), "say which mail"),
        (("release", "--all", "--domain", "x.example"), "say which mail"),
        (("hold", "--all", "--cause", "bad_luck"), "--cause 'bad_luck' is not allowed"),
        (("hold", "--all", "--for", "soon"), "--for must be a duration"),
        (("hold", "--all", "--until", "soon"), "--until 'soon' is not allowed; it must be a time"),
        (("hold", "--all", "--until", "2020-01-01T00:00:00Z"), "--until 2020-01-01T00:00:00Z is in the past"),
        (("hold", "--all", "--until", "2999-01-01T00:00:00Z", "--for", "1h"), "give --until or --for, not both"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_wrong_is_said(arguments: tuple[str, ...], fault: str, run: Run) -> None:
    """Nothing is done to mail that was not named."""
    run("keys", "create")
    assert fault in run("queue", *arguments, code=2)


def test_many(run: Run, on_store: OnStore[None]) -> None:
    """More than one portion is done to the end."""

    async def fill(store: Store) -> None:
        for part in range(21):
            await accepted(store, now(), *(f"u{part}-{number}@many.example" for number in range(50)))

    on_store(fill)
    assert 1050 == rows(run("queue", "hold", "--site", "many.example", "--json"))["held"]
    assert 1050 == rows(run("queue", "resume", "many.example", "--json"))["released"]
