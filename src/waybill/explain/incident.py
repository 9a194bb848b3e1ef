"""Incidents that touched a message: which, on what figures, what Waybill made of it, and what happens next."""

import math
from collections.abc import Iterable
from dataclasses import replace

from waybill.explain.case import Case
from waybill.explain.commands import command
from waybill.explain.evidence import attempt_evidence, context_evidence
from waybill.explain.record import BranchFinding, Evidence, Remedy, Telling, Verdict, Who
from waybill.explain.remedies import operator, sender
from waybill.explain.words import author, clock, count, span
from waybill.model.address import domain_of
from waybill.model.cause import Cause, Responder, Scope
from waybill.model.clock import MINUTE
from waybill.model.event import Prolonged
from waybill.model.incident import OF_PROVIDER, OURS, Incident, IncidentKind, IncidentState
from waybill.model.message import Status
from waybill.model.outcome import Attempt, Result, Stage

_HARDLY_EVER = 1e-12
PROBED_EVERY = 5 * MINUTE
"""How often one of the messages is tried that wait for a provider which disowns mailboxes."""

_MAILBOX = frozenset({Cause.USER_UNKNOWN, Cause.MAILBOX_DISABLED, Cause.ADDRESS_MOVED, Cause.ADDRESS_INVALID})
_BLOCKS = frozenset({IncidentKind.IP_BLOCK, IncidentKind.DOMAIN_BLOCK})
"""What somebody else refuses of ours; no fault of anybody's service."""
_DISOWNS = IncidentKind.FALSE_RECIPIENT_REJECTS


def touching(incidents: Iterable[Incident], case: Case) -> tuple[Incident, ...]:
    """The incidents that this delivery has met, the newest first: an attempt of it failed in their time and as they fail."""
    given = {event.fact.incident for event in case.events if isinstance(event.fact, Prolonged)}
    return tuple(
        incident
        for incident in incidents
        if not incident.discarded
        and (
            incident.id in given
            or _waits_in(incident, case)
            or any(_met(incident, one, case) for one in _attempts(case))
        )
    )


def _attempts(case: Case) -> list[Attempt]:
    return [fact.attempt for _, fact in case.attempted]


def _waits_in(incident: Incident, case: Case) -> bool:
    """Whether it is held for the very site, or was never tried while nothing could get out."""
    if not case.is_open or incident.closed_at is not None or incident.state is IncidentState.SUSPECTED:
        return False
    return case.is_held and bool(incident.site) and incident.site == case.site


def _met(incident: Incident, attempt: Attempt, case: Case) -> bool:
    begin, end = incident.since - MINUTE, incident.closed_at
    if not (begin <= attempt.ended_at and (end is None or attempt.started_at <= end)):
        return False
    outcome = attempt.outcome
    match incident.kind:
        case IncidentKind.OWN_RESOLVER:
            return outcome.cause is Cause.DNS_FAILURE and outcome.responder is Responder.DNS
        case IncidentKind.OWN_NETWORK:
            return outcome.reply is None and outcome.stage is Stage.CONNECT
        case IncidentKind.DEGRADED:
            return attempt.site == incident.site
        case IncidentKind.IP_BLOCK:
            named = attempt.source_ip == incident.source_ip
        case IncidentKind.DOMAIN_BLOCK:
            named = domain_of(case.message.sender) == incident.sending_domain
        case IncidentKind.FALSE_RECIPIENT_REJECTS:
            named = attempt.site == incident.site and outcome.cause in _MAILBOX
        case IncidentKind.OUTAGE:
            named = attempt.site == incident.site and outcome.cause not in _MAILBOX
    at_site = not incident.figures.sites or attempt.site in incident.figures.sites or attempt.site == incident.site
    return named and at_site and outcome.result is not Result.DELIVERED


def blamed(case: Case) -> Incident | None:
    """The incident of the receiving side that stands behind the case: the one that lasts, else the newest."""
    own = [one for one in case.incidents if one.kind not in OURS and one.state is not IncidentState.SUSPECTED]
    return next((incident for incident in own if incident.closed_at is None), own[0] if own else None)


def find(case: Case) -> BranchFinding | None:
    """What the branch of the service came to; None where no incident that is sure touched the message."""
    for incident in case.incidents:
        if incident.state is not IncidentState.SUSPECTED and incident.kind not in _BLOCKS:
            said = what(incident)
            text = f"{said[0].upper()}{said[1:]} ({incident.id}, {period(incident)})."
            return BranchFinding(verdict=Verdict.PROBLEM, text=text)
    return None


def tell(case: Case) -> Telling | None:
    """A delivery that waits for the end of an incident; None where no incident is known that it could wait for."""
    incident = blamed(case)
    attempted = case.attempted
    if incident is None or not attempted:
        return None
    return Telling(
        headline=f"{case.recipient}: not delivered yet. {_headline(case, incident)}",
        evidence=(attempt_evidence(*attempted[-1]), *context_evidence(case)),
        remedies=_remedies(incident),
        scope=Scope.PROVIDER,
        responder=Responder.REMOTE,
        permanent=False,
        confidence="likely",
        effect=_held_effect(incident),
    )


def _headline(case: Case, incident: Incident) -> str:
    since, title = clock(incident.since), _name(incident)
    over = f", over since {clock(incident.closed_at)}" if incident.closed_at is not None else ""
    if incident.kind is _DISOWNS:
        return (
            f"{title} says this mailbox does not exist, but since {since} it has refused mailboxes that took mail before "
            f"(incident {incident.id}{over}). We do not believe it."
        )
    return f"{title} is failing for other messages too, since {since} (incident {incident.id}{over}). Nothing is wrong with {case.recipient}."


def _held_effect(incident: Incident) -> str | None:
    if incident.kind is not _DISOWNS:
        return None
    return "The address was NOT put on a suppression list, and counts in no bounce rate."


def _remedies(incident: Incident) -> tuple[Remedy, ...]:
    by_itself = (
        f"Nothing: it is tried again when the incident is over. Until then one of the messages that wait is tried every "
        f"{span(PROBED_EVERY)}."
        if incident.kind is _DISOWNS and incident.closed_at is None
        else "Nothing: Waybill tries again by itself."
    )
    return (
        Remedy(who=Who.NOBODY, text=by_itself),
        operator("The incident, with all its figures:", command("incident", "show", argument=incident.id)),
        *_none_after_all(incident),
    )


def _none_after_all(incident: Incident) -> tuple[Remedy, ...]:
    if incident.closed_at is not None:
        return ()
    line = command("incident", "close", argument=incident.id, options=("--discard",))
    return (operator("Should you know that this is no incident, end it; what it holds is tried, and believed:", line),)


def with_incidents(case: Case, telling: Telling) -> Telling:
    """The telling with every incident that touched the message named in it."""
    if not case.incidents:
        return telling
    evidence = (*telling.evidence, *(_evidence(incident) for incident in case.incidents))
    telling = replace(telling, evidence=evidence)
    if (doubted := _doubted(case)) is not None and case.delivery.status is Status.BOUNCED:
        return _doubt(case, telling, doubted)
    incident = next((one for one in case.incidents if one.state is not IncidentState.SUSPECTED), None)
    if incident is None or case.cause is Cause.PROVIDER_INCIDENT:
        return telling
    if incident.kind in OURS:
        more = f"The fault is ours (incident {incident.id}): {what(incident)}."
    elif case.delivery.status is Status.DELIVERED and incident.kind in OF_PROVIDER:
        more = f"Incident {incident.id} was behind that."
    else:
        return telling
    return replace(telling, headline=f"{telling.headline} {more}")


def _doubted(case: Case) -> Incident | None:
    return next((one for one in case.incidents if one.kind is _DISOWNS), None)


def _doubt(case: Case, telling: Telling, incident: Incident) -> Telling:
    """A final refusal that may be one of the false ones."""
    listed = bool(case.suppressions)
    remedies = (
        sender(f"Send it again once {incident.id} is over; correct the address only if it is refused then, too."),
        operator("The incident, with all its figures:", command("incident", "show", argument=incident.id)),
    )
    return replace(
        telling,
        headline=f"{telling.headline} That is doubtful: {_name(incident)} refused mailboxes that exist "
        f"at that time (incident {incident.id}).",
        remedies=(*remedies, *telling.remedies) if listed else remedies,
        effect=_bounced_effect(case, incident, telling.effect),
        confidence="possible",
        permanent=False,
    )


def is_ours(case: Case) -> bool:
    """Whether it met a failure of our own side, so that nothing else need be suspected."""
    return any(one.kind in OURS and one.state is not IncidentState.SUSPECTED for one in case.incidents)


def find_address(case: Case) -> BranchFinding | None:
    """What the address branch came to where a refusal of the address is not believed."""
    incident = _doubted(case)
    if incident is None or case.cause is not Cause.PROVIDER_INCIDENT:
        return None
    text = f"{_name(incident)} says that it does not exist; during {incident.id} that means nothing."
    return BranchFinding(verdict=Verdict.UNKNOWN, text=text)


def _bounced_effect(case: Case, incident: Incident, effect: str | None) -> str | None:
    """An entry that the refusal made is out of force while the incident lasts; where one stands, the words stay."""
    if not case.added or case.suppressions:
        return effect
    until = "until it is over" if incident.closed_at is None else "and it was not put back"
    return f"The suppression that this refusal led to was taken out of force by incident {incident.id}, {until}."


def next_text(case: Case) -> str | None:
    """What happens next to a delivery that waits for the end of an incident."""
    incident = blamed(case)
    if case.cause is not Cause.PROVIDER_INCIDENT or incident is None:
        return None
    gives_up = f"It can wait until {clock(case.delivery.expires_at)}."
    retry_at = case.delivery.next_at
    latest = f", at {clock(retry_at)} at the latest" if retry_at is not None and retry_at > case.now else ""
    if incident.closed_at is not None:
        return f"The incident is over: it is tried again soon{latest}. {gives_up}"
    more = f" While {incident.id} lasts, it gets that time on top."
    if incident.kind is _DISOWNS:
        return f"It is tried again when the incident is over{latest}. {gives_up}{more}"
    again = f"Waybill tries again at {clock(retry_at)}. " if retry_at is not None else ""
    return f"{again}{gives_up}{more}"


def _evidence(incident: Incident) -> Evidence:
    suspected = " (suspected)" if incident.state is IncidentState.SUSPECTED else ""
    return Evidence(
        at=incident.opened_at,
        kind="incident",
        source=f"incident {incident.id}{suspected}, {author(incident.author)}",
        text=f"{what(incident)}, {period(incident)}: {figures(incident)}",
    )


def period(incident: Incident) -> str:
    """Since when, and until when where it is over."""
    if incident.closed_at is None:
        return f"since {clock(incident.since)}"
    return f"from {clock(incident.since)} to {clock(incident.closed_at)}"


_WHAT = {
    IncidentKind.OUTAGE: "{title} {is_} failing",
    IncidentKind.DEGRADED: "{title} {is_} much slower than usual",
    IncidentKind.FALSE_RECIPIENT_REJECTS: "{title} {is_} refusing mailboxes that exist",
    IncidentKind.IP_BLOCK: "our address {ip} {is_} refused by {sites}",
    IncidentKind.DOMAIN_BLOCK: "mail from {domain} {is_} refused by {sites}",
    IncidentKind.OWN_NETWORK: "our own network {is_} failing: hardly any server can be reached",
    IncidentKind.OWN_RESOLVER: "our own DNS resolver {is_} failing: hardly any name can be looked up",
}


def what(incident: Incident) -> str:
    """What it is, in words."""
    is_ = "may be" if incident.state is IncidentState.SUSPECTED else "is" if incident.closed_at is None else "was"
    return _WHAT[incident.kind].format(
        title=_name(incident),
        is_=is_,
        ip=incident.source_ip,
        domain=incident.sending_domain,
        sites=_sites(incident),
    )


def _sites(incident: Incident) -> str:
    sites = incident.figures.sites
    return ", ".join(sites) if len(sites) > 1 else _name(incident)


def _name(incident: Incident) -> str:
    """The site's name for running text: without what the title has in brackets."""
    return incident.title.partition(" (")[0] or incident.site


def figures(incident: Incident) -> str:
    """What it rests on, in one line."""
    found = incident.figures
    senders = count(found.senders, "sending domain")
    if incident.kind is _DISOWNS:
        return (
            f"{count(found.known_good, 'recipient')} whose mail was taken in the last 90 days got such a refusal within "
            f"10 minutes, from {senders}{_over(found.source_ips)}{_chance(found.chance)}"
        )
    if incident.kind is IncidentKind.DEGRADED:
        return f"the slowest twentieth took {span(round(found.share))}, usual is {span(round(found.usual))}"
    if incident.kind in OURS:
        return (
            f"{count(found.failing, 'message')} to {count(len(found.sites), 'destination')} met it; {found.elsewhere}"
        )
    share = f"{found.failing:,} of {count(found.messages, 'message')} failed"
    if incident.kind in _BLOCKS:
        return f"{share}{f'; {found.elsewhere}' if found.elsewhere else ''}"
    return (
        f"{share} ({found.share:.0%}, usual is {found.usual:.1%}), to {count(found.recipient_domains, 'domain')}, from "
        f"{senders}{_over(found.source_ips)}{_chance(found.chance)}"
    )


def _over(source_ips: int) -> str:
    return f", over {source_ips} of our addresses" if source_ips > 1 else ""


def _chance(chance: float | None) -> str:
    if chance is None:
        return ""
    if chance < _HARDLY_EVER:
        return "; by chance that happens less than once in a million million times"
    return f"; by chance that happens about once in {10 ** round(-math.log10(chance)):,} times"
