"""What a refusal says, in one clause for people: by cause, filled with the case's own names."""

from collections.abc import Callable

from waybill.explain.case import Case
from waybill.explain.words import possessive
from waybill.model.cause import Cause
from waybill.model.outcome import Outcome


def _ip(outcome: Outcome, case: Case) -> str:  # noqa: ARG001 - one signature for all
    attempt = case.last_attempt
    return f"our sending IP {attempt.source_ip}" if attempt and attempt.source_ip else "our sending IP"


def _from_domain(case: Case) -> str:
    return case.message.sender.rpartition("@")[2] or "the sender's domain"


_CLAUSES: dict[Cause, Callable[[Outcome, Case], str]] = {
    Cause.USER_UNKNOWN: lambda _, c: f"{possessive(c.domain)} says this mailbox does not exist",
    Cause.MAILBOX_DISABLED: lambda _, c: f"{possessive(c.domain)} says this mailbox is disabled or inactive",
    Cause.ADDRESS_MOVED: lambda _, c: f"{possessive(c.domain)} says the recipient has moved",
    Cause.ADDRESS_INVALID: lambda _, c: f"{possessive(c.domain)} calls the address malformed",
    Cause.DOMAIN_NOT_FOUND: lambda _, c: f"the domain {c.domain} does not exist, or has no server for mail",
    Cause.DOMAIN_NO_MAIL: lambda _, c: f"the domain {c.domain} states that it takes no mail",
    Cause.MAILBOX_FULL: lambda _, c: f"{possessive(c.domain)} says this mailbox is full",
    Cause.MESSAGE_TOO_LARGE: lambda _, c: f"the message ({c.message.size:,} bytes) is larger than {c.domain} takes",
    Cause.ATTACHMENT_REJECTED: lambda _, c: f"{c.domain} does not take this type of attachment",
    Cause.CONTENT_MALFORMED: lambda _, c: f"{possessive(c.domain)} says the message breaks the rules of form",
    Cause.POLICY_REJECTED: lambda _, c: f"{c.domain} refused it by a policy of its own, which it does not name",
    Cause.RECIPIENT_RESTRICTED: lambda _, c: (
        f"the recipient, or its administrator at {c.domain}, does not take mail from this sender"
    ),
    Cause.SENDER_INVALID: lambda _, c: f"{possessive(c.domain)} does not accept the sender {c.message.sender}",
    Cause.RELAY_DENIED: lambda _, c: f"the server that the MX records of {c.domain} name does not take mail for it",
    Cause.AUTH_REQUIRED: lambda _, c: (
        f"the server of {c.domain} wants us to log in, as if it were not meant for incoming mail"
    ),
    Cause.TLS_REQUIRED: lambda _, c: f"an encrypted connection to {c.domain} was required and could not be made",
    Cause.TOO_MANY_RECIPIENTS: lambda _, c: f"{possessive(c.domain)} says there are too many recipients",
    Cause.I18N_UNSUPPORTED: lambda _, c: f"{possessive(c.domain)} does not support internationalised addresses",
    Cause.PROTOCOL_ERROR: lambda _, c: f"the conversation with {possessive(c.domain)} broke off",
    Cause.ROUTING_LOOP: lambda _, c: f"mail for {c.domain} goes in circles",
    Cause.SERVER_MISCONFIGURED: lambda _, c: f"{possessive(c.domain)} is set up wrongly, by its own words",
    Cause.SERVER_FULL: lambda _, c: f"{possessive(c.domain)} has no room or resources, whoever the recipient is",
    Cause.SPAM_CONTENT: lambda _, c: f"{c.domain} judged the content to be spam",
    Cause.VIRUS_DETECTED: lambda _, c: f"{c.domain} found malware in the message",
    Cause.IP_BLOCKLISTED: lambda o, c: f"it was refused because of {_ip(o, c)}, not because of the address",
    Cause.DOMAIN_BLOCKLISTED: lambda _, c: (
        f"it was refused because {_from_domain(c)}, or a link in the message, is on a blocklist"
    ),
    Cause.LOW_REPUTATION: lambda o, c: (
        f"{c.domain} refused it because of a low reputation of {_ip(o, c)} or of {_from_domain(c)}"
    ),
    Cause.AUTH_FAILED: lambda _, c: (
        f"{c.domain} refused it because the message does not prove that it comes from {_from_domain(c)} (SPF, DKIM or DMARC)"
    ),
    Cause.PTR_MISSING: lambda o, c: f"it was refused because {_ip(o, c)} has no proper reverse name in the DNS",
    Cause.GREYLISTED: lambda _, c: (
        f"{possessive(c.domain)} asks unknown senders to come back later (greylisting); nothing is wrong"
    ),
    Cause.RATE_LIMITED: lambda _, c: f"{possessive(c.domain)} says that we send too fast",
    Cause.RECIPIENT_RATE_LIMITED: lambda _, c: (
        f"{possessive(c.domain)} says that this recipient is getting too much mail right now"
    ),
    Cause.SERVER_UNAVAILABLE: lambda _, c: f"{possessive(c.domain)} cannot take mail right now",
    Cause.CONNECTION_FAILED: lambda _, c: f"no connection to {possessive(c.domain)} could be made",
    Cause.DNS_FAILURE: lambda _, c: f"the name servers of {c.domain} gave no usable answer",
    Cause.UNDETERMINED: lambda _, c: f"{possessive(c.domain)} refused it, in words that fit no rule of ours",
    Cause.HELD_BY_WAYBILL: lambda _, __: "it waited inside Waybill",
    Cause.WAYBILL_INCIDENT: lambda _, __: "a part of Waybill or its network was failing",
    Cause.PROVIDER_INCIDENT: lambda _, c: f"{c.domain}'s provider is failing for everybody",
}


def clause(cause: Cause, outcome: Outcome, case: Case) -> str:
    """The clause, without capital or full stop."""
    return _CLAUSES[cause](outcome, case)


def sentence(text: str) -> str:
    """The clause as a sentence; a domain at its beginning keeps its letters."""
    first = text.split(" ", 1)[0]
    keeps = "." in first or "'" in first
    return (text if keeps else text[:1].upper() + text[1:]) + "."
