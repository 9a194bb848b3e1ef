"""What a live probe found, held against what was recorded when the message was attempted. It claims nothing beyond that."""

import re
from collections.abc import Iterator

from waybill.explain.authentication import dmarc_words, moment_of, spf_words
from waybill.explain.case import Case
from waybill.explain.live_record import Difference, Live
from waybill.explain.words import clock, one_line
from waybill.mail.reply import without_type
from waybill.model.authentication import Authentication
from waybill.model.cause import Cause
from waybill.model.event import EventKind
from waybill.model.message import Source, Status
from waybill.model.outcome import Attempt, Outcome, Reply, Speaker, Stage, Tls
from waybill.model.probe import NotProbed, Probed, ProbedHost, ProbedListing
from waybill.model.standing import ListingState

NO_PROOF = (
    "A yes to RCPT TO is no proof of a mailbox: many servers say it to every address and decide later. "
    "No message was sent, so what they would say to its content is not known."
)
COUNTS_AS_TRY = "For the receiver this walk was a try: where it greylists, the waiting time may begin with it."

_BEFORE_CONTENT = frozenset(
    {Stage.CONNECT, Stage.GREETING, Stage.EHLO, Stage.STARTTLS, Stage.AUTH, Stage.MAIL, Stage.RCPT}
)
_ENCRYPTED = frozenset({Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.MESSAGE})
"""Stages that come when it is settled whether and how the conversation is encrypted."""


_ENDED = {
    Stage.ROUTE: "no address of {} was found that may be spoken to",
    Stage.CONNECT: "no connection to {} could be made",
    Stage.GREETING: "{} was reached, and gave no greeting",
    Stage.STARTTLS: "no encryption could be agreed on with {}",
}

_ABOUT_MAILBOX = frozenset({Cause.USER_UNKNOWN, Cause.MAILBOX_DISABLED})
_NOT_SENT = {
    Status.SUPPRESSED: "it is on a suppression list",
    Status.RENDERING_FAILED: "its template could not be rendered",
    Status.REJECTED: "Waybill found malware in it",
    Status.REFUSED: "the request was refused",
}


def compare(case: Case, probed: Probed | NotProbed) -> Live:
    """What the receiver says now, and what of it differs from the record."""
    if isinstance(probed, NotProbed):
        return Live(at=probed.at, headline=f"Nobody walked to the server now: {probed.why}.", why_not=probed.why)
    attempt = case.last_attempt
    host = _decisive(probed, attempt)
    event = next((one.id for one in reversed(case.events) if one.fact == probed), None)
    differences: tuple[Difference, ...] = ()
    same: tuple[str, ...] = ()
    remarks = [
        *probed.remarks,
        *(_listing_words(one) for one in probed.listings if one.state is not ListingState.CLEAR),
    ]
    if attempt is None:
        remarks.insert(0, f"There is nothing to compare with: {_why_never(case)}.")
    else:
        differences, same = _held_against(case, attempt, probed, host)
    if host is not None:
        others = (one for one in probed.hosts if one.accepts is not host.accepts)
        remarks.extend(f"{_place(one)} answers otherwise: {_words(one)}." for one in others)
    if host is not None and host.accepts:
        remarks.append(NO_PROOF)
    if host is not None and host.stage is Stage.RCPT:
        remarks.append(COUNTS_AS_TRY)
    return Live(
        at=probed.started_at,
        ended_at=probed.ended_at,
        headline=_headline(case, probed, host),
        helo=probed.helo,
        mail_from=probed.mail_from,
        source_ip=host.source_ip if host is not None else None,
        steps=probed.steps,
        differences=differences,
        same=same,
        remarks=tuple(remarks),
        event=event,
    )


def describe_probed(probed: Probed) -> str:
    """The walk in one line, for the timeline."""
    host = _decisive(probed, None)
    if host is None:
        last = probed.steps[-1].text if probed.steps else "nothing was found out"
        return f"asked live, no message sent: {last}"
    return f"asked live, no message sent: {_place(host)}: {_words(host)}"


def _decisive(probed: Probed, attempt: Attempt | None) -> ProbedHost | None:
    """The host whose answer is told first: the one that the attempt spoke to, else the one where the walk came farthest."""
    stages = list(Stage)
    recorded = attempt.mx if attempt is not None else None
    return max(probed.hosts, key=lambda host: (host.host == recorded, stages.index(host.stage)), default=None)


def _headline(case: Case, probed: Probed, host: ProbedHost | None) -> str:
    at = clock(probed.started_at)
    if host is None:
        said = probed.steps[-1].text if probed.steps else "nothing was found out"
        return f"At {at} there was no way to a server of {case.domain}: {said}."
    if host.accepts:
        return f"Asked at {at}: {_place(host)} takes mail for this address, as far as RCPT TO tells."
    if host.reply is not None and host.stage is Stage.RCPT:
        later = "for now" if host.reply.code < 500 else "for good"
        return f"Asked at {at}: {_place(host)} refuses this address {later}."
    if host.reply is not None:
        return f"Asked at {at}: {_place(host)} turned us away before it heard of the recipient."
    return f"Asked at {at}: {_ENDED.get(host.stage, 'the conversation with {} broke off').format(_place(host))}."


def _why_never(case: Case) -> str:
    if case.message.source is Source.AMAZON_SES:
        return "Amazon SES sent this message, and its conversation with the server is not on record"
    why = _NOT_SENT.get(case.delivery.status)
    if why is not None:
        return f"Waybill never attempted this message, since {why}"
    if case.is_held:
        return "Waybill holds this message back, and has not attempted it yet"
    if case.event_of(EventKind.EXPIRED) is not None:
        return "its time ran out before any attempt was made"
    return "no attempt is on record yet"


def _held_against(
    case: Case, attempt: Attempt, probed: Probed, host: ProbedHost | None
) -> tuple[tuple[Difference, ...], tuple[str, ...]]:
    """What differs, and the names of what does not."""
    differences: list[Difference] = []
    same: list[str] = []
    for what, found in (
        ("MX hosts", _compare_mx(case, attempt, probed)),
        ("encryption", _compare_tls(attempt, host)),
        ("answer", _compare_answers(case, attempt, probed, host)),
    ):
        if isinstance(found, Difference):
            differences.append(found)
        elif found:
            same.append(what)
    for what, answer in _compare_authentication(case, attempt, probed):
        differences.extend([answer] if isinstance(answer, Difference) else [])
        same.extend([] if isinstance(answer, Difference) else [what])
    differences.extend(
        Difference(
            what="blocklist",
            then=f"refused for {one.subject}, which was said to be listed",
            now=one.text,
            text="What was refused for that listing may be taken now, once the receiver has noticed.",
        )
        for one in probed.listings
        if one.state is ListingState.CLEAR
    )
    return tuple(differences), tuple(same)


def _compare_authentication(case: Case, attempt: Attempt, probed: Probed) -> Iterator[tuple[str, Difference | bool]]:
    """SPF, DKIM and DMARC, of those that were looked at both times."""
    moment, now = moment_of(case, attempt), probed.authentication
    if moment is None or now is None:
        return
    then = moment.found
    if then.spf is not None and now.spf is not None:
        alike = (then.spf.result, then.spf.records) == (now.spf.result, now.spf.records)
        text = "The result or the record of SPF is another now."
        yield "SPF", alike or Difference(what="spf", then=spf_words(then), now=spf_words(now), text=text)
    for old in then.dkim:
        key = next((one for one in now.dkim if (one.domain, one.selector) == (old.domain, old.selector)), None)
        if key is None:
            continue
        text = "What is published for our signature is another now."
        yield (
            f"DKIM of {old.domain}",
            (old.result, old.record) == (key.result, key.record)
            or Difference(what="dkim", then=old.reason, now=key.reason, text=text),
        )
    alike = (then.dmarc.result, _policy(then)) == (now.dmarc.result, _policy(now))
    text = "What DMARC comes to, or the policy, is another now."
    yield "DMARC", alike or Difference(what="dmarc", then=dmarc_words(then), now=dmarc_words(now), text=text)


def _policy(found: Authentication) -> str:
    return found.dmarc.record.text if found.dmarc.record is not None else ""


def _listing_words(one: ProbedListing) -> str:
    return f"Queried now: {'still listed. ' if one.state is ListingState.LISTED else ''}{one.text}."


def _compare_mx(case: Case, attempt: Attempt, probed: Probed) -> Difference | bool:
    """The MX records; False where there is nothing to compare."""
    now = frozenset(probed.mx)
    then = _recorded_mx(case, attempt)
    if not then and attempt.mx is not None and now:
        hosts = {each.partition(" ")[2] for each in now}
        if attempt.mx.lower() in hosts:
            return True
        text = f"{attempt.mx}, where the message went, is no MX host of {case.domain} now."
        return Difference(what="mx", then=attempt.mx, now=_listed(now), text=text)
    if not then or then == now:
        return bool(then)
    text = f"The DNS leads mail for {case.domain} elsewhere than it did."
    if not now:
        text = f"The DNS names no server for {case.domain} now."
    return Difference(what="mx", then=_listed(then), now=_listed(now) or "none", text=text)


def _recorded_mx(case: Case, attempt: Attempt) -> frozenset[str]:
    """The MX records as the attempt's transcript has them."""
    answered = re.compile(rf"answered for {re.escape(case.domain)} MX: (.+)", re.IGNORECASE)
    for line in attempt.transcript:
        found = answered.search(line.text) if line.who is Speaker.NOTE else None
        if found:
            return frozenset(each.strip().rstrip(".").lower() for each in found[1].split(","))
    return frozenset()


def _listed(records: frozenset[str]) -> str:
    return ", ".join(sorted(records, key=lambda each: (each.partition(" ")[0].zfill(5), each)))


def _compare_tls(attempt: Attempt, host: ProbedHost | None) -> Difference | bool:
    """How the session was encrypted, of one and the same host; False where one of both never came to that."""
    spoke = host is not None and attempt.mx == host.host and host.stage in _ENCRYPTED
    if host is None or not spoke or attempt.outcome.stage not in _ENCRYPTED:
        return False
    then, now = attempt.tls, host.tls
    if then is None or now is None:
        if then is now:
            return True
        was, text = ("encrypted", "It is spoken to in clear now.") if then else ("in clear", "It is encrypted now.")
        return Difference(what="tls", then=was, now="in clear" if then else "encrypted", text=text)
    if then.verified is not now.verified:
        text = "Its certificate can be verified now." if now.verified else "Its certificate cannot be verified now."
        return Difference(what="tls", then=_worth(then), now=_worth(now), text=text)
    if then.peer_subject and now.peer_subject and then.peer_subject != now.peer_subject:
        text = "It shows another certificate."
        return Difference(what="tls", then=then.peer_subject, now=now.peer_subject, text=text)
    return True


def _worth(tls: Tls) -> str:
    return "verified" if tls.verified else (tls.why_not_verified or "not verified")


def _compare_answers(case: Case, attempt: Attempt, probed: Probed, host: ProbedHost | None) -> Difference | bool:
    outcome = attempt.outcome
    then = one_line(outcome.reply) if outcome.reply is not None else without_type(outcome.diagnostic)
    if host is None:
        if outcome.stage is Stage.ROUTE or _recorded_mx(case, attempt):  # what became of the MX is told already
            return outcome.stage is Stage.ROUTE
        now = probed.steps[-1].text if probed.steps else "nothing"
        return Difference(what="route", then=then, now=now, text="A server was found then, and none is now.")
    if _same(outcome, host):
        return True
    return Difference(what="answer", then=then, now=_words(host), text=_meaning(case, outcome, host))


def _same(outcome: Outcome, host: ProbedHost) -> bool:
    """Whether both ended alike. A yes to the message is no other answer than a yes to RCPT."""
    if outcome.reply is None or host.reply is None:
        return outcome.reply is host.reply and outcome.stage is host.stage
    if outcome.stage is Stage.MESSAGE and outcome.reply.code // 100 == 2:
        return host.accepts
    return _kind(outcome.reply) == _kind(host.reply)


def _kind(reply: Reply) -> tuple[int, str | None]:
    return reply.code, reply.enhanced


def _meaning(case: Case, outcome: Outcome, host: ProbedHost) -> str:
    if host.accepts:
        return _meaning_of_yes(case, outcome)
    if host.reply is None:
        return (
            "It could be spoken to then, and not now." if outcome.reply is not None else "It fails in another way now."
        )
    if outcome.reply is None:
        return "It could not be spoken to then; now it answers, with a refusal."
    return _meaning_of_no(outcome.reply.code, host.reply.code)


def _meaning_of_no(then: int, now: int) -> str:
    if then < 400:
        return f"It took the message then, and {'puts this address off' if now < 500 else 'refuses this address'} now."
    if then >= 500 > now:
        return "What was refused for good then is put off now: a later try may get another answer."
    if now >= 500 > then:
        return "What was put off then is refused for good now."
    return "It refuses in another way now."


def _meaning_of_yes(case: Case, outcome: Outcome) -> str:
    if outcome.reply is None:
        return "It could not be spoken to then, and takes mail for this address now."
    if outcome.stage not in _BEFORE_CONTENT:
        return (
            "The refusal then came after the message itself, which no walk sends: whether it would be taken now, this does "
            "not tell."
        )
    if outcome.cause in _ABOUT_MAILBOX:
        return "The mailbox exists now, or the server says yes to every address now and decides later."
    if outcome.reply.code < 500:
        return f"It put {case.recipient} off then, and says yes now."
    return "What stood against it then does not show at RCPT TO now."


def _place(host: ProbedHost) -> str:
    return f"{host.host} [{host.ip}]" if host.ip else host.host


def _words(host: ProbedHost) -> str:
    return one_line(host.reply) if host.reply is not None else host.text
