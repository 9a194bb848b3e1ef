"""The fixed addresses at the bounce domain: where aggregate reports and complaints without a return path are sent to."""

import logging
from dataclasses import dataclass
from enum import StrEnum

from waybill.mail.aggregate import Aggregate, UnreadableReport, read_aggregate
from waybill.model.address import domain_of
from waybill.model.clock import Clock
from waybill.model.resource import INSTALLATION, Account, Identity
from waybill.store.observed import KeptReport
from waybill.store.protocol import Store

log = logging.getLogger(__name__)


class Mailbox(StrEnum):
    """The local parts. ``rua=mailto:dmarc-reports@<bounce domain>`` in a DMARC record leads here."""

    DMARC = "dmarc-reports"
    TLS = "tls-reports"
    COMPLAINTS = "complaints"  # for feedback loops that send to one registered address


def mailbox_of(address: str, bounce_domain: str) -> Mailbox | None:
    """Which of them the address is; None where it is none."""
    local = address.rpartition("@")[0].lower()
    return Mailbox(local) if domain_of(address) == bounce_domain.lower() and local in set(Mailbox) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportShelf:
    """Keeps aggregate reports about domains that are identities here; reports about others are nobody's."""

    store: Store
    clock: Clock

    async def take(self, data: bytes) -> str:
        """Keeps the report in the mail; what became of it, in a word for the counts. Raises: StoreUnavailable."""
        try:
            aggregate = read_aggregate(data)
        except UnreadableReport as error:
            log.info("aggregate_unreadable error=%s", error)
            return "unreadable"
        if not await self._is_ours(aggregate.domain):
            log.info("aggregate_foreign domain=%s reporter=%s", aggregate.domain, aggregate.reporter)
            return "foreign"
        return aggregate.kind if await self.store.keep_report(self._kept(aggregate)) else "duplicate"

    def _kept(self, aggregate: Aggregate) -> KeptReport:
        return KeptReport(
            kind=aggregate.kind,
            key=f"{aggregate.reporter} {aggregate.report_id} {aggregate.domain}",
            domain=aggregate.domain,
            reporter=aggregate.reporter,
            begin=aggregate.begin,
            end=aggregate.end,
            received_at=self.clock(),
            summary=aggregate.summary,
        )

    async def _is_ours(self, domain: str) -> bool:
        """Whether the domain, or one above it, is an identity of an account."""
        labels = domain.split(".")
        names = [".".join(labels[start:]) for start in range(len(labels) - 1)]
        accounts = await self.store.scan(Account, INSTALLATION)
        for account in accounts:
            for name in names:
                if await self.store.get(Identity, account.name, name) is not None:
                    return True
        return False
