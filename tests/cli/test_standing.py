"""``waybill standing``: figures, states, pauses with their undo, listings and advice, for people and programs."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.cli.conftest import Run, rows
from tests.store.builders import ACCOUNT, acceptance, attempted, message
from waybill.cli import cli
from waybill.model.clock import now
from waybill.model.event import Attempted
from waybill.model.message import Status
from waybill.model.resource import INSTALLATION, Account, ConfigurationSet, Pause
from waybill.model.standing import Advice, Listed, ListingState, Recommendation
from waybill.store.open import open_store

IP = "198.51.100.4"
AT = now()


@pytest.fixture
def sent(run: Run, tmp_path: Path) -> None:
    """150 recipients, of which 30 bounced; a paused set; one list that lists us, one that does not, one that says nothing."""
    run("keys", "create")

    async def fill() -> None:
        store = await open_store(f"sqlite:///{tmp_path}/waybill.db", clock=now)
        for first in range(0, 150, 50):
            names = [f"r{number}@receiver.example" for number in range(first, first + 50)]
            deliveries = await store.accept(acceptance(AT, *names, message=message(AT)))
            assert isinstance(deliveries, tuple)
            for place, delivery in enumerate(deliveries):
                settlement = attempted(delivery, Status.BOUNCED if place < 10 else Status.DELIVERED, AT)
                fact = settlement.events[0].fact
                assert isinstance(fact, Attempted)
                fact = replace(fact, attempt=replace(fact.attempt, source_ip=IP))
                await store.settle(replace(settlement, events=(replace(settlement.events[0], fact=fact),)))
        await store.put(Account(account=INSTALLATION, name=ACCOUNT, created_at=AT))
        pause = Pause(by="rule:complaint-rate", reason="20 of 1,000 complained", at=AT)
        await store.put(
            ConfigurationSet(account=ACCOUNT, name="news", created_at=AT, sending_enabled=False, paused=pause)
        )
        await store.standing.note_listings(
            [
                _listed("spamhaus-zen", ListingState.LISTED, f"Spamhaus ZEN lists {IP} (127.0.0.4)"),
                _listed("psbl", ListingState.CLEAR, "PSBL does not list it"),
                _listed("barracuda", ListingState.REFUSED, "Barracuda refused the question"),
            ]
        )
        await store.put(
            Recommendation(
                account=ACCOUNT,
                name="BOUNCE",
                type=Advice.BOUNCE,
                about="",
                high=True,
                text="Much bounces.",
                fix="Stop it.",
                opened_at=AT,
                updated_at=AT,
            )
        )
        await store.close()

    asyncio.run(fill())


def _listed(blocklist: str, state: ListingState, text: str) -> Listed:
    return Listed(
        subject=IP, blocklist=blocklist, zone=f"{blocklist}.example", state=state, since=AT, asked_at=AT, text=text
    )


def answer(*arguments: str) -> str:
    """What a command printed whose answer is no: exit 1."""
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert 1 == result.exit_code, result.output
    return result.stdout


def test_nothing_sent(run: Run) -> None:
    """A new store has nothing to judge."""
    run("keys", "create")
    assert "Nothing was sent in the last 30 days" in run("standing")


@pytest.mark.usefixtures("sent")
def test_for_people(run: Run) -> None:
    """The worst first, pauses with the command that ends them; exit 1, since an account is surely over the limit."""
    text = answer("standing")
    assert (
        f"over the limit account {ACCOUNT}                         150 sent in 30 days: 30 (20.0 %) bounced for good, 0 (0 %) complained"
        in text
    )
    assert f"over the limit source IP {IP}" in text
    assert f"paused         configuration set news of account {ACCOUNT} by rule complaint-rate since 20" in text
    assert f"               waybill account resume {ACCOUNT} --configuration-set news" in text
    assert f"listed         {IP}: Spamhaus ZEN lists {IP} (127.0.0.4); since 20" in text
    assert f"not listed     {IP}: by psbl, asked last at 20" in text
    assert f"not known      {IP}: Barracuda refused the question" in text
    assert "to do          Much bounces. Stop it." in text


@pytest.mark.usefixtures("sent")
def test_for_programs(run: Run) -> None:
    """Everything, with figures and times."""
    shown = rows(answer("standing", "--json", "--account", ACCOUNT))
    [account] = [one for one in shown["rates"] if one["kind"] == "account"]
    assert (150, 120, 30, "over the limit", 0.2) == (
        account["sent"],
        account["delivered"],
        account["bounce"]["count"],
        account["bounce"]["state"],
        account["bounce"]["rate"],
    )
    assert 0.1 < account["bounce"]["surely_over"] < 0.2
    assert [("rule:complaint-rate", f"waybill account resume {ACCOUNT} --configuration-set news")] == [
        (one["by"], one["undo"]) for one in shown["pauses"]
    ]
    assert ["clear", "listed", "refused"] == sorted(one["state"] for one in shown["listings"])
    assert [("BOUNCE", "HIGH", "OPEN")] == [
        (one["type"], one["impact"], one["status"]) for one in shown["recommendations"]
    ]


@pytest.mark.usefixtures("sent")
def test_the_undo_works_as_printed(run: Run) -> None:
    """The command ends the pause; it is said again by nobody."""
    run("account", "resume", ACCOUNT, "--configuration-set", "news")
    assert [] == rows(answer("standing", "--json"))["pauses"]


def test_an_account_that_is_not_there(run: Run) -> None:
    """Exit 4, as for everything that is not found; a set has an account, too."""
    run("keys", "create")
    assert "no account '1'" in run("standing", "--account", "1", code=4)
    assert f"account {ACCOUNT} has no configuration set 'x'" in run(
        "account", "resume", ACCOUNT, "--configuration-set", "x", code=4
    )


@pytest.mark.usefixtures("sent")
def test_status_warns(run: Run) -> None:
    """In a line each; more is said by the command that it names."""
    text = run("status")
    assert f"standing     over the limit account {ACCOUNT}: 30 of 150 recipients (20.0 %) bounced for good" in text


@pytest.mark.usefixtures("sent")
def test_pausing_a_configuration_set(run: Run) -> None:
    """By hand, with a reason; who stopped it first stands."""
    run("account", "resume", ACCOUNT, "--configuration-set", "news")
    assert "Configuration set news is paused." in run(
        "account", "pause", ACCOUNT, "--configuration-set", "news", "--reason", "bad list"
    )
    [pause] = rows(answer("standing", "--json"))["pauses"]
    assert ("operator", "bad list", "news") == (pause["by"], pause["reason"], pause["configuration_set"])
