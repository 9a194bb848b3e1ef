"""Which entries a bounce or complaint makes."""

from dataclasses import replace

import pytest

from waybill.deliver.suppress import GLOBAL_LIFETIME, Grounds, additions, entries_for, grounds_of_bounce
from waybill.model.cause import Cause, Responder, Scope
from waybill.model.event import EventKind, SuppressionAdded
from waybill.model.outcome import Outcome, Result, Stage
from waybill.model.resource import INSTALLATION, Account, ConfigurationSet
from waybill.model.suppression import GLOBAL, Reason, Suppression

ACCOUNT = Account(account=INSTALLATION, name="100000000001", created_at=1)
SET = ConfigurationSet(account="100000000001", name="news", created_at=1)
BOUNCE = Grounds(
    reason=Reason.BOUNCE,
    rule="user-unknown",
    message_id="m-1",
    feedback_id="f-1",
    diagnostic="smtp; 550 5.1.1 No such user",
    at=1_000,
    cause=Cause.USER_UNKNOWN,
)
COMPLAINT = replace(BOUNCE, reason=Reason.COMPLAINT, rule="complaint-report")


def lists(entries: tuple[Suppression, ...]) -> list[str]:
    return [entry.account for entry in entries]


def test_a_bounce_is_listed_for_the_account_and_for_a_while_for_all() -> None:
    """The account's entry stays, the global one expires; both name message, rule and words."""
    entries = entries_for(BOUNCE, "Anne.Marie@B.Example", ACCOUNT, None)
    assert (
        Suppression(
            account="100000000001",
            address="Anne.Marie@b.example",
            reason=Reason.BOUNCE,
            at=1_000,
            author="rule:user-unknown",
            message_id="m-1",
            feedback_id="f-1",
            diagnostic="smtp; 550 5.1.1 No such user",
            cause=Cause.USER_UNKNOWN,
        )
        == entries[0]
    )
    assert replace(entries[0], account=GLOBAL, expires_at=1_000 + GLOBAL_LIFETIME) == entries[1]
    assert len(entries) == 2


def test_a_complaint_concerns_the_account_alone() -> None:
    """No other account's mail is stopped by it."""
    assert lists(entries_for(COMPLAINT, "a@b.example", ACCOUNT, None)) == ["100000000001"]


@pytest.mark.parametrize(
    ("account_reasons", "set_reasons", "expected"),
    [
        ((), None, [GLOBAL]),
        ((Reason.COMPLAINT,), None, [GLOBAL]),
        ((Reason.BOUNCE,), None, ["100000000001", GLOBAL]),
        ((Reason.BOUNCE,), (), [GLOBAL]),
        ((), (Reason.BOUNCE,), ["100000000001", GLOBAL]),
        ((Reason.BOUNCE,), (Reason.COMPLAINT,), [GLOBAL]),
    ],
)
def test_the_configuration_set_overrides_the_account(
    account_reasons: tuple[Reason, ...], set_reasons: tuple[Reason, ...] | None, expected: list[str]
) -> None:
    """Reasons of the configuration set count where it has them, an empty list included."""
    account = replace(ACCOUNT, suppressed_reasons=account_reasons)
    configuration_set = replace(SET, suppressed_reasons=set_reasons)
    assert expected == lists(entries_for(BOUNCE, "a@b.example", account, configuration_set))


@pytest.mark.parametrize(
    "domain", ["simulator.amazonses.com", "Simulator.AmazonSES.com", "nullmx.simulator.amazonses.com"]
)
@pytest.mark.parametrize("grounds", [BOUNCE, COMPLAINT])
def test_the_simulator_is_never_listed(domain: str, grounds: Grounds) -> None:
    """A test with the simulator can be repeated."""
    assert entries_for(grounds, f"bounce+label@{domain}", ACCOUNT, None) == ()


def test_a_name_that_only_looks_like_the_simulator_is_listed() -> None:
    """The exemption is for the domain and those under it."""
    assert len(entries_for(BOUNCE, "bounce@notsimulator.amazonses.com", ACCOUNT, None)) == 2


def test_only_an_outcome_that_says_so_gives_grounds() -> None:
    """A refusal that does not suppress makes nothing."""
    outcome = Outcome(
        result=Result.BOUNCED,
        cause=Cause.USER_UNKNOWN,
        scope=Scope.RECIPIENT,
        responder=Responder.REMOTE,
        permanent=True,
        stage=Stage.RCPT,
        status="5.1.1",
        diagnostic="smtp; 550 5.1.1 No such user",
        rule="user-unknown",
        suppress=True,
    )
    assert grounds_of_bounce(outcome, message_id="m-1", feedback_id="f-1", at=1_000) == BOUNCE
    unsure = replace(outcome, suppress=False)
    assert None is grounds_of_bounce(unsure, message_id="m-1", feedback_id="f-1", at=1_000)


def test_each_entry_has_its_event() -> None:
    """The ledger names list, reason, author and end of each entry."""
    events = additions(entries_for(BOUNCE, "a@b.example", ACCOUNT, None), "a@b.example")
    assert [event.kind for event in events] == [EventKind.SUPPRESSION_ADDED] * 2
    assert [
        SuppressionAdded(list="account", reason=Reason.BOUNCE, author="rule:user-unknown"),
        SuppressionAdded(
            list="global", reason=Reason.BOUNCE, author="rule:user-unknown", expires_at=1_000 + GLOBAL_LIFETIME
        ),
    ] == [event.fact for event in events]
