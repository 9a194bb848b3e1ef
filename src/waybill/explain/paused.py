"""A refusal because sending is paused: by whom, since when, on what figures, and how the pause ends."""

from waybill.explain.case import Case
from waybill.explain.commands import account_of, command
from waybill.explain.record import Evidence, Remedy
from waybill.explain.remedies import operator, sender
from waybill.explain.words import author, clock
from waybill.model.clock import Instant, parse_rfc3339
from waybill.model.event import Refused

_BY_RULE = "rule:"
_RATES = {
    "rule:bounce-rate": (
        "Stop sending to the addresses that bounced, and find where they came from: an old, bought or guessed list, "
        "or a form that takes any address."
    ),
    "rule:complaint-rate": "Stop sending to people who did not ask for it, and make it easy to leave the list.",
}


_TOO_MUCH = {
    "rule:bounce-rate": "much of its mail went to addresses that do not exist",
    "rule:complaint-rate": "many of its recipients complained",
}


def reason(case: Case, fact: Refused) -> str | None:
    """Why it is paused, as a sentence without its full stop; None where the refusal names no author."""
    detail = fact.detail or {}
    name, by = detail.get("configuration_set"), detail.get("by")
    what = f'Sending with the configuration set "{name}"' if name else f"Sending of account {case.message.account}"
    if by is None:
        return f'Sending is paused for the configuration set "{name}".' if name else None
    at = _paused_at(fact)
    since = f" since {clock(at)}" if at is not None else ""
    if by in _TOO_MUCH:
        return f"{what} is paused{since}: too {_TOO_MUCH[by]}."
    return f"{what} is paused by {author(by)}{since}: {detail.get('reason') or 'no reason given'}"


def evidence(fact: Refused) -> tuple[Evidence, ...]:
    """The figures that a rule paused it by."""
    detail = fact.detail or {}
    by, why, at = detail.get("by", ""), detail.get("reason"), _paused_at(fact)
    if not by.startswith(_BY_RULE) or not why or at is None:
        return ()
    return (Evidence(at=at, kind="figures", source=f"Waybill, {author(by)}", text=why),)


def effect(fact: Refused) -> str:
    """What the pause does, and what it does not."""
    if not (fact.detail or {}).get("by", "").startswith(_BY_RULE):
        return "The request got an error and no message id; nothing was sent to any of its recipients."
    return (
        "The request got an error and no message id; nothing was sent to any of its recipients. What was accepted before "
        "the pause is still delivered. The pause does not end by itself; after it has been ended, only what is sent from "
        "the next full hour on is judged."
    )


def remedies(case: Case, fact: Refused) -> tuple[Remedy, ...]:
    """What to settle, and how sending goes on."""
    detail = fact.detail or {}
    by = detail.get("by", "")
    settle = (sender(_RATES[by], command("standing", options=account_of(case))),) if by in _RATES else ()
    if name := detail.get("configuration_set"):
        text = (
            "Switch its sending on again (PutConfigurationSetSendingOptions, SendingEnabled true), or send without it."
        )
        if not by:
            return (sender(text),)
        resume = command("account", "resume", argument=case.message.account, options=("--configuration-set", name))
        return (*settle, sender(text), operator("Or let it send again.", resume))
    if not by:
        return (operator("See which keys there are, and for which account each acts.", command("keys", "list")),)
    resume = command("account", "resume", argument=case.message.account)
    again = operator("When the reason is settled, let the account send again.", resume)
    if by not in _RATES:
        return (again,)
    return (*settle, sender("When that is done, switch sending on again (PutAccountSendingAttributes)."), again)


def _paused_at(fact: Refused) -> Instant | None:
    text = (fact.detail or {}).get("paused_at", "")
    try:
        return parse_rfc3339(text)
    except ValueError:
        return None
