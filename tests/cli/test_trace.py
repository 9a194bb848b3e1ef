"""``waybill trace``: from a file or standard input, with a ledger and without."""

import asyncio
from dataclasses import replace
from pathlib import Path

from tests.cli.conftest import Run, rows
from tests.explain.copies import MICROSOFT
from tests.explain.life import MESSAGE_ID
from tests.store.builders import START, accepted, attempted, message
from waybill.mail.return_path import encode
from waybill.model.clock import SECOND, rfc3339
from waybill.model.event import Attempted
from waybill.model.message import Delivery, Status
from waybill.queue.worker import RETURN_PATH_PURPOSE
from waybill.store.protocol import Store
from waybill.store.sqlite import open_sqlite


def stored(*recipients: str, message_id: str = MESSAGE_ID) -> tuple[tuple[Delivery, ...], bytes]:
    """A store in this folder with a delivered message; its deliveries, and the secret of return paths."""

    async def build() -> tuple[tuple[Delivery, ...], bytes]:
        store: Store = await open_sqlite(Path("waybill.db"), clock=lambda: START)
        deliveries = await accepted(
            store, START, *recipients, message=message(id=message_id, destination=tuple(recipients))
        )
        for delivery in deliveries:
            settlement = attempted(delivery, Status.DELIVERED, START + SECOND)
            (event,) = settlement.events
            assert isinstance(event.fact, Attempted)
            named = replace(event.fact.attempt, helo="mail.shop.example")
            event = replace(event, fact=replace(event.fact, attempt=named))
            await store.settle(replace(settlement, events=(event,)))
        secret = store.secret(RETURN_PATH_PURPOSE)
        await store.close()
        return deliveries, secret

    return asyncio.run(build())


def test_a_copy_without_a_ledger(run: Run) -> None:
    """The header alone is enough; that the ledger was not asked is said."""
    Path("copy.eml").write_text(MICROSOFT, "utf-8")
    text = run("trace", "copy.eml")
    assert text.startswith(
        "Filed as spam by Microsoft (SCL 5): phishing. 16 min 56 s of the 16 min 59 s went by at "
        "AM0PR05MB5678.eurprd05.prod.outlook.com.\n"
    )
    assert "  Ledger        not asked: there is no store at" in text
    assert text == run("trace", "-", given=MICROSOFT)
    shown = rows(run("trace", "copy.eml", "--json"))
    assert ("copy.eml", "spam", "Microsoft", None) == (
        shown["file"],
        shown["filed"]["as"],
        shown["filed"]["by"],
        shown["ledger"],
    )
    assert 3 == len(shown["hops"])


def test_a_copy_is_tied_by_its_message_id(run: Run) -> None:
    """The ledger's times stand beside the header's, and the command that tells more is printed."""
    stored("sam@corp.example")
    shown = rows(run("trace", "-", "--json", given=MICROSOFT))
    assert (MESSAGE_ID, "sam@corp.example", "its Message-ID") == (
        shown["ledger"]["message_id"],
        shown["ledger"]["recipient"],
        shown["ledger"]["found_by"],
    )
    assert rfc3339(START + SECOND + 1) == shown["ledger"]["handed_over_at"]
    assert shown["not_tied"] is None
    text = run("trace", "-", given=MICROSOFT)
    assert f"waybill explain {MESSAGE_ID}" in text


def test_a_copy_is_tied_by_its_return_path(run: Run) -> None:
    """It proves which delivery it was, also where a gateway has replaced the Message-ID."""
    deliveries, secret = stored("li@corp.example", "sam@corp.example")
    path = encode(deliveries[1].id, "bounce.shop.example", secret)
    copy = f"Return-Path: <{path}>\n{MICROSOFT}".replace(MESSAGE_ID, "replaced")
    ledger = rows(run("trace", "-", "--json", given=copy))["ledger"]
    assert ("sam@corp.example", "its return path") == (ledger["recipient"], ledger["found_by"])


def test_which_of_several_recipients(run: Run) -> None:
    """By what servers wrote down; else it is said that the copy does not tell."""
    stored("li@corp.example", "sam@corp.example")
    named = rows(run("trace", "-", "--json", given=f"Delivered-To: sam@corp.example\n{MICROSOFT}"))["ledger"]
    assert ("sam@corp.example", "its Message-ID, and the recipient in its header") == (
        named["recipient"],
        named["found_by"],
    )
    guessed = rows(run("trace", "-", "--json", given=MICROSOFT))["ledger"]
    assert "li@corp.example" == guessed["recipient"]
    assert "it does not say" in guessed["found_by"]


def test_a_copy_is_kept(run: Run) -> None:
    """Written into the ledger once; from then on explain says what became of the message."""
    stored("sam@corp.example")
    assert "explain tells it" in run("trace", "-", "--keep", given=MICROSOFT)
    assert rows(run("trace", "-", "--keep", "--json", given=MICROSOFT))["kept"]
    told = rows(run("explain", MESSAGE_ID, "--json"))["recipients"][0]
    assert ("placed_in_spam", "delivered", "certain") == (told["cause"], told["status"], told["confidence"])
    assert "filed as spam there by Microsoft: phishing" in told["headline"]
    assert (16 * 60 + 59) * SECOND == told["delay"]["after_acceptance_ms"]
    assert 1 == [entry["kind"] for entry in told["timeline"]].count("copy_traced")
    assert "X-Microsoft-Antispam-Mailbox-Delivery: ucf:0" in run("explain", MESSAGE_ID)


def test_a_copy_of_another_is_not_kept(run: Run) -> None:
    """It is said that nothing was written; without a ledger there is nothing to write to."""
    assert "there is no store at" in run("trace", "-", "--keep", given=MICROSOFT, code=3)
    stored("sam@corp.example", message_id="another")
    assert "Nothing was written" in run("trace", "-", "--keep", given=MICROSOFT)


def test_a_copy_that_is_not_ours(run: Run) -> None:
    """Not tied is said, and is no failure."""
    stored("sam@corp.example", message_id="another")
    shown = rows(run("trace", "-", "--json", given=MICROSOFT))
    assert (None, "no message of this ledger has its Message-ID, its return path or its Amazon SES id") == (
        shown["ledger"],
        shown["not_tied"],
    )


def test_what_is_no_message(run: Run) -> None:
    """Exit 1; a file that is not there is a mistake of usage."""
    assert "this is no message" in run("trace", "-", given="hello\n", code=1)
    assert "missing.eml: cannot be read: No such file or directory" in run("trace", "missing.eml", code=2)


def test_nothing_steers_the_terminal(run: Run) -> None:
    """Control characters of a stranger's header are written out."""
    assert "\x1b" not in run("trace", "-", given="Received: from a\x1b[31m by b; c\nX-Spam-Flag: YES\x1b[0m\n")
