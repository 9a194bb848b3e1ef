"""Turns what is known of an attempt into its Outcome: the one place where replies and failures get their cause.

Two questions are kept apart. The *result* follows the reply code: 4xx is tried again, 5xx is not (RFC 5321 §4.2.1).
*Permanent* says whether the same message to the same address could ever be taken, and that is a matter of the cause:
a full mailbox that answers 552 has bounced this message, and may take the next. Only a certain, permanent refusal of
the recipient suppresses it; what is refused for its IP, its content or a policy never does, whatever the code says.
"""

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from waybill.deliver.evidence import Evidence, Failure
from waybill.deliver.rules import Rule, Tier, load_rules
from waybill.deliver.said import Said, fingerprint, read_reply, read_words
from waybill.mail.reply import MalformedReply, parse_reply
from waybill.model.cause import CATALOGUE, Cause, Responder, Scope
from waybill.model.outcome import Outcome, Reply, Result, Stage

__all__ = ["classify", "classify_text", "fingerprint", "unknown_fingerprint"]

RULES = load_rules()
UNMATCHED = "undetermined"
ACCEPTED = "accepted"
REMEMBERED_REPLIES = 4_096

# The rules that look at codes alone, or guess: what one of them decided has words that nobody knows.
_WORDLESS = frozenset({UNMATCHED}) | {
    rule.id for rule in RULES.rules if rule.tier in {Tier.ENHANCED, Tier.GUESS, Tier.CODE}
}

# Before RCPT no server can have spoken about the recipient.
_ABOUT_RECIPIENT = frozenset({Stage.ROUTE, Stage.RCPT, Stage.DATA, Stage.MESSAGE, Stage.RETURNED})

_AT_THE_DOOR = frozenset({Stage.GREETING, Stage.EHLO})

# What our own words in a status say where the server gave none (RFC 3463 §3).
_DETAILS = {
    Cause.USER_UNKNOWN: "1.1",
    Cause.MAILBOX_DISABLED: "2.1",
    Cause.ADDRESS_MOVED: "1.6",
    Cause.ADDRESS_INVALID: "1.3",
    Cause.DOMAIN_NOT_FOUND: "1.2",
    Cause.DOMAIN_NO_MAIL: "1.10",
    Cause.MAILBOX_FULL: "2.2",
    Cause.MESSAGE_TOO_LARGE: "3.4",
    Cause.CONTENT_MALFORMED: "6.0",
    Cause.SENDER_INVALID: "1.8",
    Cause.TLS_REQUIRED: "7.10",
    Cause.TOO_MANY_RECIPIENTS: "5.3",
    Cause.I18N_UNSUPPORTED: "6.7",
    Cause.PROTOCOL_ERROR: "5.0",
    Cause.ROUTING_LOOP: "4.6",
    Cause.SERVER_MISCONFIGURED: "3.5",
    Cause.SERVER_FULL: "3.1",
    Cause.AUTH_FAILED: "7.26",
    Cause.PTR_MISSING: "7.25",
    Cause.SERVER_UNAVAILABLE: "3.2",
    Cause.CONNECTION_FAILED: "4.1",
    Cause.DNS_FAILURE: "4.3",
    Cause.DELIVERY_EXPIRED: "4.7",
}
_POLICY_CAUSES = frozenset(
    {
        Cause.ATTACHMENT_REJECTED,
        Cause.POLICY_REJECTED,
        Cause.RECIPIENT_RESTRICTED,
        Cause.RELAY_DENIED,
        Cause.AUTH_REQUIRED,
        Cause.SPAM_CONTENT,
        Cause.VIRUS_DETECTED,
        Cause.IP_BLOCKLISTED,
        Cause.DOMAIN_BLOCKLISTED,
        Cause.LOW_REPUTATION,
        Cause.GREYLISTED,
        Cause.RATE_LIMITED,
    }
)

# A reply that names a missing mailbox beside one of these may be speaking of something else; links are not words.
_DOUBT = re.compile(
    r"spam|(?:black|block|deny) ?list|reputation|polic(?:y|ies)|(?<!<)\bip\b|\bdns|\brbl|\bspf\b|\bdkim|\bdmarc|gr[ea]ylist|\bptr\b"
    r"|\byour (?:\w+ )?(?:account|domain|host|network|server)\b|(?:hosting|trial|smtp|sending) account|account for domain"
    r"|\bsenders?\b|for sending|mail from\b|from (?:address|domain)|return.?path|reply-?to|\bheader|\bcc\b|callout"
    r"|authent|\bauth\b|\brelay(?! recipient|=)|access denied|not allowed|server not found|(?:message|mail) (?:was |is )?(?:rejected|refused)"
    r"|reverse lookup|(?:try|retry) (?:again )?later|temporar|maintenance|in progress|another (?:session|process)"
)
_REFUSAL_INSIDE = re.compile(r"(?<![\w.])[45]\d\d[ -]#?[45]\.\d{1,3}\.\d{1,3}\b")
_LINK = re.compile(r"https?://\S+")


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What a failure without a reply means."""

    cause: Cause
    responder: Responder
    status: str


_FAILURES = {
    # Amazon SES retries NXDOMAIN until the message expires. An authoritative "no such domain" does not change while a
    # message lives, and the sender learns of the typing error at once, so it bounces here; it never suppresses.
    Failure.DOMAIN_NOT_FOUND: _Verdict(Cause.DOMAIN_NOT_FOUND, Responder.DNS, "5.1.2"),
    Failure.NULL_MX: _Verdict(Cause.DOMAIN_NO_MAIL, Responder.DNS, "5.1.10"),
    Failure.NO_ADDRESS: _Verdict(Cause.DOMAIN_NOT_FOUND, Responder.DNS, "5.4.4"),
    Failure.DNS_FAILURE: _Verdict(Cause.DNS_FAILURE, Responder.DNS, "4.4.3"),
    Failure.DNS_TIMEOUT: _Verdict(Cause.DNS_FAILURE, Responder.DNS, "4.4.3"),
    Failure.CONNECTION_REFUSED: _Verdict(Cause.CONNECTION_FAILED, Responder.NETWORK, "4.4.1"),
    Failure.CONNECTION_TIMEOUT: _Verdict(Cause.CONNECTION_FAILED, Responder.NETWORK, "4.4.1"),
    Failure.UNREACHABLE: _Verdict(Cause.CONNECTION_FAILED, Responder.NETWORK, "4.4.1"),
    Failure.CONNECTION_LOST: _Verdict(Cause.PROTOCOL_ERROR, Responder.NETWORK, "4.4.2"),
    Failure.TIMEOUT: _Verdict(Cause.CONNECTION_FAILED, Responder.NETWORK, "4.4.2"),
    Failure.MALFORMED_REPLY: _Verdict(Cause.PROTOCOL_ERROR, Responder.REMOTE, "4.5.0"),
    Failure.TLS_FAILED: _Verdict(Cause.TLS_REQUIRED, Responder.NETWORK, "4.7.5"),
    Failure.TLS_NOT_OFFERED: _Verdict(Cause.TLS_REQUIRED, Responder.REMOTE, "4.7.10"),
    Failure.CERTIFICATE_UNTRUSTED: _Verdict(Cause.TLS_REQUIRED, Responder.REMOTE, "4.7.5"),
    Failure.DANE_MISMATCH: _Verdict(Cause.TLS_REQUIRED, Responder.REMOTE, "4.7.5"),
    Failure.MTA_STS_CERTIFICATE: _Verdict(Cause.TLS_REQUIRED, Responder.REMOTE, "4.7.5"),
    Failure.MTA_STS_HOST: _Verdict(Cause.TLS_REQUIRED, Responder.DNS, "4.7.5"),
    Failure.LOOP: _Verdict(Cause.ROUTING_LOOP, Responder.DNS, "5.4.6"),
    Failure.PRIVATE_ADDRESS: _Verdict(Cause.DOMAIN_NOT_FOUND, Responder.WAYBILL, "5.4.4"),
    Failure.ADDRESS_LITERAL: _Verdict(Cause.ADDRESS_INVALID, Responder.WAYBILL, "5.1.3"),
    Failure.SIZE_EXCEEDED: _Verdict(Cause.MESSAGE_TOO_LARGE, Responder.REMOTE, "5.3.4"),
    Failure.I18N_UNSUPPORTED: _Verdict(Cause.I18N_UNSUPPORTED, Responder.REMOTE, "5.6.7"),
    Failure.NO_SOURCE: _Verdict(Cause.HELD_BY_WAYBILL, Responder.WAYBILL, "4.4.0"),
    Failure.NETWORK_DOWN: _Verdict(Cause.WAYBILL_INCIDENT, Responder.WAYBILL, "4.4.0"),
}


def classify(evidence: Evidence) -> Outcome:
    """The outcome of an attempt: from the server's reply, else from the failure, else from the words alone."""
    if evidence.reply is not None:
        return _from_reply(evidence, evidence.reply)
    if evidence.failure is not None:
        return _from_failure(evidence, evidence.failure)
    return _from_said(evidence, read_words(evidence.text, evidence.stage))


def classify_text(reply: str, mx: str | None = None) -> Outcome:
    """The outcome that a reply stands for, as a log or a bounce mail quotes it; ``mx`` is the server that gave it."""
    try:
        parsed = parse_reply(reply)
    except MalformedReply:
        parsed = None
    if parsed is not None and parsed.code < 400 and (refusal := _REFUSAL_INSIDE.search(reply)):
        # A greeting that turned into a refusal: "220-mx.b.example 421 4.2.1 …".
        return classify_text(reply[refusal.start() :], mx)
    return classify(Evidence(stage=Stage.RETURNED, recipient="", reply=parsed, text=reply.strip(), host=mx))


def unknown_fingerprint(outcome: Outcome) -> str | None:
    """The fingerprint of a reply whose words fit no rule; None for any other outcome.

    A reply that only its codes or a guess decided (sections 3 to 5 of ``rules.toml``) counts as unknown too: codes lie
    more often than words do, so such a reply is as good a reason for a new rule as one that nothing fits.
    """
    if outcome.responder is not Responder.REMOTE or outcome.rule not in _WORDLESS:
        return None
    if outcome.reply is not None:
        return fingerprint(read_reply(outcome.reply, outcome.stage).text)
    return fingerprint(outcome.diagnostic)


def _from_reply(evidence: Evidence, reply: Reply) -> Outcome:
    if reply.code < 400:
        return Outcome(
            result=Result.DELIVERED,
            cause=Cause.ACCEPTED_BY_RECEIVER,
            scope=Scope.RECIPIENT,
            responder=Responder.REMOTE,
            permanent=False,
            stage=evidence.stage,
            status=reply.enhanced or "2.0.0",
            diagnostic=f"smtp; {reply.text}",
            rule=ACCEPTED,
            reply=reply,
            command=evidence.command,
            host=evidence.host,
            ip=evidence.ip,
        )
    outcome = _from_said(evidence, read_reply(reply, evidence.stage))
    return _login_refused(outcome) if evidence.stage is Stage.AUTH else outcome


def _login_refused(outcome: Outcome) -> Outcome:
    """Only our relay is logged in to: a wrong password in the settings must not bounce all mail before it is corrected."""
    return replace(
        outcome,
        result=Result.DEFERRED,
        scope=Scope.SERVICE,
        permanent=False,
        suppress=False,
        status=f"4{outcome.status[1:]}",
    )


def _from_said(evidence: Evidence, said: Said) -> Outcome:
    rule = _match(said, evidence.host)
    cause = rule.cause if rule else Cause.UNDETERMINED
    entry = CATALOGUE[cause]
    bounced = said.status_class == "5" if said.status_class else entry.permanent
    if rule is not None and rule.permanent is not None:
        bounced = rule.permanent
    if evidence.stage in _AT_THE_DOOR and not entry.permanent:
        bounced = False  # it was not this message that was refused, and what stood in the way passes
    permanent = bounced and (entry.permanent or rule is None or rule.permanent is True)
    confidence = rule.confidence if rule else "possible"
    if confidence == "certain" and entry.suppress and (_is_policy(said) or _is_doubtful(said)):
        confidence = "likely"
    reply = evidence.reply
    return Outcome(
        result=Result.BOUNCED if bounced else Result.DEFERRED,
        cause=cause,
        scope=rule.scope if rule else entry.scope,
        responder=Responder.REMOTE,
        permanent=permanent,
        stage=evidence.stage,
        status=(rule.status if rule else None) or _status(said, cause, bounced=bounced),
        diagnostic=f"smtp; {reply.text}" if reply else evidence.text or "the server gave no words",
        rule=rule.id if rule else UNMATCHED,
        suppress=entry.suppress and permanent and confidence == "certain" and evidence.stage in _ABOUT_RECIPIENT,
        confidence=confidence,
        reply=reply,
        command=evidence.command,
        host=evidence.host,
        ip=evidence.ip,
    )


def _from_failure(evidence: Evidence, failure: Failure) -> Outcome:
    verdict = _FAILURES[failure]
    cause = verdict.cause
    if failure is Failure.CONNECTION_LOST and evidence.stage in {Stage.CONNECT, Stage.GREETING}:
        cause = Cause.CONNECTION_FAILED  # dropped before a word was said
    entry = CATALOGUE[cause]
    bounced = verdict.status.startswith("5")
    return Outcome(
        result=Result.BOUNCED if bounced else Result.DEFERRED,
        cause=cause,
        scope=entry.scope,
        responder=verdict.responder,
        permanent=bounced and entry.permanent,
        stage=evidence.stage,
        status=verdict.status,
        diagnostic=evidence.text or failure.value.replace("_", " "),
        rule=f"failure-{failure.value.replace('_', '-')}",
        # What Waybill itself refuses to try says nothing about the recipient.
        suppress=bounced and entry.suppress and verdict.responder is not Responder.WAYBILL,
        command=evidence.command,
        host=evidence.host,
        ip=evidence.ip,
    )


def _is_policy(said: Said) -> bool:
    """Whether the code speaks of security or policy; x.7.13 and x.7.17 alone are about the mailbox (RFC 5248, RFC 7293)."""
    return said.detail is not None and said.detail.startswith("7.") and said.detail not in {"7.13", "7.17"}


def _is_doubtful(said: Said) -> bool:
    """Whether words about the sender, its IP or the moment stand beside those about the mailbox."""
    return _DOUBT.search(_LINK.sub("", said.text)) is not None


@lru_cache(maxsize=REMEMBERED_REPLIES)
def _match(said: Said, mx: str | None) -> Rule | None:
    """The rule for what was said. Receivers repeat themselves, so the answers are remembered."""
    return RULES.match(said, RULES.find_provider(mx, said.text))


def _status(said: Said, cause: Cause, *, bounced: bool) -> str:
    """The enhanced code with the class that the result has, as a delivery status needs it (RFC 3464 §2.3.4)."""
    detail = said.detail or _DETAILS.get(cause) or ("7.1" if cause in _POLICY_CAUSES else "0.0")
    return f"{5 if bounced else 4}.{detail}"
