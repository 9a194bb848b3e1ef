"""What else it may be: the causes that compete where the evidence leaves room, ranked, each with the fact that would decide."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

from waybill.explain.authentication import dmarc_result
from waybill.explain.case import Case
from waybill.explain.commands import command
from waybill.explain.record import Hypothesis
from waybill.explain.said import from_domain, is_captured, source_ip
from waybill.explain.traced import in_the_inbox
from waybill.explain.words import count
from waybill.model.authentication import DmarcResult
from waybill.model.cause import Cause
from waybill.model.clock import DAY
from waybill.model.event import Attempted, BounceReceived, EventKind
from waybill.model.message import Status
from waybill.model.outcome import Attempt, Stage
from waybill.model.simulator import is_simulated
from waybill.model.standing import ListingState

LIKELY, POSSIBLE = "likely", "possible"
SHOWN = 3
"""More than these help nobody."""
_KNOWN_GOOD = 90 * DAY
"""An address that took mail so lately is known to have been good (what incident detection goes by, too)."""
_OFTEN = 3
_BEFORE_CONTENT = frozenset({Stage.CONNECT, Stage.GREETING, Stage.EHLO, Stage.STARTTLS, Stage.AUTH, Stage.MAIL})

Weighed: TypeAlias = Iterator[Hypothesis]


def hypotheses(case: Case) -> tuple[Hypothesis, ...]:
    """The causes that the evidence does not rule out, the likelier first; empty where what was said leaves no doubt."""
    cause = case.underlying_cause if case.cause in {Cause.DELIVERY_EXPIRED, Cause.HELD_BY_WAYBILL} else case.cause
    if cause is None or is_simulated(case.recipient) or (case.last_attempt and is_captured(case.last_attempt)):
        return ()
    weigh = _WEIGHED.get(cause)
    found = [] if weigh is None else list(weigh(case))
    return tuple(sorted(found, key=lambda one: one.confidence != LIKELY))[:SHOWN]


def _attempt(case: Case) -> Attempt | None:
    return case.last_attempt


def _stage(case: Case) -> Stage | None:
    decisive = case.decisive
    if decisive is not None and isinstance(decisive.fact, Attempted):
        return decisive.fact.attempt.outcome.stage
    return None


def _is_certain(case: Case) -> bool:
    decisive = case.decisive
    if decisive is not None and isinstance(decisive.fact, Attempted):
        return decisive.fact.attempt.outcome.confidence == "certain"
    return True


def _is_known_good(case: Case) -> bool:
    history = case.history
    taken = history.last_delivered_to_address if history is not None else None
    return taken is not None and case.now - taken <= _KNOWN_GOOD


def _takes_others(case: Case) -> int:
    """How many other messages the domain took in the last day."""
    return case.history.delivered_to_domain if case.history is not None else 0


def _check(case: Case) -> str:
    return command("check", argument=from_domain(case))


def _after_taken(case: Case) -> Weighed:
    """The server said 250: what may have become of the message behind it."""
    attempt = _attempt(case)
    if case.delivery.status is not Status.DELIVERED or attempt is None or in_the_inbox(case):
        return
    unsigned, dmarc = not attempt.signed_by, dmarc_result(case)
    subject = case.message.subject
    about = f'search all folders for "{subject}"' if subject else "search all folders"
    yield Hypothesis(
        cause=Cause.PLACED_IN_SPAM,
        confidence=LIKELY if unsigned or dmarc is DmarcResult.FAIL else POSSIBLE,
        text=f"It is in Junk or Spam{_the_likelier(case, dmarc, unsigned=unsigned)}.",
        decided_by=f"The recipient can {about}. A copy that is found tells on what grounds:",
        command="waybill trace message.eml",
    )
    if case.event_of(EventKind.AUTO_REPLIED) is None:
        yield Hypothesis(
            cause=Cause.USER_UNKNOWN,
            confidence=POSSIBLE,
            text="The server takes mail for any address, and a bounce mail is still to come.",
            decided_by="A bounce mail: most come within minutes, the last after five days. This answer changes then.",
        )
    yield Hypothesis(
        cause=Cause.RECIPIENT_RESTRICTED,
        confidence=POSSIBLE,
        text=f"A quarantine, or a rule of the recipient or of {case.domain}'s administrator, took it aside.",
        decided_by=f"The administrator of {case.domain} can look the message up by the line above.",
    )


def _the_likelier(case: Case, dmarc: DmarcResult | None, *, unsigned: bool) -> str:
    """What speaks for Junk."""
    if dmarc is DmarcResult.FAIL:
        return f", the likelier as DMARC failed for {from_domain(case)} when it was taken"
    return ", the likelier as the message went out without a DKIM signature" if unsigned else ""


def _unnamed_policy(case: Case) -> Weighed:
    """A policy that is not named: what the stage and our own history leave."""
    early = _stage(case) in _BEFORE_CONTENT or _stage(case) is Stage.RCPT
    ip = source_ip(case)
    if _takes_others(case):
        took = count(_takes_others(case), "other message")
        yield Hypothesis(
            cause=Cause.SPAM_CONTENT if not early else Cause.RECIPIENT_RESTRICTED,
            confidence=LIKELY,
            text=f"It is about this message alone: {case.domain} took {took} from us in the last 24 hours."
            if not early
            else f"It is about this recipient alone: {case.domain} took {took} from us in the last 24 hours.",
            decided_by="Send a short plain text to the same address: if that is taken, it was the content."
            if not early
            else f"Send to another address at {case.domain}: if that is taken, it was the recipient's rule.",
        )
    else:
        yield Hypothesis(
            cause=Cause.LOW_REPUTATION,
            confidence=LIKELY if early else POSSIBLE,
            text="It is about our sending IP"
            + (f" {ip}" if ip else "")
            + (", which is all that the server had seen of the message." if early else "."),
            decided_by="Whether blocklists have it, and whether other domains refuse it, too:",
            command=command("find", options=("--cause", (case.cause or Cause.POLICY_REJECTED).value)),
        )
    dmarc = dmarc_result(case)
    if dmarc is DmarcResult.PASS:  # ruled out, as far as it can be seen from here
        return
    yield Hypothesis(
        cause=Cause.AUTH_FAILED,
        confidence=LIKELY if dmarc is DmarcResult.FAIL else POSSIBLE,
        text=f"DMARC failed for {from_domain(case)} at that time, and the receiver does not say so."
        if dmarc is DmarcResult.FAIL
        else f"SPF, DKIM or DMARC of {from_domain(case)} did not satisfy it, and it does not say so.",
        decided_by="Whether they pass for a receiver:",
        command=_check(case),
    )


def _unread_words(case: Case) -> Weighed:
    """Words that no rule knows: only code, stage and history speak."""
    attempt = _attempt(case)
    reply = attempt.outcome.reply if attempt else None
    final = reply is not None and reply.code >= 500
    if _stage(case) is Stage.RCPT and final:
        yield Hypothesis(
            cause=Cause.USER_UNKNOWN,
            confidence=POSSIBLE if _is_known_good(case) else LIKELY,
            text="The mailbox does not exist: most refusals for good that answer RCPT TO mean that.",
            decided_by=f"Whether the server refuses another address at {case.domain} in the same words, or now takes this one:",
            command=command("explain", argument=case.message.id, options=("--live",)),
        )
    yield from _unnamed_policy(case)


def _doubtful_mailbox(case: Case) -> Weighed:
    """A missing mailbox that may be none."""
    if _is_known_good(case):
        yield Hypothesis(
            cause=Cause.PROVIDER_INCIDENT,
            confidence=LIKELY,
            text=f"The fault is {case.domain}'s: this very address took mail from us lately, and mailboxes seldom vanish.",
            decided_by=f"Whether other addresses at {case.domain} that took mail lately are refused in the same words:",
            command=command("find", options=("--to", f"@{case.domain}", "--cause", Cause.USER_UNKNOWN.value)),
        )
    if not _is_certain(case):
        yield Hypothesis(
            cause=Cause.RECIPIENT_RESTRICTED,
            confidence=POSSIBLE,
            text="The mailbox exists, and the server turns away mail for it from outside (some say so in these words).",
            decided_by=f"Ask the recipient by another way, or the administrator of {case.domain}.",
        )


def _ours(case: Case, *, many: str, one: str, asked: str) -> Hypothesis:
    """A fault on our side: likely, and ``many`` its words, where many domains met the same."""
    alike = case.domains_alike
    return Hypothesis(
        cause=Cause.WAYBILL_INCIDENT,
        confidence=LIKELY if alike else POSSIBLE,
        text=many.format(domains=count(alike, "domain")) if alike else one,
        decided_by=f"Whether {asked} other domains:",
        command=command("status"),
    )


def _no_connection(case: Case) -> Weighed:
    """Nobody answered: theirs, or ours?"""
    yield _ours(
        case,
        many="Our own network: mail to {domains} met the same.",
        one="Our own network: port 25 outwards may be blocked.",
        asked="mail gets through to",
    )
    if not case.domains_alike:
        yield Hypothesis(
            cause=Cause.SERVER_UNAVAILABLE,
            confidence=LIKELY,
            text=f"{case.domain}'s server is down, or a firewall there drops us.",
            decided_by="Whether it answers now:",
            command=command("explain", argument=case.message.id, options=("--live",)),
        )


def _no_answer_from_dns(case: Case) -> Weighed:
    """The DNS failed: their name servers, or our resolver?"""
    yield _ours(
        case,
        many="Our own resolver: look-ups of {domains} failed alike.",
        one="Our own resolver fails.",
        asked="it answers for",
    )
    if not case.domains_alike:
        yield Hypothesis(
            cause=Cause.SERVER_MISCONFIGURED,
            confidence=LIKELY,
            text=f"The name servers of {case.domain} do not answer, or its DNSSEC signatures have lapsed.",
            decided_by="Whether another resolver has the same trouble with it.",
        )


def _put_off(case: Case) -> Weighed:
    """Put off again and again: a polite refusal?"""
    if len(case.attempted) < _OFTEN:
        return
    yield Hypothesis(
        cause=Cause.LOW_REPUTATION,
        confidence=POSSIBLE,
        text=f"It is a polite refusal: {count(len(case.attempted), 'attempt')} were put off, and no try changes that.",
        decided_by=f"Whether {case.domain} takes mail from us at all: the last that it took.",
        command=command("find", options=("--to", f"@{case.domain}")),
    )


def _unsaid_list(case: Case) -> Weighed:
    """A listing that the receiver may only remember; no list that we ask having it makes that likelier, one that has it rules it out."""
    ip = source_ip(case)
    said = {one.state for one in case.listings if one.subject == ip and one.until is None}
    if ListingState.LISTED in said:
        return
    yield Hypothesis(
        cause=Cause.POLICY_REJECTED,
        confidence=LIKELY if ListingState.CLEAR in said else POSSIBLE,
        text="The receiver remembers a listing that has ended, or keeps a list of its own.",
        decided_by="Whether the list itself has the IP now:",
        command=command("check", argument=from_domain(case), options=("--ip", ip) if ip else ()),
    )


def _came_back(case: Case) -> Weighed:
    decisive = case.decisive
    if decisive is not None and isinstance(decisive.fact, BounceReceived):
        return
    yield from _doubtful_mailbox(case)


_WEIGHED: dict[Cause, Callable[[Case], Weighed]] = {
    Cause.ACCEPTED_BY_RECEIVER: _after_taken,
    Cause.POLICY_REJECTED: _unnamed_policy,
    Cause.UNDETERMINED: _unread_words,
    Cause.USER_UNKNOWN: _came_back,
    Cause.MAILBOX_DISABLED: _came_back,
    Cause.CONNECTION_FAILED: _no_connection,
    Cause.DNS_FAILURE: _no_answer_from_dns,
    Cause.GREYLISTED: _put_off,
    Cause.SERVER_UNAVAILABLE: _put_off,
    Cause.RATE_LIMITED: _put_off,
    Cause.IP_BLOCKLISTED: _unsaid_list,
}
