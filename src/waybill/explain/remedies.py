"""What to do about a refusal, by cause, addressed to the one who can do it."""

from collections.abc import Callable
from typing import TypeAlias

from waybill.explain.authentication_remedies import auth_remedies
from waybill.explain.case import Case
from waybill.explain.commands import account_of, command, see_events, take_off_list
from waybill.explain.meant import meant_domain, meant_mailbox
from waybill.explain.record import Remedy, Who
from waybill.explain.said import Said, from_domain, return_path_domain, source_ip
from waybill.explain.words import clock, count, one_line, server, span
from waybill.model.cause import CATALOGUE, Cause, Scope
from waybill.model.outcome import Stage
from waybill.model.simulator import is_simulated

Remedies: TypeAlias = tuple[Remedy, ...]


def sender(text: str, line: str | None = None) -> Remedy:
    """For the one who sends."""
    return Remedy(who=Who.SENDER, text=text, command=line)


def operator(text: str, line: str | None = None) -> Remedy:
    """For the one who runs Waybill."""
    return Remedy(who=Who.OPERATOR, text=text, command=line)


def to_recipient_admin(case: Case, text: str) -> Remedy:
    """What the recipient's administrator should be told: the line that they search their logs by."""
    return Remedy(who=Who.RECIPIENT_ADMIN, text=f"{text}{_search_line(case)}")


def _search_line(case: Case) -> str:
    """What the other side's logs can be searched by; nothing where no server has answered."""
    attempt = case.last_attempt
    if attempt is None or attempt.outcome.reply is None:
        return ""
    source = f"from {attempt.source_ip} " if attempt.source_ip else ""
    words = one_line(attempt.outcome.reply)
    line = f"{clock(attempt.ended_at)}, {source}to {server(attempt)}, for {case.recipient}: {words}"
    return f" This line is what they search by:\n{line}"


def to_relay(case: Case, who: str) -> Remedy:
    """Whom to ask where all mail goes through a relay."""
    return operator(f"Ask whoever runs {who} what became of it.{_search_line(case)}")


def undo_suppression(case: Case) -> Remedies:
    """How to take the recipient off the lists that this message put it on."""
    lists = {added.list for added in case.added}
    remedies = []
    ends = next((added.expires_at for added in case.added if added.list == "global" and added.expires_at), None)
    if "account" in lists:
        text = "If the address turns out to be right, take it off your suppression list, then send again."
        remedies.append(sender(text, take_off_list(case, case.recipient, on_global=False)))
    if "global" in lists:
        by_itself = f", which otherwise ends on {clock(ends)}" if ends else ""
        text = (
            f"Accounts that list no bounces of their own are stopped by this installation's global list{by_itself}:"
            if remedies
            else f"If the address turns out to be right, take it off this installation's global list{by_itself}."
        )
        remedies.append(operator(text, take_off_list(case, case.recipient, on_global=True)))
    return tuple(remedies)


def remedies_for(said: Said, case: Case) -> Remedies:
    """The remedies for what a receiver, the DNS or the network said, with what happens by itself at the end."""
    make = _BY_RULE.get(said.rule) or _BY_CAUSE.get(said.cause)
    remedies = make(said, case) if make else _from_catalogue(said.cause)
    if is_simulated(case.recipient):
        return with_simulator_note(remedies)
    if case.gives_up_next:
        return (*remedies, sender("Send the message again, later: its time ends before another attempt."))
    if case.is_untaken:
        return (*remedies, *take_up(case))
    if case.is_open:
        by_itself = "Nothing: Waybill tries again by itself." if not remedies else "Waybill tries again meanwhile."
        return (*remedies, Remedy(who=Who.NOBODY, text=by_itself))
    return remedies or (sender("Send the message again, later."),)


def take_up(case: Case) -> Remedies:
    """For mail that is due and that no worker has taken: it goes only if there is one."""
    overdue = span(case.now - case.due_at)
    return (
        operator(
            f"No worker has taken it for {overdue}. See whether the service is running, and has more to do than time.",
            command("status"),
        ),
        operator("If it is not running, start it: what waits is taken up at once.", command("serve")),
    )


def with_simulator_note(remedies: Remedies) -> Remedies:
    """The remedies that a real recipient would call for, after the word that here nothing is to be done."""
    text = "Nothing: this address of the mailbox simulator always behaves so."
    what = " With a real recipient it would be:" if remedies else ""
    return (Remedy(who=Who.NOBODY, text=text + what), *remedies)


def _from_catalogue(cause: Cause) -> Remedies:
    who = {
        Scope.RECIPIENT_DOMAIN: Who.RECIPIENT_ADMIN,
        Scope.SOURCE_IP: Who.OPERATOR,
        Scope.PROVIDER: Who.OPERATOR,
        Scope.SERVICE: Who.OPERATOR,
    }.get(CATALOGUE[cause].scope, Who.SENDER)
    return (Remedy(who=who, text=CATALOGUE[cause].remedy),)


def _wrong_address(said: Said, case: Case) -> Remedies:
    if said.cause is Cause.USER_UNKNOWN:
        # The domain answers, so only the smallest slip of the fingers is worth a guess.
        meant = meant_mailbox(case)
        text = "Correct the part before the @, or ask the recipient for the right address."
    else:
        meant = meant_domain(case)
        text = "Check the spelling of the address."
    if said.cause is Cause.DOMAIN_NO_MAIL:
        text = f"Use another address: nobody at {case.domain} can receive mail."
    guess = f"Did you mean {meant}? " if meant else ""
    return (sender(guess + text), *undo_suppression(case))


def _same_cause(case: Case, cause: Cause, text: str) -> Remedy:
    stands = case.delivery.cause or cause
    return operator(text, command("find", options=("--cause", stands.value)))


def _ip_standing(said: Said, case: Case) -> Remedies:
    ip = source_ip(case) or "our sending IP"
    return (
        operator(
            f"Find out why {ip} is refused (a compromised account, a bad list of recipients, missing DNS records), stop "
            "that, then ask for removal at the list or page that the reply names."
        ),
        _same_cause(case, said.cause, "See which other messages met the same."),
    )


def _reputation(said: Said, case: Case) -> Remedies:
    text = "Send less for some days, and only to people who open and answer your mail; look at bounces and complaints."
    return (sender(text), *_ip_standing(said, case))


def _sender_auth(said: Said, case: Case) -> Remedies:  # noqa: ARG001 - one signature for all
    seen = auth_remedies(case)
    if seen is not None:
        return seen
    domain, path = from_domain(case), return_path_domain(case)
    attempt = case.last_attempt
    by = attempt.signed_by if attempt else ()
    signed = f"was signed with DKIM for {' and '.join(dict.fromkeys(by))}" if by else "carried no DKIM signature"
    spf = f"SPF is checked for {path}" if path else "SPF is checked for the return path's domain"
    aligned = path is not None and (path == domain or path.endswith(f".{domain}"))
    aligns = "" if aligned else f", which counts for DMARC only where it is a custom MAIL FROM domain under {domain}"
    facts = sender(f"What to look at: the message {signed}; {spf}{aligns}.")
    if case.message.identity is None:
        text = (
            f"Create {domain} as an identity (or CreateEmailIdentity), publish the records it shows, then send again."
        )
        return (sender(text, command("identities", "create", argument=domain, options=account_of(case))), facts)
    show = command("identities", "show", argument=case.message.identity, options=account_of(case))
    text = (
        f"Publish the DNS records of the identity {case.message.identity}, wait until they are seen, then send again."
    )
    return (sender(text, show), facts)


def _sender_invalid(said: Said, case: Case) -> Remedies:
    path = return_path_domain(case)
    about_path = path is not None and said.stage in {Stage.MAIL, Stage.RCPT}
    names = [path] if about_path else dict.fromkeys((path, from_domain(case)))
    named = " and ".join(name for name in names if name)
    return (
        operator(
            f"Make {named} resolve and take mail (MX or A record). The return path is the identity's custom MAIL FROM "
            "domain, else the setting inbound.bounce_domain."
        ),
    )


def _reverse_name(said: Said, case: Case) -> Remedies:  # noqa: ARG001 - one signature for all
    attempt = case.last_attempt
    helo = f" (it said {attempt.helo})" if attempt and attempt.helo else ""
    ip = source_ip(case) or "our sending IP"
    return (
        operator(
            f"Give {ip} a reverse name (PTR), let that name lead back to the IP (A or AAAA), and have Waybill say the "
            f"same name in EHLO{helo}: setting delivery.hostname."
        ),
    )


def our_side(cause: Cause) -> str:
    """What of ours may be at fault where nobody could be reached."""
    if cause is Cause.DNS_FAILURE:
        return "our resolver (setting dns.servers)"
    return "our network (port 25 outwards may be blocked)"


def _network(said: Said, case: Case) -> Remedies:
    ours = our_side(said.cause)
    if case.domains_alike:
        text = f"Look at {ours} first: mail to {count(case.domains_alike, 'domain')} met the same."
        return (
            operator(text, command("status")),
            _same_cause(case, said.cause, "See which other messages met the same."),
        )
    text = (
        f"If mail to other domains meets the same, the fault lies with {ours}; if only to {case.domain}, it is theirs."
    )
    return (_same_cause(case, said.cause, text),)


def _ask_admin(text: str, *before: Remedy) -> Callable[[Said, Case], Remedies]:
    return lambda _, case: (
        *before,
        to_recipient_admin(case, text.format(domain=case.domain, sender=case.message.sender)),
    )


def _tell(*remedies: Remedy) -> Callable[[Said, Case], Remedies]:
    return lambda _, case: (*remedies, *undo_suppression(case))


_BY_CAUSE: dict[Cause, Callable[[Said, Case], Remedies]] = {
    Cause.USER_UNKNOWN: _wrong_address,
    Cause.ADDRESS_INVALID: _wrong_address,
    Cause.DOMAIN_NOT_FOUND: _wrong_address,
    Cause.DOMAIN_NO_MAIL: _wrong_address,
    Cause.MAILBOX_DISABLED: _tell(sender("Reach the person another way, and stop sending to this address.")),
    Cause.ADDRESS_MOVED: _tell(sender("Use the new address, where the reply names one.")),
    Cause.MAILBOX_FULL: _tell(Remedy(who=Who.RECIPIENT, text="Make room in the mailbox.")),
    Cause.AUTH_FAILED: _sender_auth,
    Cause.SENDER_INVALID: _sender_invalid,
    Cause.IP_BLOCKLISTED: _ip_standing,
    Cause.LOW_REPUTATION: _reputation,
    Cause.DOMAIN_BLOCKLISTED: _tell(
        sender(
            "Look up your domain, and every domain that the message links to, at the list that the reply names; remove "
            "the link, or ask that list for removal."
        )
    ),
    Cause.PTR_MISSING: _reverse_name,
    Cause.RECIPIENT_RESTRICTED: _ask_admin("Ask the recipient, or the group's owner at {domain}, to allow {sender}."),
    Cause.POLICY_REJECTED: _ask_admin("Ask the administrator of {domain} which policy it was, and to allow {sender}."),
    Cause.SPAM_CONTENT: _ask_admin(
        "If the mail is wanted there, ask the administrator of {domain} to allow it.",
        sender(
            "Look at the links (shorteners, a text that names another domain than the link), the wording and the form. "
            "A plain version to the same address shows whether it is the content."
        ),
    ),
    Cause.VIRUS_DETECTED: _tell(sender("Remove the file, and scan the system that it came from.")),
    Cause.MESSAGE_TOO_LARGE: _tell(sender("Send a smaller message, or a link in place of the attachment.")),
    Cause.ATTACHMENT_REJECTED: _tell(sender("Remove the attachment, or send a link in its place.")),
    Cause.CONTENT_MALFORMED: _tell(sender("Correct the header or the part of the message that the reply names.")),
    Cause.I18N_UNSUPPORTED: _tell(sender("Use an address in ASCII, if the recipient has one.")),
    Cause.DELIVERY_EXPIRED: _ask_admin("Ask the administrator of {domain} where it waited, and for what."),
    Cause.RELAY_DENIED: _ask_admin(
        "Tell the administrator of {domain}: its MX records name a server that refuses its mail."
    ),
    Cause.AUTH_REQUIRED: _ask_admin(
        "Tell the administrator of {domain}: its MX records name a server that wants a login.",
        operator("If all mail goes through a relay, give its user name and password (setting delivery.relay)."),
    ),
    Cause.ROUTING_LOOP: _ask_admin(
        "Tell the administrator of {domain} that its MX records or forwarding go in circles."
    ),
    Cause.SERVER_MISCONFIGURED: _ask_admin("Tell the administrator of {domain} what their server says."),
    Cause.TLS_REQUIRED: _ask_admin(
        "Tell the administrator of {domain} what is wrong with their server's encryption.",
        sender("If it may go unencrypted, send it with a configuration set whose TLS policy is OPTIONAL."),
    ),
    Cause.PROTOCOL_ERROR: lambda _, case: (
        operator("The transcript shows the step at which it broke off.", see_events(case)),
    ),
    Cause.UNDETERMINED: _ask_admin(
        "If the words do not say enough, ask the administrator of {domain}.",
        sender("Read the reply above: it is all that the receiver said."),
    ),
    Cause.CONNECTION_FAILED: _network,
    Cause.DNS_FAILURE: _network,
    Cause.WAYBILL_INCIDENT: lambda _, __: (
        operator(
            "Look at this machine's network, and at the setting delivery.source_addresses: each must be an address of this machine.",
            command("status"),
        ),
    ),
    **dict.fromkeys(
        (
            Cause.GREYLISTED,
            Cause.RATE_LIMITED,
            Cause.RECIPIENT_RATE_LIMITED,
            Cause.SERVER_UNAVAILABLE,
            Cause.SERVER_FULL,
            Cause.TOO_MANY_RECIPIENTS,
        ),
        _tell(),
    ),
}

_BY_RULE: dict[str, Callable[[Said, Case], Remedies]] = {
    "failure-private-address": _tell(
        operator("If this server is to be reached, allow it: setting delivery.allow_private = true.")
    ),
    "waybill-failure": lambda _, __: (
        operator("Look into the service's log at that time, and report the fault.", command("status")),
    ),
    "failure-address-literal": _tell(sender("Use an address with a domain name.")),
}
