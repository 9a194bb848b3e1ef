"""What an answer says, in one clause for people: who said it, and what it means, filled with the case's own names."""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from waybill.explain.authentication import auth_clause
from waybill.explain.case import Case
from waybill.model.cause import CATALOGUE, Cause, Responder
from waybill.model.event import BounceReceived
from waybill.model.ip import is_loopback
from waybill.model.outcome import Attempt, Speaker, Stage
from waybill.model.simulator import is_simulated

_CAPTURED = "captured by Waybill, not sent on"
_RELAY = "All mail goes to the relay "
_MAIL_FROM = re.compile(r"MAIL FROM:<[^<>@]*@([^<>@\s]+)>", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """An answer about a case: who gave it (``who`` is for people), at which stage, and what it means.

    ``in_words`` is true where a server or a report spoke, false where Waybill reports what it saw.
    """

    cause: Cause
    responder: Responder
    stage: Stage
    rule: str
    who: str
    in_words: bool


def said_in_attempt(case: Case, attempt: Attempt) -> Said:
    """What an attempt was answered."""
    outcome = attempt.outcome
    return Said(
        cause=outcome.cause,
        responder=outcome.responder,
        stage=outcome.stage,
        rule=outcome.rule,
        who=name_server(case, attempt),
        in_words=outcome.reply is not None,
    )


def said_in_report(fact: BounceReceived) -> Said:
    """What a bounce mail says that came home."""
    return Said(
        cause=fact.cause,
        responder=Responder.REMOTE,
        stage=Stage.RETURNED,
        rule=fact.rule,
        who="the receiving side",
        in_words=True,
    )


def name_server(case: Case, attempt: Attempt | None) -> str:
    """Who stands at the other end: the domain's server, the relay that all mail goes to, or the simulator."""
    if is_simulated(case.recipient):
        return "the mailbox simulator"
    for line in attempt.transcript if attempt else ():
        if line.who is Speaker.NOTE and line.text.startswith(_RELAY):
            return f"the relay {line.text.removeprefix(_RELAY)}"
    return f"{case.domain}'s mail server"


def is_captured(attempt: Attempt) -> bool:
    """Whether the built-in receiver of ``serve --dev`` kept the mail on this machine."""
    return _CAPTURED in attempt.outcome.diagnostic and is_loopback(attempt.ip or "")


def from_domain(case: Case) -> str:
    """The domain of the From address."""
    return case.message.sender.rpartition("@")[2] or "the sender's domain"


_IPV4 = re.compile(r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?!\w)")
_LOCAL = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"),
        *("::1/128", "fc00::/7", "fe80::/10"),
    )
)


def source_ip(case: Case) -> str | None:
    """The IP that the receiver saw in the newest attempt: the one that its reply names, else the one we sent from.

    None where the ledger has none, or one of our own network only: behind a translating router the receiver sees another.
    """
    attempt = case.last_attempt
    if attempt is None:
        return None
    reply = attempt.outcome.reply
    named = [ip for ip in _IPV4.findall(" ".join(reply.lines)) if ip != attempt.ip] if reply else []
    if named:
        return str(named[0])
    return attempt.source_ip if attempt.source_ip is not None and _is_public(attempt.source_ip) else None


def _is_public(ip: str) -> bool:
    """Whether a receiver may see this very address; what is no address is seen by nobody."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return False
    return not any(address in network for network in _LOCAL)


def _sending_ip(case: Case) -> str:
    return f"our sending IP {source_ip(case) or ''}".rstrip()


def return_path_domain(case: Case) -> str | None:
    """The domain of the envelope sender, as the newest conversation shows it."""
    attempt = case.last_attempt
    for line in attempt.transcript if attempt else ():
        found = _MAIL_FROM.match(line.text) if line.who is Speaker.CLIENT else None
        if found:
            return found[1]
    return None


def _sender_refused(said: Said, case: Case) -> str:
    domain = return_path_domain(case)
    if domain and said.stage in {Stage.MAIL, Stage.RCPT}:
        return f"{said.who} does not accept the return path's domain {domain}"
    also = f", or the return path's domain {domain}" if domain and domain != from_domain(case) else ""
    return f"{said.who} does not accept the sender {case.message.sender}{also}"


def _no_domain(said: Said, case: Case) -> str:
    if said.in_words:
        return f"{said.who} says that {case.domain} does not exist or takes no mail"
    return f"the domain {case.domain} does not exist in the DNS"


def _no_mail(said: Said, case: Case) -> str:
    if said.in_words:
        return f"{said.who} says that it takes no mail"
    return f"the domain {case.domain} states in the DNS that it takes no mail"


def _broken_off(said: Said, case: Case) -> str:  # noqa: ARG001 - one signature for all
    if said.in_words:
        return f"{said.who} says that the conversation did not follow the rules of SMTP"
    if said.stage is Stage.MESSAGE:
        return f"{said.who} closed the connection in place of an answer to the message, so whether it was taken is not known"
    return f"{said.who} closed the connection in the middle of the conversation"


def _not_connected(said: Said, case: Case) -> str:  # noqa: ARG001 - one signature for all
    if said.stage in {Stage.ROUTE, Stage.CONNECT}:
        return f"no connection to {said.who} could be made"
    if said.stage is Stage.GREETING:
        return f"{said.who} was reached, and gave no greeting"
    return f"{said.who} was reached, and stopped answering"


def _tls(said: Said, case: Case) -> str:  # noqa: ARG001 - one signature for all
    if said.in_words:
        return f"{said.who} says that the connection must be encrypted (TLS)"
    return f"this message must go encrypted, and no trustworthy TLS connection to {said.who} could be made"


def _says(text: str) -> Callable[[Said, Case], str]:
    return lambda said, _: f"{said.who} says {text}"


Phrase: TypeAlias = Callable[[Said, Case], str]

_CLAUSES: dict[Cause, Phrase] = {
    Cause.USER_UNKNOWN: _says("this mailbox does not exist"),
    Cause.MAILBOX_DISABLED: _says("this mailbox is disabled or inactive"),
    Cause.ADDRESS_MOVED: _says("the recipient has moved to another address"),
    Cause.ADDRESS_INVALID: _says("the address is not valid in form"),
    Cause.DOMAIN_NOT_FOUND: _no_domain,
    Cause.DOMAIN_NO_MAIL: _no_mail,
    Cause.MAILBOX_FULL: _says("this mailbox is full"),
    Cause.ACCEPTED_BY_RECEIVER: lambda s, _: f"{s.who} took the message",
    Cause.MESSAGE_TOO_LARGE: lambda s, c: (
        f"{s.who} does not take a message as large as this one ({c.message.size:,} bytes)"
    ),
    Cause.ATTACHMENT_REJECTED: lambda s, _: f"{s.who} does not take this kind of attachment",
    Cause.CONTENT_MALFORMED: _says("the message is not in proper form"),
    Cause.POLICY_REJECTED: lambda s, _: f"{s.who} refuses it by a policy that it does not name",
    Cause.RECIPIENT_RESTRICTED: lambda s, c: (
        f"{s.who} says that this recipient does not take mail from {c.message.sender}, or from outside"
    ),
    Cause.SENDER_INVALID: _sender_refused,
    Cause.RELAY_DENIED: lambda s, c: (
        f"{s.who} says that it does not take mail for {c.domain}, although mail is led to it"
    ),
    Cause.AUTH_REQUIRED: lambda s, _: f"{s.who} wants a login first, as a server for outgoing mail would",
    Cause.TLS_REQUIRED: _tls,
    Cause.TOO_MANY_RECIPIENTS: _says("there are too many recipients at once"),
    Cause.I18N_UNSUPPORTED: lambda s, _: f"{s.who} does not support addresses beyond ASCII",
    Cause.PROTOCOL_ERROR: _broken_off,
    Cause.ROUTING_LOOP: _says("the message goes in circles"),
    Cause.SERVER_MISCONFIGURED: _says("it is set up wrongly"),
    Cause.SERVER_FULL: _says("it has no room or resources left, whoever the recipient is"),
    Cause.SPAM_CONTENT: lambda s, _: f"{s.who} judges the content to be spam",
    Cause.VIRUS_DETECTED: _says("it found malware in the message"),
    Cause.IP_BLOCKLISTED: lambda s, c: f"{s.who} refuses mail from {_sending_ip(c)}; this is not about the address",
    Cause.DOMAIN_BLOCKLISTED: lambda s, c: (
        f"{s.who} refuses it because {from_domain(c)}, or a link in the message, is on a blocklist"
    ),
    Cause.LOW_REPUTATION: lambda s, c: (
        f"{s.who} says that {_sending_ip(c)}, or {from_domain(c)}, has a low reputation; this is not about the address"
    ),
    Cause.AUTH_FAILED: lambda s, c: auth_clause(c, s.who),
    Cause.PTR_MISSING: lambda s, c: f"{s.who} says that {_sending_ip(c)} has no proper reverse name in the DNS",
    Cause.COMPLAINT: lambda _, __: "the recipient complained",
    Cause.GREYLISTED: lambda s, _: (
        f"{s.who} asks senders that it does not know to come back later (greylisting); nothing is wrong"
    ),
    Cause.RATE_LIMITED: _says("we send too fast"),
    Cause.RECIPIENT_RATE_LIMITED: _says("this recipient is getting too much mail right now"),
    Cause.SERVER_UNAVAILABLE: _says("it cannot take mail right now"),
    Cause.CONNECTION_FAILED: _not_connected,
    Cause.DNS_FAILURE: lambda _, c: f"the DNS gave no usable answer about {c.domain}",
    Cause.HELD_BY_WAYBILL: lambda _, __: "it waited inside Waybill",
    Cause.DELIVERY_EXPIRED: _says("it tried for too long and gave up"),
    Cause.WAYBILL_INCIDENT: lambda _, __: "Waybill could not open a connection from its own machine",
    Cause.PROVIDER_INCIDENT: lambda s, _: f"{s.who} is failing for everybody",
    Cause.UNDETERMINED: lambda s, _: f"{s.who} refuses it, in words that fit no rule of ours",
}

# Failures that the DNS, the network or Waybill itself reported: the rule tells them apart where the cause does not.
_FAILURES: dict[str, Phrase] = {
    "failure-no-address": lambda _, c: f"the DNS names no server that takes mail for {c.domain}",
    "failure-private-address": lambda s, _: (
        f"{s.who} has a private address, and Waybill's settings do not allow delivery to it"
    ),
    "failure-address-literal": lambda _, __: "Waybill does not deliver to an IP address in place of a domain",
    "failure-loop": lambda _, c: f"the DNS leads mail for {c.domain} back to this server",
    "waybill-failure": lambda _, __: "the attempt failed inside Waybill itself",
    "failure-malformed-reply": lambda s, _: f"{s.who} gave an answer that is not SMTP",
    "failure-tls-not-offered": lambda s, _: (
        f"this message must go encrypted, and {s.who} offers no encryption (STARTTLS)"
    ),
}


def clause(said: Said, case: Case) -> str:
    """The clause, without capital or full stop."""
    phrase = _FAILURES.get(said.rule) or _CLAUSES.get(said.cause)
    if phrase is not None:
        return phrase(said, case)
    meaning = CATALOGUE[said.cause].meaning.removesuffix(".")
    return meaning[:1].lower() + meaning[1:]


def sentence(text: str) -> str:
    """The clause as a sentence; a domain at its beginning keeps its letters."""
    first = text.split(" ", 1)[0]
    keeps = "." in first or "'" in first
    return (text if keeps else text[:1].upper() + text[1:]) + "."
