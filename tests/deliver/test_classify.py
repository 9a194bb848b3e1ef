import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.shared_data import SHARED
from waybill.deliver.classify import RULES, classify, classify_text, fingerprint
from waybill.deliver.evidence import Evidence, Failure
from waybill.lab.simulated import SIMULATED, ZONE, SimulatedAddress
from waybill.mail.reply import MalformedReply, parse_reply
from waybill.model.cause import CATALOGUE, Cause, Responder, Scope
from waybill.model.outcome import Outcome, Reply, Result, Stage

# What was measured when the rules were written, less a little room.
RIGHT_FLOOR = 0.93
COMMON_FLOOR = 0.98
FALSE_SUPPRESSION_CEILING = 0.02
MISSED_PERMANENT_CEILING = 0.08

PROVIDER_HOSTS = {provider.name: f"mx1.{provider.mx[0]}" for provider in RULES.providers}


def _said(text: str) -> Reply | None:
    try:
        return parse_reply(text)
    except MalformedReply:
        return None


def _classified(text: str, *, stage: Stage = Stage.RCPT, host: str | None = None) -> Outcome:
    return classify(Evidence(stage=stage, recipient="a@b.example", reply=_said(text), text=text, host=host))


EXAMPLES = [(rule, example) for rule in RULES.rules for example in rule.examples]


@pytest.mark.parametrize(("rule", "example"), EXAMPLES, ids=[f"{rule.id}-{text[:30]}" for rule, text in EXAMPLES])
def test_example_lands_on_its_rule(rule: Any, example: str) -> None:
    """Each rule's examples go through the whole classifier and land on that very rule."""
    host = PROVIDER_HOSTS[rule.provider] if rule.provider else None
    outcome = _classified(example, stage=min(rule.stages, default=Stage.RETURNED), host=host)
    assert (outcome.rule, outcome.cause, outcome.scope) == (rule.id, rule.cause, rule.scope)


@pytest.mark.parametrize(
    ("text", "cause", "result", "suppress"),
    [
        ("550 5.1.1 <a@b.example>: User unknown", Cause.USER_UNKNOWN, Result.BOUNCED, True),
        ("450 4.1.1 <a@b.example>: User unknown", Cause.USER_UNKNOWN, Result.DEFERRED, False),
        ("550 5.1.1 rejected: listed at zen.spamhaus.org", Cause.IP_BLOCKLISTED, Result.BOUNCED, False),
        ("552 5.2.2 Mailbox full", Cause.MAILBOX_FULL, Result.BOUNCED, False),
        ("452 4.2.2 Mailbox full", Cause.MAILBOX_FULL, Result.DEFERRED, False),
        ("550 5.7.1 User unknown", Cause.USER_UNKNOWN, Result.BOUNCED, False),
        ("525 5.7.13 User account disabled", Cause.MAILBOX_DISABLED, Result.BOUNCED, True),
        ("550 Greylisted, try again in 300 seconds", Cause.GREYLISTED, Result.DEFERRED, False),
        ("550 Whatever comes next", Cause.UNDETERMINED, Result.BOUNCED, False),
        ("450 Whatever comes next", Cause.UNDETERMINED, Result.DEFERRED, False),
        ("556 5.1.10 Recipient address has null MX", Cause.DOMAIN_NO_MAIL, Result.BOUNCED, True),
        ("550 5.1.1 User unknown, or your IP is not welcome", Cause.USER_UNKNOWN, Result.BOUNCED, False),
        ("550 5.1.1 User unknown, see https://b.example/policy", Cause.USER_UNKNOWN, Result.BOUNCED, True),
        (
            "550 5.7.15 Access denied, sending domain does not meet the required authentication level",
            Cause.AUTH_FAILED,
            Result.BOUNCED,
            False,
        ),
        ("550 5.7.1 part of their network is on our block list (S3140)", Cause.IP_BLOCKLISTED, Result.BOUNCED, False),
        (
            "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume",
            Cause.RATE_LIMITED,
            Result.DEFERRED,
            False,
        ),
        ("550 Recipient amiss", Cause.USER_UNKNOWN, Result.BOUNCED, False),
    ],
)
def test_code_cause_and_suppression(text: str, cause: Cause, result: Result, *, suppress: bool) -> None:
    """The code decides whether to try again, the words decide the cause, and both whether to suppress."""
    outcome = _classified(text)
    assert (outcome.cause, outcome.result, outcome.suppress) == (cause, result, suppress)


def test_codes_lie_at_one_provider() -> None:
    """Exchange Online's "Access denied" is a missing mailbox there, and a policy anywhere else."""
    text = "550 5.4.1 Recipient address rejected: Access denied."
    here = _classified(text, host="b-example.mail.protection.outlook.com")
    assert (here.cause, here.confidence, here.suppress) == (Cause.USER_UNKNOWN, "likely", False)
    assert _classified(text, host="mx.b.example").cause is Cause.POLICY_REJECTED


def test_gmail_marks_what_the_recipients_administrator_forbids() -> None:
    """gcdp is not Google's refusal but one of the recipient's domain."""
    outcome = _classified(
        "550-5.7.1 Blocked by content policy\n550 5.7.1 of the domain. x-gcdp", host="aspmx.l.google.com"
    )
    assert (outcome.rule, outcome.scope) == ("google-admin-rule", Scope.RECIPIENT_DOMAIN)


def test_lines_of_a_reply_are_read_as_one_sentence() -> None:
    """Gmail repeats its code in the middle of sentences; the words are still found."""
    outcome = _classified("550-5.7.1 This message has a very low\n550 5.7.1 reputation of the sending domain.")
    assert outcome.cause is Cause.LOW_REPUTATION
    outcome = _classified("550-5.1.1 The account that you tried to reach does\n550-5.1.1 not exist.\n550 5.1.1 gsmtp")
    assert (outcome.rule, outcome.suppress) == ("unknown-user", True)


def test_words_in_an_address_mean_nothing() -> None:
    """A recipient called virus-spamhaus-full is no virus, no blocklist and no full mailbox."""
    outcome = _classified("550 5.1.1 <virus-spamhaus-full@dkim.example>: User unknown")
    assert outcome.cause is Cause.USER_UNKNOWN


def test_nothing_said_before_rcpt_suppresses() -> None:
    """At MAIL FROM a missing user is the sender; in the greeting nobody has heard of the recipient."""
    outcome = _classified("550 5.1.1 User unknown", stage=Stage.MAIL)
    assert (outcome.cause, outcome.suppress) == (Cause.SENDER_INVALID, False)
    assert not _classified("550 5.1.1 User unknown", stage=Stage.GREETING).suppress


@pytest.mark.parametrize(
    ("stage", "cause", "suppress"),
    [
        (Stage.MAIL, Cause.SENDER_INVALID, False),
        (Stage.RCPT, Cause.USER_UNKNOWN, True),
        (Stage.MESSAGE, Cause.USER_UNKNOWN, False),
    ],
)
def test_mailbox_unavailable_means_what_its_stage_says(stage: Stage, cause: Cause, *, suppress: bool) -> None:
    """RFC 5321's words for 550 are about whom the command named; after the message they may stand for anything."""
    outcome = _classified("550 Requested action not taken: mailbox unavailable", stage=stage)
    assert (cause, suppress) == (outcome.cause, outcome.suppress)


def test_outcome_keeps_the_evidence() -> None:
    """Who said it, where, in answer to what, and verbatim."""
    reply = Reply(code=550, enhanced="5.1.1", lines=("5.1.1 User  unknown",))
    outcome = classify(
        Evidence(
            stage=Stage.RCPT, recipient="a@b.example", reply=reply, command="RCPT TO:<a@b.example>", host="mx", ip="::1"
        )
    )
    assert outcome == Outcome(
        result=Result.BOUNCED,
        cause=Cause.USER_UNKNOWN,
        scope=Scope.RECIPIENT,
        responder=Responder.REMOTE,
        permanent=True,
        stage=Stage.RCPT,
        status="5.1.1",
        diagnostic="smtp; 550 5.1.1 User  unknown",
        rule="unknown-user",
        suppress=True,
        reply=reply,
        command="RCPT TO:<a@b.example>",
        host="mx",
        ip="::1",
    )


def test_accepted_is_an_outcome_too() -> None:
    """250 is said as it is: taken, and nothing about the mailbox."""
    outcome = _classified("250 2.6.0 queued as 4Xyz", stage=Stage.MESSAGE)
    assert (outcome.result, outcome.cause, outcome.rule) == (Result.DELIVERED, Cause.ACCEPTED_BY_RECEIVER, "accepted")
    assert (outcome.status, outcome.diagnostic) == ("2.6.0", "smtp; 250 2.6.0 queued as 4Xyz")


@pytest.mark.parametrize("failure", Failure)
def test_every_failure_has_a_verdict(failure: Failure) -> None:
    """No failure is without cause; only the null MX suppresses; 5xx and bounced go together."""
    outcome = classify(Evidence(stage=Stage.ROUTE, recipient="a@b.example", failure=failure, text="our words"))
    assert outcome.diagnostic == "our words"
    assert outcome.suppress == (failure is Failure.NULL_MX)
    assert (outcome.result is Result.BOUNCED) == outcome.status.startswith("5")


def test_connection_lost_is_named_by_its_stage() -> None:
    """Dropped before a word is no connection; dropped later is a broken conversation. Both are tried again."""
    causes = {}
    for stage in (Stage.GREETING, Stage.MESSAGE):
        outcome = classify(Evidence(stage=stage, recipient="a@b.example", failure=Failure.CONNECTION_LOST))
        assert outcome.result is Result.DEFERRED
        causes[stage] = outcome.cause
    assert causes == {Stage.GREETING: Cause.CONNECTION_FAILED, Stage.MESSAGE: Cause.PROTOCOL_ERROR}


def test_nxdomain_bounces_at_once() -> None:
    """A domain that does not exist is final, and no reason to suppress; a resolver that fails is not final."""
    gone = classify(Evidence(stage=Stage.ROUTE, recipient="a@b.example", failure=Failure.DOMAIN_NOT_FOUND))
    assert (gone.cause, gone.result, gone.permanent) == (Cause.DOMAIN_NOT_FOUND, Result.BOUNCED, True)
    assert (gone.responder, gone.diagnostic) == (Responder.DNS, "domain not found")
    silent = classify(Evidence(stage=Stage.ROUTE, recipient="a@b.example", failure=Failure.DNS_TIMEOUT))
    assert (silent.cause, silent.result) == (Cause.DNS_FAILURE, Result.DEFERRED)


@pytest.mark.parametrize(
    "entry",
    [entry for entry in SIMULATED if entry.reply and entry.cause is not Cause.SUPPRESSED_GLOBAL],
    ids=lambda entry: entry.local,
)
def test_simulator_shows_the_cause_it_promises(entry: SimulatedAddress) -> None:
    """Each reply of the mailbox simulator is classified to the cause in its table."""
    outcome = _classified(entry.reply, stage=entry.stage, host=f"mx.{ZONE}")
    assert outcome.cause is entry.cause


def test_words_without_a_code() -> None:
    """A bounce mail may quote words alone, or a code in the middle of them."""
    outcome = classify_text("Unknown recipient", None)
    assert (outcome.cause, outcome.permanent, outcome.stage) == (Cause.USER_UNKNOWN, True, Stage.RETURNED)
    outcome = classify_text("host mx.b.example said: 452 4.2.2 over quota", None)
    assert (outcome.cause, outcome.result, outcome.status) == (Cause.MAILBOX_FULL, Result.DEFERRED, "4.2.2")
    outcome = classify_text("220-mx.b.example 421 4.2.1 Service refused, please try later", None)
    assert (outcome.cause, outcome.result) == (Cause.SERVER_UNAVAILABLE, Result.DEFERRED)
    assert classify_text("", None).cause is Cause.UNDETERMINED


def test_fingerprint_leaves_out_what_varies() -> None:
    """Two replies of one kind count as one."""
    first = "550 5.7.1 <a@b.example> [192.0.2.7] rejected at 2026-11-24T02:30:00Z id 4XyZ12ab99 (attempt 3)"
    second = "550 5.7.1 <c.d@e.example> [2001:db8::7] rejected at 2025-01-02T03:04:05.678Z id 9QrS77cd01 (attempt 12)"
    expected = "550 5.7.1 <address> [<ip>] rejected at <time> id <id> (attempt <n>)"
    assert [fingerprint(first), fingerprint(second)] == [expected, expected]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=400), st.sampled_from([None, "mx.google.com", "", ".", "ä"]))
def test_anything_can_be_classified(text: str, mx: str | None) -> None:
    """No text crashes the classifier, and what it says agrees with itself."""
    for reply in (text, f"550 5.1.1 {text}", f"421 {text}"):
        outcome = classify_text(reply, mx)
        assert not outcome.suppress or (outcome.permanent and outcome.result is Result.BOUNCED)
        assert outcome.diagnostic
        fingerprint(reply)


@pytest.mark.parametrize(
    "collection",
    ["replies", "replies_by_system", "replies_by_cause", "replies_by_host", "replies_abroad", "replies_by_code"],
)
def test_collected_replies(collection: str) -> None:
    """Nearly every reply gets a right cause; nobody is suppressed who should not be; what is permanent is seen as that."""
    lines = Path(__file__).with_name(f"{collection}.txt").read_text("utf-8").split("\n")
    cases = [line.rpartition("|") for line in lines if "|" in line and not line.startswith("#")]
    wrong, suppressed, missed = [], [], []
    for reply, _, words in cases:
        outcome = classify_text(reply, None)
        causes = [Cause(word) for word in words.split()]
        if outcome.cause not in causes:
            wrong.append(reply)
        if outcome.suppress and not any(CATALOGUE[cause].suppress for cause in causes):
            suppressed.append(reply)
        if CATALOGUE[causes[0]].suppress and not reply.startswith("4") and not outcome.permanent:
            missed.append(reply)
    assert ([], []) == (suppressed, missed)
    assert len(wrong) / len(cases) <= 1 - COMMON_FLOOR, wrong


@pytest.mark.skipif(SHARED is None, reason="the collection of real replies is not here")
def test_real_replies() -> None:
    """The share of real replies whose cause is right does not fall, nor do good recipients get suppressed."""
    assert SHARED is not None
    rows = [json.loads(line) for line in (SHARED / "data" / "replies.jsonl").read_bytes().splitlines()]
    right = wrongly_suppressed = permanent = missed = 0
    for row in rows:
        outcome = classify_text(row["reply"], None)
        right += outcome.cause in {row["cause"], *row["also_ok"]}
        defensible = [Cause(cause) for cause in (row["cause"], *row["also_ok"]) if cause in set(Cause)]
        wrongly_suppressed += outcome.suppress and not any(CATALOGUE[cause].suppress for cause in defensible)
        if CATALOGUE[Cause(row["cause"])].suppress and (row["code"] or "5").startswith("5"):
            permanent += 1
            missed += not outcome.permanent
    assert right / len(rows) >= RIGHT_FLOOR
    assert wrongly_suppressed / len(rows) <= FALSE_SUPPRESSION_CEILING
    assert missed / permanent <= MISSED_PERMANENT_CEILING


@pytest.mark.parametrize("text", ["535 5.7.8 Authentication failed", "530 5.7.0 Login first", "500 what"])
def test_a_relay_that_refuses_the_login_bounces_nothing(text: str) -> None:
    """The operator corrects the password while the mail waits; it is about the service, whoever the recipient is."""
    outcome = _classified(text, stage=Stage.AUTH)
    assert (Result.DEFERRED, Scope.SERVICE, False, False, "4") == (
        outcome.result,
        outcome.scope,
        outcome.permanent,
        outcome.suppress,
        outcome.status[0],
    )


@pytest.mark.parametrize("stage", [Stage.GREETING, Stage.EHLO])
@pytest.mark.parametrize(
    "words", ["554 5.3.2 System not accepting network messages", "554 5.7.1 192.0.2.1 is listed at zen.spamhaus.org"]
)
def test_at_the_door_nothing_that_passes_is_final(stage: Stage, words: str) -> None:
    """A server that is closed, or shut to our IP, has not refused this message: it is tried again, whatever the code."""
    outcome = classify(Evidence(stage=stage, recipient="a@b.test", reply=parse_reply(words), host="mx.b.test"))
    assert (Result.DEFERRED, False) == (outcome.result, outcome.permanent)
    assert (
        Result.BOUNCED
        is classify(Evidence(stage=Stage.RCPT, recipient="a@b.test", reply=parse_reply(words), host="mx.b.test")).result
    )
