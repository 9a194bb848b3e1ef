"""What happened to a message that Amazon SES sent, in one sentence for people."""

from collections.abc import Callable

from waybill.explain.amazon_commands import GET_ACCOUNT, GET_SUPPRESSED, asked
from waybill.explain.case import Case
from waybill.explain.said import Said, clause, from_domain, sentence
from waybill.explain.words import clock, span
from waybill.model.amazon import AmazonEvent, AmazonReported
from waybill.model.cause import Cause, Responder
from waybill.model.clock import HOUR, MINUTE, Instant
from waybill.model.event import Event
from waybill.model.message import Status
from waybill.model.outcome import Stage
from waybill.model.simulator import is_simulated

LATE = HOUR
"""How long after the last time SES gives itself its last word may still come."""

_NOT_SENT = {
    "OnAccountSuppressionList": "the address is on your SES account's suppression list",
    "OnTenantSuppressionList": "the address is on the suppression list of your SES tenant",
    "EmailValidationSuppressed": "its Auto Validation judged that mail to this address would probably bounce",
    "Suppressed": "the address is on Amazon's own suppression list, since some customer's mail to it bounced in the last days",
    "UnsubscribedRecipient": "the recipient has unsubscribed",
}
_WORDLESS = {
    "MailboxFull": "{who} says this mailbox is full",
    "SpamDetected": "{who} has seen much unsolicited mail from your SES account",
    "RecipientServerError": "a temporary problem of {who} keeps it from being taken",
    "IPFailure": "{who} blocks or slows down what comes from Amazon SES's sending IP; this is not about the address",
    "TransientCommunicationFailure": "the conversation with {who} failed for the moment",
    "BYOIPHostNameLookupUnavailable": "the reverse name of your own sending IP could not be looked up in the DNS",
    "SendingDeferral": "Amazon SES itself holds it back for a while",
    "InternalFailure": "a part of Amazon SES itself has a problem",
}
"""What SES's types of delay mean (SES Developer Guide, "DeliveryDelay object"), where no words of the receiver come with them."""

_COMPLAINTS = {
    "fraud": "reported it as fraud",
    "virus": "reported that it carries a virus",
}


def server_of(case: Case) -> str:
    """Who stands at the other end."""
    return "the mailbox simulator" if is_simulated(case.recipient) else f"{case.domain}'s mail server"


def clause_of(case: Case, cause: Cause, fact: AmazonReported) -> str:
    """What a report means, without capital or full stop. The IP addresses are Amazon SES's, not ours."""
    who = server_of(case)
    own = {
        Cause.IP_BLOCKLISTED: f"{who} refuses mail from the IP address that Amazon SES sent it from; this is not about the address",
        Cause.LOW_REPUTATION: f"{who} says that Amazon SES's sending IP, or {from_domain(case)}, has a low reputation; this is not about the address",
        Cause.PTR_MISSING: f"{who} says that Amazon SES's sending IP has no proper reverse name in the DNS",
        Cause.RATE_LIMITED: f"{who} slows down what comes from Amazon SES's sending IP",
        Cause.MESSAGE_TOO_LARGE: f"{who} does not take a message as large as this one",
        Cause.HELD_BY_WAYBILL: "Amazon SES itself holds it back for a while",
        Cause.WAYBILL_INCIDENT: "a part of Amazon SES itself has a problem",
        Cause.DELIVERY_EXPIRED: "Amazon SES tried until its time ran out",
    }.get(cause)
    if own is not None:
        return own
    if fact.type is AmazonEvent.DELIVERY_DELAY and not fact.diagnostic:
        wordless = _WORDLESS.get(fact.kind or "", "Amazon SES does not say what delays it")
        return wordless.format(who=who)
    if cause is Cause.UNDETERMINED and not fact.diagnostic:
        return f"Amazon SES passes on no words of {who}"
    if cause is Cause.UNDETERMINED and fact.type is AmazonEvent.DELIVERY_DELAY:
        return f"{who} did not take it, in words that fit no rule of ours"
    said = Said(
        cause=cause,
        responder=fact.responder or Responder.REMOTE,
        stage=Stage.CONNECT if cause is Cause.CONNECTION_FAILED else Stage.RETURNED,
        rule=fact.rule,
        who=who,
        in_words=cause not in {Cause.CONNECTION_FAILED, Cause.DNS_FAILURE} and fact.diagnostic is not None,
    )
    return clause(said, case)


def headline(case: Case, event: Event | None) -> str:
    """The first line: what happened, to whom, said by whom."""
    return f"{case.recipient}: {_what(case, event)}"


def _what(case: Case, event: Event | None) -> str:
    fact = event.fact if event is not None else None
    if case.delivery.status is Status.QUEUED:
        return _nothing_since(case)
    if event is None or not isinstance(fact, AmazonReported):
        status = case.delivery.status.value.replace("_", " ")
        return f"{status}, and no report of Amazon SES that says why is on record."
    return _BY_STATUS.get(case.delivery.status, _bounced)(case, event.at, fact)


def is_off_list(case: Case) -> bool:
    """Whether the account's list was asked, and has no entry."""
    answer = asked(case).get(GET_SUPPRESSED)
    return answer is not None and answer[2].failed is None and "reason" not in answer[2].found


def is_switched_off(case: Case) -> bool:
    """Whether the account was asked, and may not send."""
    answer = asked(case).get(GET_ACCOUNT)
    return answer is not None and answer[2].failed is None and answer[2].found.get("enabled") == "False"


def _not_sent(case: Case, at: Instant, fact: AmazonReported) -> str:  # noqa: ARG001 - one signature for all
    why = _NOT_SENT.get(fact.sub_type or "", "the address is on a suppression list")
    if fact.sub_type == "OnAccountSuppressionList" and is_off_list(case):
        why = why.replace(" is on ", " was on ") + ", and is on it no more"
    then = ", since the recipient complained about earlier mail" if fact.type is AmazonEvent.COMPLAINT else ""
    return f"Amazon SES did not send it: {why}{then}."


def _malware(case: Case, at: Instant, fact: AmazonReported) -> str:  # noqa: ARG001 - one signature for all
    return "Amazon SES found malware in the message, and did not send it."


def _complained(case: Case, at: Instant, fact: AmazonReported) -> str:
    complained = _COMPLAINTS.get(fact.kind or "", "marked it as spam")
    taken = reported(case, AmazonEvent.DELIVERY)
    after = f", {span(max(0, at - taken.at))} after it was taken" if taken is not None else ""
    several = fact.detail.get("candidates")
    if several is not None:
        return (
            f"delivered, and then one of {several} recipients {complained}{after}; which one, nobody tells Amazon SES."
        )
    return f"delivered, and then the recipient {complained}{after}."


def _rendering(case: Case, at: Instant, fact: AmazonReported) -> str:  # noqa: ARG001 - one signature for all
    return f"not sent. {_why_not_rendered(fact)}"


def _why_not_rendered(fact: AmazonReported) -> str:
    name = fact.detail.get("template")
    which = f'The template "{name}"' if name else "The template"
    variable = fact.detail.get("variable")
    if fact.cause is Cause.TEMPLATE_VARIABLE_MISSING and variable:
        return f'{which} uses {{{{{variable}}}}}, and the data has no "{variable}".'
    if fact.cause is Cause.TEMPLATE_DATA_INVALID:
        return f"The data for {which[:1].lower()}{which[1:]} is not what SES can read."
    if fact.cause is Cause.TEMPLATE_LIMIT_EXCEEDED:
        return f"{which} with this data goes over a limit of SES."
    return f"{which} could not be rendered by Amazon SES."


def _delayed(case: Case, at: Instant, fact: AmazonReported) -> str:  # noqa: ARG001 - one signature for all
    why = clause_of(case, fact.cause or Cause.UNDETERMINED, fact)
    until = case.delivery.expires_at
    if case.now > until + LATE:
        return f"not delivered, as far as is known. The last word: {why}. SES gave up by {clock(until)}, and no bounce has been reported."
    return f"not delivered yet. {sentence(why)} Amazon SES goes on trying until {clock(until)}."


def _delivered(case: Case, at: Instant, fact: AmazonReported) -> str:  # noqa: ARG001 - one signature for all
    seen = first_seen(case)
    whose = f"{case.domain}'s server" if not is_simulated(case.recipient) else "the mailbox simulator"
    took = max(0, at - case.message.accepted_at)
    after = f" after {span(took)}" if took >= MINUTE else ""
    held = ""
    late = last_delay(case)
    if late is not None and isinstance(late.fact, AmazonReported) and late.fact.cause is not None:
        held = f" What held it up: {clause_of(case, late.fact.cause, late.fact)}."
    wanted = called_no_spam(case)
    if wanted is not None:
        return f"delivered, and the recipient reported at {clock(wanted.at)} that it is not spam.{held}"
    if seen is not None:
        assert isinstance(seen.fact, AmazonReported)
        how = "opened" if seen.fact.type is AmazonEvent.OPEN else "a link in it followed"
        machine = ", perhaps by a machine" if seen.fact.detail.get("by_a_machine") else ""
        return f"delivered, and {how} at {clock(seen.at)}{machine}.{held}"
    return (
        f"accepted by {whose}{after}.{held} Whether it reached the inbox is decided there, and nobody tells Amazon SES."
    )


def _bounced(case: Case, at: Instant, fact: AmazonReported) -> str:
    if fact.cause is Cause.DELIVERY_EXPIRED:
        return _expired(case, at, fact)
    if not fact.diagnostic and fact.cause is Cause.UNDETERMINED:
        if fact.kind == "Permanent":
            return f"not delivered. {case.domain} refused it for good, and Amazon SES passes on no words of why."
        if fact.kind == "Transient":
            return "Amazon SES reports a soft bounce, without any words: not delivered, or only an automatic reply such as out-of-office."
        return "a bounce came back to Amazon SES that it could not read, so why is not known."
    back = reported(case, AmazonEvent.DELIVERY)
    came = "came back in a bounce mail, after it had been taken" if back is not None else "not delivered"
    return f"{came}. {sentence(clause_of(case, fact.cause or Cause.UNDETERMINED, fact))}"


def _expired(case: Case, at: Instant, fact: AmazonReported) -> str:
    took = span(max(0, at - case.message.accepted_at))
    by = " (the configuration set's MaxDeliverySeconds)" if fact.sub_type == "CustomTimeoutExceeded" else ""
    behind = case.delivery.underlying_cause
    if behind in {None, Cause.UNDETERMINED}:
        return f"not delivered. Amazon SES tried for {took}{by} and gave up; of the last answer it tells too little."
    assert behind is not None
    late = last_delay(case)
    words = late.fact if late is not None and isinstance(late.fact, AmazonReported) else fact
    return f"not delivered. Amazon SES tried for {took}{by} and gave up. The last answer: {clause_of(case, behind, words)}."


_BY_STATUS: dict[Status, Callable[[Case, Instant, AmazonReported], str]] = {
    Status.SUPPRESSED: _not_sent,
    Status.REJECTED: _malware,
    Status.RENDERING_FAILED: _rendering,
    Status.DELAYED: _delayed,
    Status.DELIVERED: _delivered,
    Status.COMPLAINED: _complained,
}


def _nothing_since(case: Case) -> str:
    since = span(max(0, case.now - case.message.accepted_at))
    off = " Sending is switched off for this AWS account, which may be the reason." if is_switched_off(case) else ""
    if case.now > case.delivery.expires_at + LATE:
        return (
            f"taken by Amazon SES {since} ago, and no word of its fate since. SES tries for 14 hours at most, so its "
            f"last event was never sent here, or was lost on the way.{off}"
        )
    return f"with Amazon SES for {since}, which has reported nothing more yet.{off or ' No failure has been reported so far.'}"


def reported(case: Case, kind: AmazonEvent) -> Event | None:
    """The newest report of a type."""
    found = [one for one in case.events if isinstance(one.fact, AmazonReported) and one.fact.type is kind]
    return found[-1] if found else None


def last_delay(case: Case) -> Event | None:
    """The newest DeliveryDelay."""
    return reported(case, AmazonEvent.DELIVERY_DELAY)


def called_no_spam(case: Case) -> Event | None:
    """The recipient's word that it is no spam, where nobody else can have said it."""
    found = [
        one
        for one in case.events
        if isinstance(one.fact, AmazonReported)
        and one.fact.is_no_complaint
        and one.fact.kind == "not-spam"
        and "candidates" not in one.fact.detail
    ]
    return found[-1] if found else None


def first_seen(case: Case) -> Event | None:
    """The first sign that the recipient, or a machine for them, has opened it; of several recipients nobody knows which."""
    kinds = {AmazonEvent.OPEN, AmazonEvent.CLICK}
    seen = [
        one for one in case.events if isinstance(one.fact, AmazonReported) and one.fact.type in kinds and one.recipient
    ]
    by_person = [
        one for one in seen if isinstance(one.fact, AmazonReported) and not one.fact.detail.get("by_a_machine")
    ]
    return next(iter(by_person or seen), None)
