"""Ledgers that nobody thought of: any events in any order under any status, well typed and otherwise senseless."""

from typing import Any

from hypothesis import strategies as st

from tests.explain import authentications
from tests.explain.life import FEEDBACK, START, message
from tests.explain.walks import no_walks, periods, walks
from waybill.explain import Facts
from waybill.model.amazon import AmazonAsked, AmazonEvent, AmazonReported
from waybill.model.authentication import SignatureBroken
from waybill.model.cause import Cause, Responder, Scope
from waybill.model.clock import DAY
from waybill.model.content import ContentExamined, Finding, Severity
from waybill.model.event import (
    FACTS,
    Accepted,
    Attempted,
    AutoReplied,
    BounceReceived,
    Complained,
    DelayReported,
    Event,
    EventKind,
    Expired,
    Held,
    MalwareFound,
    Prolonged,
    Refused,
    Released,
    RenderingFailed,
    Stuck,
    Suppressed,
    SuppressionAdded,
    TakenOver,
)
from waybill.model.history import DomainHistory, FailedAlike, Likeness, OftenTaken, TakenAt
from waybill.model.message import Delivery, Source, Status
from waybill.model.outcome import Attempt, Line, Outcome, Reply, Result, Speaker, Stage
from waybill.model.probe import Probed
from waybill.model.suppression import Reason, Suppression
from waybill.model.traced import CopyTraced

TEXT = st.one_of(
    st.text(max_size=40),
    st.sampled_from(["", "smtp; 550 5.1.1 no", "captured by Waybill, not sent on", "rule:x", "a@b.example", "\x1b[2J"]),
)
ADDRESS = st.sampled_from(["a@b.example", "", "x", "-a@gmial.com", "bounce@simulator.amazonses.com", "ü@[192.0.2.1]"])
AT = st.integers(START - DAY, START + 2 * DAY)
MAYBE_AT = st.none() | AT
CAUSE = st.sampled_from(Cause)
CONFIDENCE = st.sampled_from(["certain", "likely", "possible"])
IP = st.sampled_from([None, "192.0.2.7", "127.0.0.1", "::1", "nonsense"])

REPLY = st.builds(Reply, code=st.integers(200, 599), enhanced=st.none(), lines=st.lists(TEXT, max_size=3).map(tuple))
OUTCOME = st.builds(
    Outcome,
    result=st.sampled_from(Result),
    cause=CAUSE,
    scope=st.sampled_from(Scope),
    responder=st.sampled_from(Responder),
    permanent=st.booleans(),
    stage=st.sampled_from(Stage),
    status=TEXT,
    diagnostic=TEXT.filter(bool),
    rule=st.sampled_from(["failure-no-address", "failure-private-address", "waybill-failure", "any"]),
    confidence=CONFIDENCE,
    reply=st.none() | REPLY,
    command=st.none() | TEXT,
    host=st.none() | TEXT,
    ip=IP,
)
ATTEMPT = st.builds(
    Attempt,
    number=st.integers(1, 9),
    started_at=AT,
    ended_at=AT,
    outcome=OUTCOME,
    mx=st.none() | TEXT,
    ip=IP,
    port=st.none() | st.just(25),
    source_ip=IP,
    authentication=st.none() | st.sampled_from(authentications.NAMES),
    signature_intact=st.none() | st.booleans(),
    helo=st.none() | TEXT,
    transcript=st.lists(
        st.builds(
            Line,
            at=AT,
            who=st.sampled_from(Speaker),
            text=TEXT | st.sampled_from(["RCPT TO:<a@b.example>", "MAIL FROM:<x@y.example>", "250 ok", "250-ok"]),
        ),
        max_size=4,
    ).map(tuple),
)
ENTRY = st.builds(
    Suppression,
    account=st.sampled_from(["", "100000000001"]),
    address=ADDRESS,
    reason=st.sampled_from(Reason),
    at=AT,
    author=TEXT,
    message_id=st.none() | TEXT,
    diagnostic=st.none() | TEXT,
    event=st.none() | st.integers(1, 99),
    expires_at=MAYBE_AT,
)

_FACTS: dict[type, st.SearchStrategy[Any]] = {
    Accepted: st.builds(Accepted),
    Refused: st.builds(
        Refused,
        cause=CAUSE,
        code=TEXT,
        text=TEXT,
        detail=st.none()
        | st.dictionaries(
            st.sampled_from(["field", "address", "identities", "by", "configuration_set", "template", "free_at"]),
            TEXT,
            max_size=4,
        ),
    ),
    RenderingFailed: st.builds(
        RenderingFailed,
        cause=CAUSE,
        error=TEXT,
        template=st.none() | TEXT,
        template_version=st.none() | st.integers(1, 9),
        part=st.none() | st.just("text"),
        line=st.none() | st.integers(1, 9),
        column=st.none() | st.integers(1, 9),
        tag=st.none() | TEXT,
        variable=st.none() | TEXT | st.just("a.b.c"),
        available=st.lists(TEXT, max_size=20).map(tuple),
        closest=st.none() | TEXT,
    ),
    MalwareFound: st.builds(MalwareFound, reason=TEXT, signature=TEXT, where=TEXT),
    Suppressed: st.builds(Suppressed, entry=ENTRY, feedback_id=st.just(FEEDBACK), diagnostic=TEXT),
    Held: st.builds(
        Held,
        limit=TEXT | st.sampled_from(["unreachable", "suspension", "operator"]),
        by=TEXT,
        text=TEXT,
        until=MAYBE_AT,
    ),
    Prolonged: st.builds(Prolonged, incident=TEXT, by=TEXT, by_ms=st.integers(0, DAY), until=AT, text=TEXT),
    Released: st.builds(Released, by=TEXT, text=TEXT),
    TakenOver: st.builds(TakenOver, worker=TEXT, was_sending=st.none() | st.booleans()),
    Stuck: st.builds(Stuck, due_at=AT, text=TEXT),
    DelayReported: st.builds(
        DelayReported,
        cause=CAUSE,
        status=TEXT,
        diagnostic=TEXT,
        reporting_mta=st.none() | TEXT,
        rule=TEXT,
        retry_until=MAYBE_AT,
    ),
    Attempted: st.builds(Attempted, attempt=ATTEMPT, retry_at=MAYBE_AT, expires_at=MAYBE_AT),
    Expired: st.builds(
        Expired,
        underlying_cause=CAUSE,
        last_diagnostic=TEXT,
        diagnostic=TEXT,
        attempts=st.integers(0, 9),
        feedback_id=st.just(FEEDBACK),
        limit_ms=st.integers(0, DAY),
        by_configuration_set=st.booleans(),
    ),
    BounceReceived: st.builds(
        BounceReceived,
        cause=CAUSE,
        scope=st.sampled_from(Scope),
        permanent=st.booleans(),
        status=TEXT,
        action=TEXT,
        diagnostic=TEXT,
        reporting_mta=st.none() | TEXT,
        rule=TEXT,
        feedback_id=st.just(FEEDBACK),
    ),
    Complained: st.builds(
        Complained,
        feedback_id=st.just(FEEDBACK),
        feedback_type=st.none() | TEXT,
        user_agent=st.none() | TEXT,
        arrival_date=MAYBE_AT,
        reported_by=TEXT,
    ),
    AutoReplied: st.builds(AutoReplied, subject=TEXT, auto_submitted=TEXT),
    SuppressionAdded: st.builds(
        SuppressionAdded,
        list=st.sampled_from(["account", "global"]),
        reason=st.sampled_from(Reason),
        author=TEXT,
        expires_at=MAYBE_AT,
    ),
    CopyTraced: st.builds(
        CopyTraced,
        by=TEXT,
        filed=st.sampled_from(["spam", "quarantine", "inbox", "not_told"]),
        system=st.none() | TEXT,
        header=st.none() | TEXT,
        words=st.none() | TEXT,
        text=st.none() | TEXT,
        grounds=st.lists(TEXT, max_size=3).map(tuple),
        reason=st.none() | TEXT,
        is_folder=st.booleans(),
        after_ms=st.none() | st.integers(0, DAY),
        slowest=st.none() | TEXT,
        skew_ms=st.none() | st.integers(-DAY, DAY),
    ),
    SignatureBroken: authentications.broken(TEXT),
    AmazonReported: st.builds(
        AmazonReported,
        type=st.sampled_from(AmazonEvent),
        cause=st.none() | st.sampled_from(Cause),
        underlying_cause=st.none() | st.sampled_from(Cause),
        scope=st.none() | st.sampled_from(Scope),
        responder=st.none() | st.sampled_from(Responder),
        permanent=st.none() | st.booleans(),
        kind=st.none() | TEXT,
        sub_type=st.none() | TEXT,
        diagnostic=st.none() | TEXT,
        reporting_mta=st.none() | TEXT,
        processing_ms=st.none() | st.integers(0, DAY),
        expires_at=MAYBE_AT,
    ),
    AmazonAsked: st.builds(AmazonAsked, api=TEXT, command=TEXT, text=TEXT, failed=st.none() | TEXT),
    Probed: walks(TEXT, AT),
    ContentExamined: st.builds(
        ContentExamined,
        by=st.sampled_from(["waybill", "rspamd 3.4", ""]),
        findings=st.lists(
            st.builds(
                Finding,
                id=TEXT,
                severity=st.sampled_from(Severity),
                text=TEXT,
                where=st.none() | TEXT,
                source=st.none() | TEXT,
                score=st.none() | st.just(1.5),
            ),
            max_size=7,
        ).map(tuple),
        score=st.none() | st.just(7.5),
        threshold=st.none() | st.just(5.0),
        action=st.none() | TEXT,
        like=st.none() | TEXT,
        unseen=st.none() | TEXT,
    ),
}
HISTORY = st.builds(
    DomainHistory,
    delivered_to_domain=st.integers(0, 9),
    last_delivered_to_domain=MAYBE_AT,
    last_delivered_to_address=MAYBE_AT,
    last_bounced_address=MAYBE_AT,
    same_cause_messages=st.integers(0, 9),
    same_cause_domains=st.integers(0, 9),
    same_cause_since=MAYBE_AT,
)
LIKENESS = st.builds(
    Likeness,
    failed=st.none()
    | st.builds(
        FailedAlike,
        messages=st.integers(1, 9),
        since=AT,
        versions=st.lists(st.integers(1, 9), max_size=3).map(tuple),
        more=st.booleans(),
    ),
    addresses=st.lists(st.builds(TakenAt, address=ADDRESS, at=AT), max_size=3).map(tuple),
    domain=st.none() | st.builds(OftenTaken, domain=st.just("gmail.com"), messages=st.integers(1, 9)),
)


@st.composite
def _ledgers(draw: st.DrawFn) -> Facts:
    recipient = draw(ADDRESS)
    source = draw(st.sampled_from(Source))
    sender = draw(ADDRESS)
    asked = message(
        source=source,
        sender=sender,
        source_header=draw(TEXT),
        subject=draw(st.none() | TEXT),
        identity=draw(st.none() | ADDRESS),
        template=draw(st.none() | TEXT),
        client_started_at=draw(MAYBE_AT),
        destination=(recipient,),
    )
    status = draw(st.sampled_from(Status))
    events = []
    for number, kind in enumerate(draw(st.lists(st.sampled_from(EventKind), max_size=6)), 1):
        fact = draw(_FACTS[FACTS[kind]])
        about = draw(st.sampled_from([None, recipient]))
        events.append(Event(id=number, message_id=asked.id, kind=kind, at=draw(AT), fact=fact, recipient=about))
    delivery = Delivery(
        id=1,
        message_id=asked.id,
        account=asked.account,
        recipient=recipient,
        status=status,
        cause=draw(st.none() | CAUSE),
        underlying_cause=draw(st.none() | CAUSE),
        attempts=draw(st.integers(0, 9)),
        accepted_at=START,
        next_at=draw(MAYBE_AT),
        expires_at=draw(AT),
        updated_at=draw(AT),
        lease_owner=draw(st.none() | TEXT),
        lease_until=draw(MAYBE_AT),
    )
    history = draw(st.none() | HISTORY)
    live = draw(st.none() | walks(TEXT, AT) | no_walks(TEXT, AT))
    likeness = draw(st.none() | LIKENESS)
    return Facts(
        message=asked,
        deliveries=(delivery,),
        events=tuple(events),
        suppressions=tuple(draw(st.lists(ENTRY, max_size=2))),
        history={1: history} if history else {},
        live={1: live} if live else {},
        likeness={1: likeness} if likeness else {},
        health=draw(periods(TEXT, AT)),
        authentications=tuple(draw(st.lists(authentications.seen(TEXT, AT), max_size=3))),
    )


LEDGERS: st.SearchStrategy[Facts] = _ledgers()
