"""What an event of Amazon SES means in the catalogue's words: the receiver's reply first, then SES's types."""

import re
from dataclasses import dataclass

from waybill.deliver.classify import UNMATCHED, classify_text
from waybill.mail.reply import without_type
from waybill.model.cause import CATALOGUE, Cause, Responder, Scope

_EXPIRED = re.compile(r"\b4\.4\.7\b.*?(?:expired|unable to deliver)", re.IGNORECASE | re.DOTALL)
_LAST_WORDS = re.compile(r"<(.*)>[^<>]*$", re.DOTALL)
_MISSING = re.compile(r"Attribute '(.{1,300}?)' is not present in the rendering data", re.DOTALL)

_ITS_OWN = {
    "OnAccountSuppressionList": Cause.SUPPRESSED_ACCOUNT,
    "OnTenantSuppressionList": Cause.SUPPRESSED_ACCOUNT,
    "EmailValidationSuppressed": Cause.SUPPRESSED_ACCOUNT,
    "Suppressed": Cause.SUPPRESSED_GLOBAL,
    "UnsubscribedRecipient": Cause.UNSUBSCRIBED,
}
"""Sub-types of bounces by which SES says that it has not sent (SES Developer Guide, "Bounce types")."""

_SUB_TYPES = {
    "NoEmail": Cause.USER_UNKNOWN,
    "MailboxFull": Cause.MAILBOX_FULL,
    "MessageTooLarge": Cause.MESSAGE_TOO_LARGE,
    "ContentRejected": Cause.SPAM_CONTENT,
    "AttachmentRejected": Cause.ATTACHMENT_REJECTED,
}

_DELAY_TYPES = {
    "InternalFailure": Cause.WAYBILL_INCIDENT,
    "MailboxFull": Cause.MAILBOX_FULL,
    "SpamDetected": Cause.LOW_REPUTATION,
    "RecipientServerError": Cause.SERVER_UNAVAILABLE,
    "IPFailure": Cause.RATE_LIMITED,
    "TransientCommunicationFailure": Cause.CONNECTION_FAILED,
    "BYOIPHostNameLookupUnavailable": Cause.PTR_MISSING,
    "SendingDeferral": Cause.HELD_BY_WAYBILL,
}
_OURS = frozenset({"InternalFailure", "SendingDeferral"})

_RESPONDERS = {
    Cause.DNS_FAILURE: Responder.DNS,
    Cause.CONNECTION_FAILED: Responder.NETWORK,
    Cause.HELD_BY_WAYBILL: Responder.WAYBILL,
    Cause.WAYBILL_INCIDENT: Responder.WAYBILL,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Meaning:
    """A cause with all that goes with it. The responder ``waybill`` is the service that sends: here Amazon SES."""

    cause: Cause
    scope: Scope
    responder: Responder
    permanent: bool
    confidence: str
    rule: str
    underlying_cause: Cause | None = None


def meaning_of_bounce(kind: str, sub_type: str | None, diagnostic: str | None) -> Meaning:
    """What a bounce means, by its types and the diagnosticCode of the recipient."""
    own = _ITS_OWN.get(sub_type or "")
    if own is not None:
        return _by_amazon(own, f"amazon-ses-{sub_type}")
    words = without_type(diagnostic)
    if sub_type == "CustomTimeoutExceeded" or _EXPIRED.search(words):
        return _expired(words)
    permanent = kind == "Permanent"
    found = _from_words(words)
    if found is not None:
        sure = found.permanent or (permanent and CATALOGUE[found.cause].permanent)
        return Meaning(
            cause=found.cause,
            scope=found.scope,
            responder=found.responder,
            permanent=sure,
            confidence=found.confidence,
            rule=found.rule,
        )
    named = _SUB_TYPES.get(sub_type or "")
    if named is not None:
        return _by_type(
            named, permanent=permanent or CATALOGUE[named].permanent, rule=f"amazon-ses-{sub_type}", confidence="likely"
        )
    return _by_type(Cause.UNDETERMINED, permanent=permanent, rule=UNMATCHED, confidence="possible")


def meaning_of_delay(delay_type: str | None, diagnostic: str | None) -> Meaning:
    """What a delay means, by the words of the delayed recipient and SES's delayType."""
    found = None if delay_type in _OURS else _from_words(without_type(diagnostic))
    if found is not None:
        return Meaning(
            cause=found.cause,
            scope=found.scope,
            responder=found.responder,
            permanent=False,
            confidence=found.confidence,
            rule=found.rule,
        )
    named = _DELAY_TYPES.get(delay_type or "")
    if named is None:
        return _by_type(Cause.UNDETERMINED, permanent=False, rule=UNMATCHED, confidence="possible")
    sure = "certain" if delay_type in _OURS else "likely"
    return _by_type(named, permanent=False, rule=f"amazon-ses-{delay_type}", confidence=sure)


def meaning_of_rendering(error: str) -> tuple[Meaning, str | None]:
    """What the errorMessage of a Rendering Failure means, and the attribute that is missing, where it names one."""
    missing = _MISSING.search(error)
    lowered = error.lower()
    if missing is not None:
        cause = Cause.TEMPLATE_VARIABLE_MISSING
    elif "rendering data" in lowered or "json" in lowered:
        cause = Cause.TEMPLATE_DATA_INVALID
    elif re.search(r"\b(?:limit|exceed\w*|too (?:large|long|deep|many)|time[d ]?\s?out|maximum)\b", lowered):
        cause = Cause.TEMPLATE_LIMIT_EXCEEDED
    else:
        cause = Cause.TEMPLATE_SYNTAX_ERROR
    meaning = _by_amazon(cause, "amazon-ses-rendering-failure")
    return meaning, missing[1] if missing else None


def meaning_of_complaint(sub_type: str | None, kind: str | None, candidates: int) -> Meaning | None:
    """A complaint that came home, or one of long ago that keeps SES from sending; None for a report that nobody made.

    ``candidates`` are all that may have complained: of several SES does not know which one did.
    """
    if sub_type in {"OnAccountSuppressionList", "OnTenantSuppressionList"}:
        return _by_amazon(Cause.SUPPRESSED_ACCOUNT, f"amazon-ses-{sub_type}")
    if kind == "not-spam":
        return meaning_of_delivery()
    if kind == "auth-failure":  # RFC 6591: a failed check of SPF, DKIM or DMARC
        return None
    return Meaning(
        cause=Cause.COMPLAINT,
        scope=Scope.RECIPIENT,
        responder=Responder.RECIPIENT,
        permanent=True,
        confidence="certain" if candidates <= 1 else "possible",
        rule="amazon-ses-Complaint",
    )


def meaning_of_rejection() -> Meaning:
    """SES rejects for malware alone (``Bad content``)."""
    return _by_amazon(Cause.VIRUS_DETECTED, "amazon-ses-Reject")


def meaning_of_delivery() -> Meaning:
    """A receiver took it."""
    return Meaning(
        cause=Cause.ACCEPTED_BY_RECEIVER,
        scope=Scope.RECIPIENT,
        responder=Responder.REMOTE,
        permanent=False,
        confidence="certain",
        rule="amazon-ses-Delivery",
    )


def _by_amazon(cause: Cause, rule: str) -> Meaning:
    entry = CATALOGUE[cause]
    return Meaning(
        cause=cause,
        scope=entry.scope,
        responder=Responder.WAYBILL,
        permanent=entry.permanent,
        confidence="certain",
        rule=rule,
    )


def _by_type(cause: Cause, *, permanent: bool, rule: str, confidence: str) -> Meaning:
    return Meaning(
        cause=cause,
        scope=CATALOGUE[cause].scope,
        responder=_RESPONDERS.get(cause, Responder.REMOTE),
        permanent=permanent,
        confidence=confidence,
        rule=rule,
    )


def _from_words(words: str) -> Meaning | None:
    """What a rule reads in the words; None where there are none, or no rule knows them."""
    outcome = classify_text(words) if words else None
    if outcome is None or outcome.rule == UNMATCHED or outcome.cause is Cause.ACCEPTED_BY_RECEIVER:
        return None
    return Meaning(
        cause=outcome.cause,
        scope=outcome.scope,
        responder=_RESPONDERS.get(outcome.cause, outcome.responder),
        permanent=outcome.permanent,
        confidence=outcome.confidence,
        rule=outcome.rule,
    )


def _expired(words: str) -> Meaning:
    """Retries ran out; SES quotes the last answer in angle brackets behind its own words."""
    last = _LAST_WORDS.search(words)
    found = _from_words(last[1]) if last else None
    return Meaning(
        cause=Cause.DELIVERY_EXPIRED,
        underlying_cause=found.cause if found else Cause.UNDETERMINED,
        scope=found.scope if found else Scope.PROVIDER,
        responder=found.responder if found else Responder.WAYBILL,
        permanent=True,
        confidence=found.confidence if found else "certain",
        rule="amazon-ses-expired",
    )
