"""How we stand, for programs: rates, pauses and listings as ``waybill standing --json`` and the APIs write them."""

from typing import Any

from waybill.model.clock import Instant, rfc3339
from waybill.model.resource import Account, ConfigurationSet, Pause
from waybill.model.standing import Listed, Recommendation
from waybill.standing.reputation import PAUSED, WORDS, Judgement, Rate


def judgement_json(judged: Judgement, *, paused: bool) -> dict[str, Any]:
    """How a subject stands."""
    figures = judged.figures
    return {
        "kind": judged.subject.kind.value,
        "account": judged.subject.account or None,
        "name": judged.subject.name,
        "state": PAUSED if paused else WORDS[judged.level],
        "since": rfc3339(judged.since),
        "window": judged.window,
        "sent": figures.sent,
        "delivered": figures.delivered,
        "permanent_bounces": figures.permanent,
        "transient_bounces": figures.transient,
        "excused_bounces": figures.excused,
        "bounce": _rate_json(judged.bounce),
        "complaint": _rate_json(judged.complaint),
    }


def _rate_json(rate: Rate) -> dict[str, Any]:
    return {
        "count": rate.cases,
        "of": rate.of,
        "rate": round(rate.share, 6),
        "surely_over": round(rate.surely, 6),
        "state": WORDS[rate.level] if rate.is_judged else "too little mail to say",
    }


def pause_json(stopped: Account | ConfigurationSet) -> dict[str, Any]:
    """Who or what is paused, by whom, why, and how to end it."""
    is_set = isinstance(stopped, ConfigurationSet)
    account = stopped.account if is_set else stopped.name
    pause: Pause | None = stopped.paused
    return {
        "account": account,
        "configuration_set": stopped.name if is_set else None,
        "by": pause.by if pause else None,
        "reason": pause.reason if pause else None,
        "at": rfc3339(pause.at) if pause else None,
        "until": None,
        "undo": undo(account, stopped.name if is_set else None),
    }


def undo(account: str, configuration_set: str | None) -> str:
    """The command that ends a pause."""
    which = f" --configuration-set {configuration_set}" if configuration_set else ""
    return f"waybill account resume {account}{which}"


def listing_json(listed: Listed) -> dict[str, Any]:
    """What a blocklist says."""
    return {
        "subject": listed.subject,
        "blocklist": listed.blocklist,
        "zone": listed.zone,
        "state": listed.state.value,
        "answers": list(listed.answers),
        "text": listed.text,
        "since": rfc3339(listed.since),
        "asked_at": rfc3339(listed.asked_at),
        "until": _time(listed.until),
    }


def recommendation_json(one: Recommendation) -> dict[str, Any]:
    """Something to put right."""
    return {
        "account": one.account,
        "type": one.type.value,
        "about": one.about or None,
        "impact": "HIGH" if one.high else "LOW",
        "status": "OPEN" if one.fixed_at is None else "FIXED",
        "text": one.text,
        "fix": one.fix,
        "opened_at": rfc3339(one.opened_at),
        "updated_at": rfc3339(one.updated_at),
        "fixed_at": _time(one.fixed_at),
    }


def _time(at: Instant | None) -> str | None:
    return None if at is None else rfc3339(at)
