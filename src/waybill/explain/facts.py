"""What an explanation is made from: facts of the ledger, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from waybill.model.event import Event
from waybill.model.history import DomainHistory
from waybill.model.message import Delivery, Message
from waybill.model.suppression import Suppression


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """One message with its deliveries, events, and what stands around it. ``history`` and ``sites`` are by delivery id.

    ``sites`` names the site (a provider, or a host) that mail waits for, of deliveries that are held.
    """

    message: Message
    deliveries: tuple[Delivery, ...]
    events: tuple[Event, ...]
    suppressions: tuple[Suppression, ...] = ()
    history: Mapping[int, DomainHistory] = field(default_factory=dict)
    sites: Mapping[int, str] = field(default_factory=dict)
