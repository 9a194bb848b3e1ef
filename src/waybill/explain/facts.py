"""What an explanation is made from: facts of the ledger, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from waybill.model.authentication import AuthenticationSeen
from waybill.model.event import Event
from waybill.model.health import HealthPeriod
from waybill.model.history import DomainHistory, Likeness
from waybill.model.incident import Incident
from waybill.model.message import Delivery, Message
from waybill.model.probe import NotProbed, Probed
from waybill.model.standing import Listed, RateSeen
from waybill.model.suppression import Suppression


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """One message with its deliveries, events, and what stands around it. ``history`` and ``sites`` are by delivery id.

    ``sites`` names the site (a provider, or a host) that mail waits for, of deliveries that are held. ``live`` is what the
    live probes said that were asked for with the question, by delivery id. ``health`` are the times in which a part of the
    service was not well while the message was on its way.
    ``incidents`` are those that lasted in that time.
    ``authentications`` are what SPF, DKIM and DMARC looked like for mail from the sender's domain.
    ``likeness`` is what the ledger holds that is like the delivery's failure, by delivery id.
    ``listings`` are what blocklists said of our addresses and the sender's domain in that time and since; ``rates`` how
    much of their mail bounces and meets complaints now.
    """

    message: Message
    deliveries: tuple[Delivery, ...]
    events: tuple[Event, ...]
    suppressions: tuple[Suppression, ...] = ()
    history: Mapping[int, DomainHistory] = field(default_factory=dict)
    sites: Mapping[int, str] = field(default_factory=dict)
    live: Mapping[int, Probed | NotProbed] = field(default_factory=dict)
    health: tuple[HealthPeriod, ...] = ()
    authentications: tuple[AuthenticationSeen, ...] = ()
    listings: tuple[Listed, ...] = ()
    rates: tuple[RateSeen, ...] = ()
    incidents: tuple[Incident, ...] = ()
    likeness: Mapping[int, Likeness] = field(default_factory=dict)
