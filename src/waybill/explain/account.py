"""The seventh word: the account. The request was refused, and no message id was given."""

import shlex
from collections.abc import Callable

from waybill.explain.case import Case
from waybill.explain.record import Evidence, Remedy, Telling, Who
from waybill.explain.remedies import command
from waybill.model.cause import CATALOGUE, Cause, Responder
from waybill.model.event import Refused


def tell(case: Case) -> Telling:
    """Why the request got an error."""
    event = case.decisive
    assert event is not None
    fact = event.fact
    assert isinstance(fact, Refused)
    entry = CATALOGUE[fact.cause]
    status = f"HTTP {fact.status}, " if fact.status else ""
    return Telling(
        headline=f"{case.recipient}: not accepted. {_why(case, fact)}",
        evidence=(
            Evidence(
                at=event.at,
                kind="refusal",
                source=f"Waybill, answering {case.message.operation} ({status}{fact.code})",
                text=fact.text,
                event=event.id,
            ),
        ),
        remedies=_REMEDIES[fact.cause](case, fact)
        if fact.cause in _REMEDIES
        else (Remedy(who=Who.SENDER, text="Correct the request as the error says, and send it again."),),
        scope=entry.scope,
        responder=Responder.WAYBILL,
        permanent=entry.permanent,
        effect="The request got an error and no message id; nothing was sent.",
    )


def _detail(fact: Refused, key: str, otherwise: str) -> str:
    return (fact.detail or {}).get(key) or otherwise


def _paused(case: Case, fact: Refused) -> str:  # noqa: ARG001 - one signature for all
    if name := _detail(fact, "configuration_set", ""):
        return f'Sending is paused for the configuration set "{name}".'
    by, reason = _detail(fact, "by", "the operator"), _detail(fact, "reason", "no reason given")
    return f"Sending of the account is paused by {by}: {reason}"


_REASONS: dict[Cause, Callable[[Case, Refused], str]] = {
    Cause.IDENTITY_NOT_VERIFIED: lambda case, fact: (
        f"Not verified as an identity: {_detail(fact, 'identities', case.message.sender)}."
    ),
    Cause.SENDING_PAUSED: _paused,
    Cause.QUOTA_EXCEEDED: lambda _, fact: (
        f"The account's quota of {_detail(fact, 'limit', '?')} recipients in 24 hours is used up."
    ),
    Cause.SENDING_RATE_EXCEEDED: lambda _, fact: (
        f"The account may send {_detail(fact, 'limit', '?')} recipients a second, and was faster."
    ),
    Cause.MAIL_FROM_NOT_VERIFIED: lambda _, fact: (
        f"The MAIL FROM domain {_detail(fact, 'mail_from_domain', '')} has no valid MX record, "
        "and the identity says to refuse then."
    ),
    Cause.ADDRESS_INVALID: lambda _, fact: f"An address in the request is not valid: {fact.text}",
}


def _why(case: Case, fact: Refused) -> str:
    reason = _REASONS.get(fact.cause)
    return reason(case, fact) if reason else f"The request was refused: {fact.text}"


def _verify(case: Case, fact: Refused) -> tuple[Remedy, ...]:  # noqa: ARG001 - one signature for all
    domain = case.message.sender.rpartition("@")[2].rstrip("> ") or "your-domain.example"
    return (
        Remedy(
            who=Who.SENDER,
            text=f"Create {domain} as an identity (CreateEmailIdentity) and publish the DNS records that it shows.",
            command=command(case, "identities", "show", domain),
        ),
        Remedy(
            who=Who.OPERATOR,
            text="If the records cannot be published now, vouch for an identity that exists.",
            command=command(case, "identities", "verify", domain),
        ),
    )


def _resume(case: Case, fact: Refused) -> tuple[Remedy, ...]:
    if _detail(fact, "configuration_set", ""):
        return (
            Remedy(
                who=Who.SENDER,
                text="Switch its sending on again (PutConfigurationSetSendingOptions, SendingEnabled=true), or send without it.",
            ),
        )
    return (
        Remedy(
            who=Who.OPERATOR,
            text="When the reason is settled, resume.",
            command=shlex.join(["waybill", "account", "resume", case.message.account]),
        ),
    )


def _wait_until(case: Case, fact: Refused) -> tuple[Remedy, ...]:
    return (
        Remedy(who=Who.SENDER, text=f"Send again after {_detail(fact, 'free_at', 'a while')}."),
        Remedy(
            who=Who.OPERATOR,
            text="Or raise the limit (settings account.max_send_rate, account.max_24_hour_send).",
            command=shlex.join(["waybill", "account", "show", case.message.account]),
        ),
    )


def _address(case: Case, fact: Refused) -> tuple[Remedy, ...]:  # noqa: ARG001 - one signature for all
    field = _detail(fact, "field", "the address")
    wrong = _detail(fact, "address", "")
    return (Remedy(who=Who.SENDER, text=f"Correct {field} {wrong!r}: {fact.text}"),)


_REMEDIES: dict[Cause, Callable[[Case, Refused], tuple[Remedy, ...]]] = {
    Cause.IDENTITY_NOT_VERIFIED: _verify,
    Cause.SENDING_PAUSED: _resume,
    Cause.QUOTA_EXCEEDED: _wait_until,
    Cause.SENDING_RATE_EXCEEDED: _wait_until,
    Cause.ADDRESS_INVALID: _address,
    Cause.SENDER_INVALID: _address,
}
