"""The seventh word, the account, and every other reason to refuse a request: an error was given, and no message id."""

import re
from collections.abc import Callable
from typing import TypeAlias

from waybill.explain import paused
from waybill.explain.case import Case
from waybill.explain.commands import account_of, command
from waybill.explain.record import Evidence, Remedy, Telling
from waybill.explain.remedies import operator, sender
from waybill.explain.words import clock, quoted
from waybill.mail.address import AddressError, parse_mailbox, parse_mailbox_list
from waybill.model.cause import CATALOGUE, Cause, Responder
from waybill.model.clock import parse_rfc3339
from waybill.model.event import Refused
from waybill.model.message import Source

_SMTP_CODE = re.compile(r"[2-5]\d\d[ -](?:Transaction failed: |Message rejected: )?")
_MOST_NAMED = 5

Remedies: TypeAlias = tuple[Remedy, ...]


def tell(case: Case) -> Telling:
    """Why the request got an error."""
    event = case.decisive
    assert event is not None
    fact = event.fact
    assert isinstance(fact, Refused)
    entry = CATALOGUE[fact.cause]
    why = _REASONS.get(fact.cause)
    make = _REMEDIES.get(fact.cause)
    return Telling(
        headline=f"{case.recipient}: not accepted. {_sentence(why(case, fact) if why else _plain(fact))}",
        evidence=(
            Evidence(at=event.at, kind="refusal", source=_asked(case, fact), text=quoted(fact.text), event=event.id),
            *paused.evidence(fact),
        ),
        remedies=make(case, fact) if make else (sender("Correct the request as the answer says, and send it again."),),
        scope=entry.scope,
        responder=Responder.WAYBILL,
        permanent=entry.permanent,
        effect=paused.effect(fact),
    )


def _asked(case: Case, fact: Refused) -> str:
    if case.message.source is Source.SMTP:
        return "Waybill, answering the SMTP client"
    return f"Waybill, answering {case.message.operation} ({fact.code})"


def _plain(fact: Refused) -> str:
    """The answer without the codes in front that SMTP gives it."""
    return f"Waybill answered: {quoted(_SMTP_CODE.sub('', fact.text, count=1))}"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _detail(fact: Refused, key: str, otherwise: str = "") -> str:
    return (fact.detail or {}).get(key) or otherwise


def _figure(fact: Refused) -> str:
    """The limit's figure with a space behind it, where the refusal names one."""
    limit = _detail(fact, "limit")
    return f"{limit} " if limit else ""


def _paused(case: Case, fact: Refused) -> str:
    return paused.reason(case, fact) or _plain(fact)


def _unverified(case: Case, fact: Refused) -> list[str]:
    """The bare addresses that failed the check, as far as they can be read."""
    text = _detail(fact, "identities", case.message.sender)
    try:
        return [mailbox.address for mailbox in parse_mailbox_list(text.removesuffix(", ..."))]
    except AddressError:
        return []


def _not_verified(case: Case, fact: Refused) -> str:
    failing = _unverified(case, fact)
    named = ", ".join(failing[:_MOST_NAMED]) or _detail(fact, "identities", case.message.sender or "the sender")
    if failing and set(failing) <= _recipients(case):
        return f"The account is in the sandbox, where recipients must be verified too, and {named} is not."
    return f"The account has no verified identity that may send as {named}."


def _recipients(case: Case) -> set[str]:
    return {address for text in case.message.destination for address in _addresses(text)}


def _addresses(text: str) -> tuple[str, ...]:
    try:
        return (parse_mailbox(text).address,)
    except AddressError:
        return ()


def _bad_address(case: Case, fact: Refused) -> str:
    field, wrong = _detail(fact, "field"), _detail(fact, "address")
    if not (field and wrong):
        return _plain(fact)
    if wrong == case.delivery.recipient:
        return f"This address, in {field}, is not valid in form."
    if field == "From":
        return f"The sender's address {wrong!r} is not valid in form."
    return f"Another address of the same request, {wrong!r} in {field}, is not valid in form, and a request is taken whole or not at all."


def _too_many(case: Case, fact: Refused) -> str:
    return f"The request names {_detail(fact, 'recipients', str(len(case.message.destination)))} recipients, and one message may have 50."


def _template(_: Case, fact: Refused) -> str:
    if name := _detail(fact, "template"):
        return f'The account has no template named "{name}".'
    return _plain(fact)


def _content(_: Case, fact: Refused) -> str:
    if name := _detail(fact, "configuration_set"):
        return f'The account has no configuration set named "{name}".'
    return _plain(fact)


def _mail_from(_: Case, fact: Refused) -> str:
    domain = _detail(fact, "mail_from_domain", "of the identity")
    return f"The custom MAIL FROM domain {domain} is not verified, and the identity says to refuse the message then."


_REASONS: dict[Cause, Callable[[Case, Refused], str]] = {
    Cause.IDENTITY_NOT_VERIFIED: _not_verified,
    Cause.SENDING_PAUSED: _paused,
    Cause.QUOTA_EXCEEDED: lambda _, fact: f"The account's quota of {_figure(fact)}recipients in 24 hours is used up.",
    Cause.SENDING_RATE_EXCEEDED: lambda _, fact: (
        f"The account was faster than its limit of {_figure(fact)}recipients a second."
    ),
    Cause.MAIL_FROM_NOT_VERIFIED: _mail_from,
    Cause.ADDRESS_INVALID: _bad_address,
    Cause.SENDER_INVALID: _bad_address,
    Cause.TOO_MANY_RECIPIENTS: _too_many,
    Cause.TEMPLATE_SYNTAX_ERROR: _template,
    Cause.CONTENT_MALFORMED: _content,
    Cause.MESSAGE_TOO_LARGE: lambda _, __: "The message is larger than Waybill takes.",
}


def _verify(case: Case, fact: Refused) -> Remedies:
    failing = _unverified(case, fact)
    see = command("identities", "list", options=account_of(case))
    if failing and set(failing) <= _recipients(case):
        return (
            sender("Verify the recipient as an identity, or ask for production access.", see),
            operator("Or give the account production access (PutAccountDetails)."),
        )
    domain = failing[0].rpartition("@")[2] if failing else ""
    if not domain:
        return (sender("Create the sender's domain as an identity (CreateEmailIdentity).", see),)
    create = command("identities", "create", argument=domain, options=account_of(case))
    vouch = command("identities", "verify", argument=domain, options=account_of(case))
    return (
        sender(
            f"Create {domain} as an identity (or CreateEmailIdentity), and publish the DNS records it shows.", create
        ),
        sender("See which identities there are, and what they wait for.", see),
        operator("Or, once it is there, vouch for it.", vouch),
    )


def _wait_until(case: Case, fact: Refused) -> Remedies:
    limit = "account.max_24_hour_send" if fact.cause is Cause.QUOTA_EXCEEDED else "account.max_send_rate"
    show = command("account", "show", argument=case.message.account)
    return (sender(f"Send again after {_free_at(fact)}."), operator(f"Or raise the limit (setting {limit}).", show))


def _free_at(fact: Refused) -> str:
    text = _detail(fact, "free_at")
    try:
        return clock(parse_rfc3339(text))
    except ValueError:
        return text or "a while"


def _address(case: Case, fact: Refused) -> Remedies:
    wrong, field = _detail(fact, "address"), _detail(fact, "field")
    if not wrong:
        return (sender("Name at least one recipient."),)
    others = (
        ""
        if wrong == case.delivery.recipient or field == "From"
        else " The other recipients of the request are not at fault."
    )
    return (sender(f"Correct {wrong!r} in {field}, and send the request again.{others}"),)


def _mail_from_records(case: Case, fact: Refused) -> Remedies:
    domain = _detail(fact, "mail_from_domain", "the MAIL FROM domain")
    identity = _detail(fact, "identity")
    show = command("identities", "show", argument=identity, options=account_of(case)) if identity else None
    return (
        sender(
            f"Publish the MX record of {domain}, or set the identity's BehaviorOnMxFailure to USE_DEFAULT_VALUE.", show
        ),
    )


def _make_template(_: Case, fact: Refused) -> Remedies:
    if name := _detail(fact, "template"):
        return (sender(f'Correct the name, or create the template "{name}" first (CreateEmailTemplate).'),)
    return (sender("An inline template may only substitute variables: store one with blocks as a template."),)


def _correct_content(_: Case, fact: Refused) -> Remedies:
    if name := _detail(fact, "configuration_set"):
        text = f'Correct the name, create the configuration set "{name}" first (CreateConfigurationSet), or send without one.'
        return (sender(text),)
    return (sender("Correct the request as the answer says, and send it again."),)


_REMEDIES: dict[Cause, Callable[[Case, Refused], Remedies]] = {
    Cause.IDENTITY_NOT_VERIFIED: _verify,
    Cause.SENDING_PAUSED: paused.remedies,
    Cause.QUOTA_EXCEEDED: _wait_until,
    Cause.SENDING_RATE_EXCEEDED: _wait_until,
    Cause.ADDRESS_INVALID: _address,
    Cause.SENDER_INVALID: _address,
    Cause.MAIL_FROM_NOT_VERIFIED: _mail_from_records,
    Cause.TEMPLATE_SYNTAX_ERROR: _make_template,
    Cause.CONTENT_MALFORMED: _correct_content,
    Cause.TOO_MANY_RECIPIENTS: lambda _, __: (sender("Send it as several messages of up to 50 recipients each."),),
    Cause.MESSAGE_TOO_LARGE: lambda _, __: (
        sender("Send a smaller message, or a link in place of the attachment. The limit stands in the answer."),
    ),
}
