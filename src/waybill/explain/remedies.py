"""What to do about a refusal, by cause, addressed to the one who can do it."""

import shlex
from collections.abc import Callable

from waybill.explain.case import Case
from waybill.explain.near import near_domain
from waybill.explain.record import Remedy, Who
from waybill.explain.words import clock, server
from waybill.model.cause import CATALOGUE, Cause
from waybill.model.resource import DEFAULT_ACCOUNT


def command(case: Case, *words: str) -> str:
    """A ``waybill`` command line that works as printed, for the account of the case."""
    extra = () if case.message.account == DEFAULT_ACCOUNT else ("--account", case.message.account)
    return shlex.join(["waybill", *words, *extra])


def transcript(case: Case, text: str) -> Remedy:
    """Look at the conversation."""
    return Remedy(who=Who.OPERATOR, text=text, command=shlex.join(["waybill", "events", case.message.id]))


def to_recipient_admin(case: Case, text: str) -> Remedy:
    """What the recipient's administrator should be told: the line that they search their logs by."""
    attempt, outcome = case.last_attempt, case.outcome
    if attempt is None or outcome is None:
        return Remedy(who=Who.RECIPIENT_ADMIN, text=text)
    source = f" from {attempt.source_ip}" if attempt.source_ip else ""
    line = f"{clock(attempt.ended_at)}{source} to {server(attempt)}, {case.recipient}: {outcome.diagnostic}"
    return Remedy(who=Who.RECIPIENT_ADMIN, text=f"{text} Give them this line: {line}")


def undo_suppression(case: Case) -> tuple[Remedy, ...]:
    """How to take the recipient off the lists that this message put it on."""
    remedies = []
    for added in case.added:
        if added.list == "global":
            line = shlex.join(["waybill", "suppression", "remove", case.recipient, "--global"])
            remedies.append(Remedy(who=Who.OPERATOR, text="And take it off the global list.", command=line))
        else:
            line = command(case, "suppression", "remove", case.recipient)
            text = f"If {case.domain} confirms that the address exists, take it off your suppression list; then send again."
            remedies.append(Remedy(who=Who.SENDER, text=text, command=line))
    return tuple(remedies)


def _wrong_address(case: Case) -> tuple[Remedy, ...]:
    meant = near_domain(case.domain)
    guess = f" Did you mean {case.recipient.rpartition('@')[0]}@{meant}?" if meant else ""
    return (Remedy(who=Who.SENDER, text=f"Correct the address.{guess}"), *undo_suppression(case))


def _wait(case: Case) -> tuple[Remedy, ...]:
    if not case.is_open:
        return (Remedy(who=Who.SENDER, text="Send it again later."),)
    return (Remedy(who=Who.NOBODY, text="Nothing: Waybill tries again by itself."),)


def _sender_auth(case: Case) -> tuple[Remedy, ...]:
    domain = case.message.sender.rpartition("@")[2]
    signed = "was signed" if _is_signed(case) else "was not signed with DKIM"
    records = (
        Remedy(
            who=Who.SENDER,
            text=f"Publish the DNS records of the identity {case.message.identity}, and wait until they are seen.",
            command=command(case, "identities", "show", case.message.identity),
        )
        if case.message.identity
        else Remedy(
            who=Who.SENDER,
            text=f"Create the domain {domain} as an identity (CreateEmailIdentity), so that Waybill signs with DKIM for it, "
            "and publish the records it gives.",
        )
    )
    return (
        records,
        Remedy(
            who=Who.SENDER,
            text=f"What to look at: this message {signed}; SPF is checked for the return path's domain, "
            f"which does not align with {domain} unless it is a custom MAIL FROM domain.",
        ),
    )


def _is_signed(case: Case) -> bool:
    return bool(case.message.dkim_header) or case.message.identity is not None


def _ip_standing(case: Case) -> tuple[Remedy, ...]:
    attempt = case.last_attempt
    ip = attempt.source_ip if attempt and attempt.source_ip else "the sending IP"
    return (
        Remedy(
            who=Who.OPERATOR,
            text=f"Find out what got {ip} listed (compromised account, bad list, missing records), stop it, then ask "
            "for removal at the page or list that the reply names.",
        ),
        Remedy(
            who=Who.OPERATOR,
            text="See which other messages met the same cause.",
            command=shlex.join(["waybill", "find", "--cause", str(case.delivery.cause)]),
        ),
    )


_REMEDIES: dict[Cause, Callable[[Case], tuple[Remedy, ...]]] = {
    Cause.USER_UNKNOWN: _wrong_address,
    Cause.ADDRESS_INVALID: _wrong_address,
    Cause.DOMAIN_NOT_FOUND: _wrong_address,
    Cause.MAILBOX_DISABLED: lambda c: (
        Remedy(who=Who.SENDER, text="Reach the person another way, and stop sending to this address."),
        *undo_suppression(c),
    ),
    Cause.ADDRESS_MOVED: lambda c: (
        Remedy(who=Who.SENDER, text="Use the new address, where the reply names one."),
        *undo_suppression(c),
    ),
    Cause.DOMAIN_NO_MAIL: lambda c: (
        Remedy(who=Who.SENDER, text=f"Use another address: nobody at {c.domain} can receive mail."),
        *undo_suppression(c),
    ),
    Cause.MAILBOX_FULL: lambda c: (
        Remedy(who=Who.RECIPIENT, text="Make room in the mailbox."),
        *_wait(c),
    ),
    Cause.AUTH_FAILED: _sender_auth,
    Cause.IP_BLOCKLISTED: _ip_standing,
    Cause.LOW_REPUTATION: lambda c: (
        Remedy(
            who=Who.SENDER,
            text="Send less for some days, to people who open and answer your mail; look at bounces and complaints.",
        ),
        *_ip_standing(c),
    ),
    Cause.PTR_MISSING: lambda c: (
        Remedy(
            who=Who.OPERATOR,
            text=f"Give {_source(c)} a reverse name (PTR), let that name lead back to the IP (A or AAAA), and say the "
            "same name in EHLO (setting delivery.hostname).",
        ),
    ),
    Cause.RECIPIENT_RESTRICTED: lambda c: (
        to_recipient_admin(c, f"Ask the recipient, or the list's owner at {c.domain}, to allow {c.message.sender}."),
    ),
    Cause.POLICY_REJECTED: lambda c: (
        to_recipient_admin(c, f"Ask the administrator of {c.domain} which policy refused it, and to allow the sender."),
    ),
    Cause.SPAM_CONTENT: lambda c: (
        Remedy(
            who=Who.SENDER,
            text="Look at links (shorteners, text that names another domain), wording and structure; send a plain "
            "version to the same address to see whether the content is the reason.",
        ),
        to_recipient_admin(c, f"If the mail is wanted there, ask the administrator of {c.domain} to release it."),
    ),
    Cause.VIRUS_DETECTED: lambda _: (
        Remedy(who=Who.SENDER, text="Remove the file, and scan the system that it came from."),
    ),
    Cause.MESSAGE_TOO_LARGE: lambda _: (
        Remedy(who=Who.SENDER, text="Send a smaller message, or a link in place of the attachment."),
    ),
    Cause.ATTACHMENT_REJECTED: lambda _: (Remedy(who=Who.SENDER, text="Remove the attachment, or send a link to it."),),
    Cause.RELAY_DENIED: lambda c: (
        to_recipient_admin(
            c, f"Tell the administrator of {c.domain}: its MX records name a server that refuses its mail."
        ),
    ),
    Cause.PROTOCOL_ERROR: lambda c: (
        transcript(c, "The transcript shows the step at which it broke."),
        *_wait(c),
    ),
    Cause.UNDETERMINED: lambda c: (
        Remedy(who=Who.SENDER, text="Read the reply above: it is all that the receiver said."),
        to_recipient_admin(c, f"If it does not say enough, ask the administrator of {c.domain}."),
    ),
    Cause.CONNECTION_FAILED: lambda c: (
        Remedy(
            who=Who.OPERATOR,
            text="If other domains fail too, it is our network or a blocked port 25; if only this one, it is theirs.",
            command=shlex.join(["waybill", "find", "--cause", "connection_failed"]),
        ),
        *_wait(c),
    ),
    Cause.DNS_FAILURE: lambda c: (
        Remedy(
            who=Who.OPERATOR,
            text="If other domains fail too, it is our resolver (setting dns.servers); if only this one, it is theirs.",
            command=shlex.join(["waybill", "find", "--cause", "dns_failure"]),
        ),
        *_wait(c),
    ),
}

_WAITING = frozenset(
    {
        Cause.GREYLISTED,
        Cause.RATE_LIMITED,
        Cause.RECIPIENT_RATE_LIMITED,
        Cause.SERVER_UNAVAILABLE,
        Cause.SERVER_FULL,
        Cause.TOO_MANY_RECIPIENTS,
    }
)


def _source(case: Case) -> str:
    attempt = case.last_attempt
    return attempt.source_ip if attempt and attempt.source_ip else "the sending IP"


def remedies_for(cause: Cause, case: Case) -> tuple[Remedy, ...]:
    """The remedies for what a receiver, the DNS or the network said."""
    if cause in _REMEDIES:
        return _REMEDIES[cause](case)
    if cause in _WAITING:
        return _wait(case)
    who = {
        "recipient_domain": Who.RECIPIENT_ADMIN,
        "source_ip": Who.OPERATOR,
        "provider": Who.OPERATOR,
        "service": Who.OPERATOR,
    }.get(CATALOGUE[cause].scope.value, Who.SENDER)
    return (Remedy(who=who, text=CATALOGUE[cause].remedy),)
