"""What the constructors of the records refuse, instants as text, and which SES event a fact is."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.store.builders import START, attempt, suppression
from waybill.model.cause import Cause, Responder, Scope
from waybill.model.clock import now, parse_rfc3339, rfc3339
from waybill.model.event import FACTS, Accepted, EventKind, NewEvent, SesEvent, Suppressed, ses_event
from waybill.model.outcome import Outcome, Reply, Result, Stage
from waybill.model.refusal import Rejected
from waybill.model.resource import Identity
from waybill.model.simulator import is_simulated
from waybill.model.suppression import Reason


def outcome(**changes: Any) -> Outcome:
    fields: dict[str, Any] = {
        "result": Result.BOUNCED,
        "cause": Cause.USER_UNKNOWN,
        "scope": Scope.RECIPIENT,
        "responder": Responder.REMOTE,
        "permanent": True,
        "stage": Stage.RCPT,
        "status": "5.1.1",
        "diagnostic": "smtp; 550 5.1.1 No such user",
        "rule": "user-unknown",
    }
    return Outcome(**fields | changes)


@pytest.mark.parametrize("changes", [{"diagnostic": ""}, {"rule": ""}])
def test_an_outcome_needs_words_and_a_rule(changes: dict[str, Any]) -> None:
    """No verdict without evidence."""
    with pytest.raises(ValueError, match="needs the words and the rule it rests on"):
        outcome(**changes)


@pytest.mark.parametrize(
    "changes", [{"permanent": False}, {"scope": Scope.SOURCE_IP}, {"scope": Scope.RECIPIENT_DOMAIN}]
)
def test_only_a_permanent_refusal_of_the_recipient_suppresses(changes: dict[str, Any]) -> None:
    """A blocked IP never puts an address on a list."""
    with pytest.raises(ValueError, match="must not suppress the recipient"):
        outcome(suppress=True, **changes)


def test_a_domain_that_takes_no_mail_suppresses() -> None:
    """A null MX is about all its recipients."""
    assert outcome(suppress=True).suppress
    assert outcome(suppress=True, cause=Cause.DOMAIN_NO_MAIL, scope=Scope.RECIPIENT_DOMAIN).suppress


def test_a_reply_on_one_line() -> None:
    """Empty lines leave no gaps."""
    assert "550 5.1.1 No user" == Reply(code=550, enhanced="5.1.1", lines=("5.1.1 No", "", "user")).text
    assert "250" == Reply(code=250, enhanced=None, lines=("",)).text


def test_an_event_carries_its_kind_of_fact() -> None:
    """Another is a fault of the program."""
    with pytest.raises(TypeError, match="a bounced event carries Attempted, not Accepted"):
        NewEvent(kind=EventKind.BOUNCED, at=START, fact=Accepted())
    assert set(EventKind) == set(FACTS)


def test_ses_events() -> None:
    """A suppression for a complaint is a Complaint, any other a Bounce; what SES does not know is none."""
    bounce = Suppressed(entry=suppression(), feedback_id="f", diagnostic="d")
    complaint = replace(bounce, entry=suppression(reason=Reason.COMPLAINT))
    assert SesEvent.BOUNCE is ses_event(EventKind.SUPPRESSED, bounce)
    assert SesEvent.COMPLAINT is ses_event(EventKind.SUPPRESSED, complaint)
    assert SesEvent.SEND is ses_event(EventKind.ACCEPTED, Accepted())
    assert None is ses_event(EventKind.HELD, Accepted())


@given(st.integers(0, 253_402_300_799_999))
def test_instants_are_written_and_read(at: int) -> None:
    """To the millisecond, up to the year 9999."""
    text = rfc3339(at)
    assert 24 == len(text)
    assert at == parse_rfc3339(text)


def test_instants_of_others() -> None:
    """Any offset; none at all is refused."""
    assert START == parse_rfc3339(rfc3339(START).replace("Z", "+00:00"))
    assert parse_rfc3339("2026-11-24T02:30:00+02:00") == parse_rfc3339("2026-11-24T00:30:00Z")
    with pytest.raises(ValueError, match="has no offset from UTC"):
        parse_rfc3339("2026-11-24T02:30:00")
    assert now() > START - 10**12


def test_a_rejection_has_the_words_of_each_door() -> None:
    """What is not said for v1 and SMTP follows from v2."""
    plain = Rejected("No.", code="MessageRejected", cause=Cause.UNDETERMINED)
    assert ("MessageRejected", "554 No.", {}) == (plain.code_v1, plain.smtp, plain.detail)
    own = Rejected("No.", code="A", code_v1="B", smtp="452 C", cause=Cause.UNDETERMINED, detail={"x": "y"})
    assert ("B", "452 C", {"x": "y"}, "No.") == (own.code_v1, own.smtp, own.detail, str(own))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("bounce+1@simulator.amazonses.com", True),
        ("x@SIMULATOR.amazonses.com", True),
        ("x@eu.simulator.amazonses.com", True),
        ("x@notsimulator.amazonses.com", False),
        ("simulator.amazonses.com@b.test", False),
    ],
)
def test_the_simulators_addresses(address: str, expected: bool) -> None:
    """By their domain."""
    assert expected == is_simulated(address)


def test_an_identity_is_a_domain_or_an_address() -> None:
    """By the @."""
    assert Identity(account="1", name="b.test", created_at=0, token="t").is_domain
    assert not Identity(account="1", name="a@b.test", created_at=0, token="t").is_domain


def test_the_attempts_of_the_tests_are_right() -> None:
    """They pass the constructors too."""
    assert Result.DELIVERED is attempt(START, Result.DELIVERED, Cause.ACCEPTED_BY_RECEIVER).outcome.result
