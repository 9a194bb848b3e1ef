"""The stories of mail that an incident touched: it waits, it was refused before anybody knew, or it arrived late."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.explain.life import START, Life
from waybill.deliver.evidence import Failure
from waybill.model.cause import Cause
from waybill.model.clock import HOUR, MINUTE
from waybill.model.event import Attempted, EventKind, Prolonged
from waybill.model.incident import Figures, Incident, IncidentKind, IncidentState
from waybill.model.message import Status
from waybill.model.outcome import Stage
from waybill.queue.incident_watch import disbelieve

DISOWNED = "550 5.1.1 The email account that you tried to reach does not exist."
GOOGLE = "Google (Gmail and Workspace)"


def _incident(kind: IncidentKind, figures: Figures, **about: Any) -> Incident:
    return Incident(
        number=7,
        kind=kind,
        state=IncidentState.OPEN,
        since=START - 4 * MINUTE,
        opened_at=START + 2 * MINUTE,
        updated_at=START + 2 * MINUTE,
        author=f"rule:incident-{kind.value.replace('_', '-')}",
        figures=figures,
        **about,
    )


DISOWNING = _incident(
    IncidentKind.FALSE_RECIPIENT_REJECTS,
    Figures(
        messages=412,
        failing=266,
        senders=6,
        accounts=4,
        source_ips=2,
        known_good=23,
        usual=0.0005,
        chance=4e-22,
        sites=("google",),
    ),
    site="google",
    title=GOOGLE,
)
OUTAGE = _incident(
    IncidentKind.OUTAGE,
    Figures(
        messages=450,
        failing=412,
        share=0.9156,
        usual=0.011,
        senders=37,
        accounts=12,
        recipient_domains=4,
        source_ips=2,
        chance=3e-9,
        sites=("microsoft",),
    ),
    site="microsoft",
    title="Microsoft (Outlook.com and 365)",
)
RESOLVER = _incident(
    IncidentKind.OWN_RESOLVER,
    Figures(
        failing=88, messages=88, sites=("a.example", "b.example", "c.example"), elsewhere="0 of 3 destinations answer"
    ),
)
BLOCK = _incident(
    IncidentKind.IP_BLOCK,
    Figures(
        messages=120,
        failing=118,
        share=0.983,
        sites=("microsoft",),
        elsewhere="131 messages were taken from 198.51.100.5",
    ),
    site="microsoft",
    title="Microsoft (Outlook.com and 365)",
    source_ip="198.51.100.4",
)


def _over(incident: Incident, *, after: int = 3 * HOUR) -> Incident:
    return replace(incident, state=IncidentState.CLOSED, closed_at=START + after, closed_by=incident.author)


def _disowned(incident: Incident = DISOWNING) -> Life:
    life = Life(recipient="pat@gmail.com", incidents=(incident,)).answered(DISOWNED, site="google")
    (event,) = [one for one in life.events if isinstance(one.fact, Attempted)]
    assert isinstance(event.fact, Attempted)
    attempt = disbelieve(event.fact.attempt, incident)
    retry_at = attempt.ended_at + 2 * HOUR
    fact = Attempted(attempt=attempt, retry_at=retry_at, expires_at=life.delivery.expires_at)
    life.events = [life.events[0], replace(event, kind=EventKind.DEFERRED, fact=fact)]
    life.entries = []
    life.delivery = replace(
        life.delivery,
        status=Status.DELAYED,
        cause=Cause.PROVIDER_INCIDENT,
        underlying_cause=Cause.USER_UNKNOWN,
        next_at=retry_at,
    )
    return life.wait(MINUTE)


def _refused_before() -> Life:
    """The entry that it led to was taken out of force."""
    life = Life(recipient="pat@gmail.com", incidents=(DISOWNING,)).answered(DISOWNED, site="google").wait(5 * MINUTE)
    life.entries = []
    return life


def _late() -> Life:
    life = _disowned(_over(DISOWNING))
    _prolong(life, 3 * HOUR)
    life.now = START + 3 * HOUR + 2 * MINUTE
    life.delivery = replace(life.delivery, next_at=life.now)
    return life.answered("250 2.0.0 OK  1795500000 d2e1a72fcca58", Stage.MESSAGE, site="google")


def _prolong(life: Life, by: int) -> None:
    until = life.delivery.expires_at + by
    fact = Prolonged(
        incident="INC-7", by=DISOWNING.author, by_ms=by, until=until, text=f"INC-7 took {by // MINUTE} minutes"
    )
    life._write(EventKind.PROLONGED, fact, about=life.recipient)
    life.delivery = replace(life.delivery, expires_at=until)


def _outage(incident: Incident = OUTAGE) -> Life:
    life = Life(recipient="kim@outlook.com", incidents=(incident,))
    life.answered("451 4.3.2 Temporary server error. Please try again later", site="microsoft")
    life.delivery = replace(life.delivery, cause=Cause.PROVIDER_INCIDENT, underlying_cause=life.delivery.cause)
    return life


LIVES: dict[str, Callable[[], Life]] = {
    "provider_incident-disowned": _disowned,
    "provider_incident-over": lambda: _disowned(_over(DISOWNING, after=20 * MINUTE)).wait(20 * MINUTE),
    "provider_incident-outage": _outage,
    "user_unknown-in-incident": _refused_before,
    "accepted_by_receiver-after-incident": _late,
    "dns_failure-own-resolver": lambda: Life(incidents=(RESOLVER,)).failed(
        Failure.DNS_TIMEOUT, "no DNS server answered for firma.example", Stage.ROUTE
    ),
    "low_reputation-ip-block": lambda: Life(recipient="kim@outlook.com", incidents=(BLOCK,)).answered(
        "451 4.7.650 The mail server [198.51.100.4] has been temporarily rate limited due to IP reputation. (S844)",
        Stage.MAIL,
        site="microsoft",
    ),
}
