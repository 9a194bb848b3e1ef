"""What to do about mail that Amazon SES sent, or did not send, addressed to the one who can do it."""

import json
from collections.abc import Callable

from waybill.explain.amazon_commands import GET_ACCOUNT, GET_IDENTITY, GET_SUPPRESSED, asked, aws, look, region_of
from waybill.explain.amazon_words import LATE, called_no_spam, first_seen, is_off_list, is_switched_off, reported
from waybill.explain.case import Case
from waybill.explain.commands import command
from waybill.explain.near import near_domain
from waybill.explain.record import Remedy, Who
from waybill.explain.remedies import sender
from waybill.explain.said import from_domain
from waybill.explain.words import clock
from waybill.mail.reply import without_type
from waybill.model.amazon import AmazonEvent, AmazonReported
from waybill.model.cause import CATALOGUE, Cause, Scope
from waybill.model.message import Status
from waybill.model.simulator import is_simulated

AGAIN = "then send again: SES does not resend"

_FOR_NOTHING = "Nothing: this address of the mailbox simulator always behaves so."


def remedies_of(case: Case, fact: AmazonReported | None) -> tuple[Remedy, ...]:
    """The remedies, the most useful first; who can only wait is told so."""
    status = case.delivery.status
    if is_simulated(case.recipient):
        return (Remedy(who=Who.NOBODY, text=_FOR_NOTHING),)
    if fact is None or status is Status.QUEUED:
        return _when_silent(case)
    return _when_delivered(case, fact) if status is Status.DELIVERED else _when_not(case, fact)


def _when_not(case: Case, fact: AmazonReported) -> tuple[Remedy, ...]:
    status = case.delivery.status
    if case.is_open and not fact.diagnostic and fact.cause is Cause.UNDETERMINED:
        return (_WAIT,)
    cause = case.delivery.underlying_cause if fact.cause is Cause.DELIVERY_EXPIRED else fact.cause
    cause = cause or Cause.UNDETERMINED
    make = _BY_CAUSE.get(cause)
    found = make(case, fact) if make else () if cause in _PASSES else (_from_catalogue(case, cause, fact),)
    found = (*_account_off(case), *found)
    if status is Status.DELAYED and case.now > case.delivery.expires_at + LATE:
        return (*found, sender("Send the message again: SES has given up by now."))
    if status is Status.DELAYED:
        return found if any(one.who is Who.NOBODY for one in found) else (*found, _MEANWHILE if found else _WAIT)
    if fact.cause is Cause.DELIVERY_EXPIRED or not found:
        return (*found, sender("Send the message again, later: SES does not."))
    return found


_WAIT = Remedy(who=Who.NOBODY, text="Nothing: Amazon SES tries again by itself.")
_MEANWHILE = Remedy(who=Who.NOBODY, text="Amazon SES tries again meanwhile.")

_PASSES = frozenset(
    {
        Cause.GREYLISTED,
        Cause.RECIPIENT_RATE_LIMITED,
        Cause.SERVER_UNAVAILABLE,
        Cause.SERVER_FULL,
        Cause.TOO_MANY_RECIPIENTS,
        Cause.PROVIDER_INCIDENT,
    }
)
"""What passes by itself, and nobody on this side can hasten."""


def _account_off(case: Case) -> tuple[Remedy, ...]:
    if not is_switched_off(case):
        return ()
    text = (
        "Sending is switched off for this AWS account: nothing goes until that is settled. If AWS has done it, answer its "
        "case in the AWS console; if it was your own doing:"
    )
    line = aws("put-account-sending-attributes", region=region_of(case))
    return (sender(text, f"{line} --sending-enabled"),)


def _when_silent(case: Case) -> tuple[Remedy, ...]:
    if case.now <= case.delivery.expires_at + LATE:
        return (Remedy(who=Who.NOBODY, text="Nothing: ask again in a moment. SES reports as soon as it knows more."),)
    name = case.message.configuration_set
    see = "See whether deliveries and bounces are among the events that are published, and to which topic."
    options = {"configuration-set-name": name} if name else {}
    line = (
        aws("get-configuration-set-event-destinations", region=region_of(case), options=options)
        if name
        else look(case, GET_IDENTITY)
    )
    return (
        *_account_off(case),
        sender(see, line),
        sender("What SES's own records say of this message:", look(case, "GetMessageInsights")),
    )


def _when_delivered(case: Case, fact: AmazonReported) -> tuple[Remedy, ...]:
    if called_no_spam(case) is not None:
        return (Remedy(who=Who.NOBODY, text="Nothing: it has arrived, and is wanted."),)
    seen = first_seen(case)
    if seen is not None and isinstance(seen.fact, AmazonReported) and not seen.fact.detail.get("by_a_machine"):
        return (Remedy(who=Who.NOBODY, text="Nothing: it has arrived."),)
    about = f' for "{case.message.subject}"' if case.message.subject else ""
    look_there = Remedy(who=Who.RECIPIENT, text=f"Look in Junk or Spam, and search all folders{about}.")
    return (look_there, _ask_admin(case, f"Ask the administrator of {case.domain} what became of it.", fact))


def _ask_admin(case: Case, text: str, fact: AmazonReported) -> Remedy:
    """With the line that they search their logs by, where a server of theirs has answered."""
    event = reported(case, fact.type)
    if not fact.diagnostic or event is None or fact.cause in {Cause.DNS_FAILURE, Cause.CONNECTION_FAILED}:
        return Remedy(who=Who.RECIPIENT_ADMIN, text=text)
    source = fact.detail.get("outgoing_ip")
    origin = f"from {source} (Amazon SES) " if source else "from Amazon SES "
    to = f"to [{fact.remote_ip}], " if fact.remote_ip else ""
    words = " ".join(without_type(fact.diagnostic).split())
    line = f"{clock(event.at)}, {origin}{to}for {case.recipient}, id {case.message.id}: {words}"
    return Remedy(who=Who.RECIPIENT_ADMIN, text=f"{text} This line is what they search by:\n{line}")


def _listed(case: Case, fact: AmazonReported) -> tuple[Remedy, ...]:
    if fact.sub_type == "EmailValidationSuppressed":
        return (
            sender(
                "Check the address. If it is right, lower the threshold of Auto Validation, account-wide or for the configuration set."
            ),
            sender("The account's threshold:", look(case, GET_ACCOUNT)),
        )
    if fact.sub_type == "OnTenantSuppressionList":
        text = f"If the address is right and takes mail again, take it off the tenant's list (DeleteSuppressedDestination with its TenantName), {AGAIN}."
        return (sender(text),)
    if is_off_list(case):
        return (sender("The address is off that list now: send the message again, SES does not resend."),)
    answer = asked(case).get(GET_SUPPRESSED)
    reason = answer[2].found.get("reason") if answer else None
    complained = reason == "COMPLAINT" or fact.type is AmazonEvent.COMPLAINT
    text = (
        "Take it off only if the recipient has asked you to write again; "
        if complained
        else "If the address is right and takes mail again, take it off the list; "
    )
    line = aws(
        "delete-suppressed-destination",
        region=region_of(case),
        options={"email-address": case.delivery.recipient},
    )
    remedies = [sender(text + f"{AGAIN}.", line)]
    origin = answer[2].found.get("message_id") if answer else None
    if origin:
        remedies.append(sender("The message that caused the entry:", command("explain", argument=origin)))
    return tuple(remedies)


def _listed_globally(case: Case, fact: AmazonReported) -> tuple[Remedy, ...]:  # noqa: ARG001 - one signature for all
    keep = aws("put-account-suppression-attributes", region=region_of(case))
    return (
        sender(
            "Check the address: mail to it bounced as invalid. If it is right, wait: nobody can take it off this list, and "
            "entries end by themselves within 14 days."
        ),
        sender(
            "Or use a list of your own: with account-level suppression for bounces, SES sends to addresses that only its global list holds.",
            f"{keep} --suppressed-reasons BOUNCE COMPLAINT",
        ),
    )


def _unsubscribed(case: Case, fact: AmazonReported) -> tuple[Remedy, ...]:  # noqa: ARG001 - one signature for all
    return (Remedy(who=Who.NOBODY, text="Nothing: respect it. Only the recipient can opt in again."),)


def _malware(case: Case, fact: AmazonReported) -> tuple[Remedy, ...]:  # noqa: ARG001 - one signature for all
    return (sender("Remove the file, scan the system that it came from, then send the message again."),)


def _template(case: Case, fact: AmazonReported) -> tuple[Remedy, ...]:
    variable, name = fact.detail.get("variable"), fact.detail.get("template")
    if fact.cause is Cause.TEMPLATE_VARIABLE_MISSING and variable:
        text = f'Send "{variable}" in TemplateData, spelled so, capitals included, or guard it in the template: {{{{#if {variable}}}}}{{{{{variable}}}}}{{{{/if}}}}'
    elif fact.cause is Cause.TEMPLATE_DATA_INVALID:
        text = 'Send TemplateData as a JSON object, such as {"name": "Ada"}, encoded as one text.'
    elif fact.cause is Cause.TEMPLATE_LIMIT_EXCEEDED:
        text = "Make the data or the loops of the template smaller, or send several messages."
    else:
        text = "Correct the template where SES's words say, and update it."
    if not name:
        return (sender(text),)
    data = json.dumps({variable: "example"} if variable else {}, ensure_ascii=False)
    options = {"template-name": name, "template-data": data}
    line = aws("test-render-email-template", region=region_of(case), options=options)
    return (sender(text), sender("Test it before you send again, with your data in place of these examples:", line))


def _wrong_address(case: Case, fact: AmazonReported) -> tuple[Remedy, ...]:
    unknown = fact.cause is Cause.USER_UNKNOWN
    meant = near_domain(case.domain, most=1) if unknown else near_domain(case.domain)
    guess = f"Did you mean {case.recipient.rpartition('@')[0]}@{meant}? " if meant else ""
    text = (
        "Correct the part before the @, or ask the recipient for the right address."
        if unknown
        else "Check the spelling of the address."
    )
    first = sender(guess + text)
    if fact.kind != "Permanent":
        return (first,)
    see = "SES puts addresses that bounce for good on the account's suppression list, if it is set up so: see, before you send there again."
    return (first, sender(see, look(case, GET_SUPPRESSED)))


def _unreachable(case: Case, fact: AmazonReported) -> tuple[Remedy, ...]:  # noqa: ARG001 - one signature for all
    text = f"Check the spelling of {case.domain}. If it is right, its name servers or mail servers could not be reached: tell its administrator."
    return (sender(text),)


def _authentication(case: Case, fact: AmazonReported) -> tuple[Remedy, ...]:  # noqa: ARG001 - one signature for all
    domain = from_domain(case)
    return (
        sender(
            f"See whether DKIM of the identity is verified and its MAIL FROM domain lies under {domain}; publish what is missing, then send again.",
            look(case, GET_IDENTITY),
        ),
        sender("What the DNS says of the domain now:", command("check", argument=domain)),
    )


def _standing(case: Case, fact: AmazonReported) -> tuple[Remedy, ...]:  # noqa: ARG001 - one signature for all
    return (
        sender(
            "The sending IP is Amazon's. Look at your account's standing with SES and send less, to people who open your mail; if it "
            "goes on, open a case with AWS Support with the reply above, or use dedicated IPs.",
            look(case, GET_ACCOUNT),
        ),
    )


def _of_amazon(case: Case, fact: AmazonReported) -> tuple[Remedy, ...]:  # noqa: ARG001 - one signature for all
    text = "Nothing of yours: Amazon SES goes on by itself. See its status page if more mail waits (https://health.aws.amazon.com)."
    return (Remedy(who=Who.NOBODY, text=text),)


def _complained(case: Case, fact: AmazonReported) -> tuple[Remedy, ...]:
    look_at = "Look at how the address was collected, and how easy it is to unsubscribe."
    known = "candidates" not in fact.detail
    return (
        sender(f"{'Do not write to this person again. ' if known else ''}{look_at}"),
        sender("Whether the address is on your account's suppression list since then:", look(case, GET_SUPPRESSED)),
    )


def _full(case: Case, fact: AmazonReported) -> tuple[Remedy, ...]:  # noqa: ARG001 - one signature for all
    return (
        Remedy(who=Who.RECIPIENT, text="Make room in the mailbox."),
        *(() if case.is_open else (sender("Send the message again, later: SES does not."),)),
    )


def _undetermined(case: Case, fact: AmazonReported) -> tuple[Remedy, ...]:
    read = (
        "Read the reply above: it is all that the receiver said."
        if fact.diagnostic
        else "Look into the mailbox that bounces are forwarded to, or at the answers to the sender's address: the bounce itself may be there."
    )
    ask = _ask_admin(case, f"If that does not say enough, ask the administrator of {case.domain}.", fact)
    return (sender(read), ask)


def _spam(case: Case, fact: AmazonReported) -> tuple[Remedy, ...]:
    look_at = (
        "Look at the links (shorteners, a text that names another domain than the link), the wording and the form. A plain "
        "version to the same address shows whether it is the content."
    )
    return (sender(look_at), _from_catalogue(case, Cause.SPAM_CONTENT, fact))


def _smaller(case: Case, fact: AmazonReported) -> tuple[Remedy, ...]:  # noqa: ARG001 - one signature for all
    return (sender("Send a smaller message, or a link in place of the attachment."),)


def _from_catalogue(case: Case, cause: Cause, fact: AmazonReported) -> Remedy:
    """What the receiver alone can change is asked of its administrator, and nothing promises that Waybill does something."""
    entry = CATALOGUE[cause]
    own = {
        Cause.RECIPIENT_RESTRICTED: f"Ask the recipient, or the group's owner at {case.domain}, to allow {case.message.sender}.",
        Cause.POLICY_REJECTED: f"Ask the administrator of {case.domain} which policy it was, and to allow {case.message.sender}.",
        Cause.TLS_REQUIRED: f"Tell the administrator of {case.domain} what is wrong with their server's encryption.",
        Cause.PROTOCOL_ERROR: f"Tell the administrator of {case.domain} at which words the conversation broke off.",
        Cause.SPAM_CONTENT: f"If the mail is wanted there, ask the administrator of {case.domain} to allow it.",
    }.get(cause)
    if own is not None or entry.scope in {Scope.RECIPIENT_DOMAIN, Scope.PROVIDER, Scope.RECIPIENT}:
        return _ask_admin(case, own or entry.remedy, fact)
    return sender(entry.remedy)


_BY_CAUSE: dict[Cause, Callable[[Case, AmazonReported], tuple[Remedy, ...]]] = {
    Cause.SUPPRESSED_ACCOUNT: _listed,
    Cause.SUPPRESSED_GLOBAL: _listed_globally,
    Cause.UNSUBSCRIBED: _unsubscribed,
    Cause.VIRUS_DETECTED: _malware,
    Cause.TEMPLATE_VARIABLE_MISSING: _template,
    Cause.TEMPLATE_DATA_INVALID: _template,
    Cause.TEMPLATE_SYNTAX_ERROR: _template,
    Cause.TEMPLATE_LIMIT_EXCEEDED: _template,
    Cause.USER_UNKNOWN: _wrong_address,
    Cause.ADDRESS_INVALID: _wrong_address,
    Cause.DOMAIN_NOT_FOUND: _wrong_address,
    Cause.DOMAIN_NO_MAIL: _wrong_address,
    Cause.DNS_FAILURE: _unreachable,
    Cause.CONNECTION_FAILED: _unreachable,
    Cause.AUTH_FAILED: _authentication,
    Cause.SENDER_INVALID: _authentication,
    Cause.IP_BLOCKLISTED: _standing,
    Cause.LOW_REPUTATION: _standing,
    Cause.RATE_LIMITED: _standing,
    Cause.PTR_MISSING: _standing,
    Cause.HELD_BY_WAYBILL: _of_amazon,
    Cause.WAYBILL_INCIDENT: _of_amazon,
    Cause.COMPLAINT: _complained,
    Cause.MAILBOX_FULL: _full,
    Cause.MESSAGE_TOO_LARGE: _smaller,
    Cause.SPAM_CONTENT: _spam,
    Cause.UNDETERMINED: _undetermined,
}
