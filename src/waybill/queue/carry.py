"""One delivery's way: signed, attempted, and settled with what came of it."""

import logging
from collections.abc import Callable
from dataclasses import replace

from waybill.deliver.attempt import Parcel
from waybill.deliver.sources import pool_of
from waybill.mail.dkim import signing_domains
from waybill.mail.return_path import encode as return_path
from waybill.model.cause import Cause
from waybill.model.event import Held, NewEvent
from waybill.model.incident import Incident
from waybill.model.outcome import Attempt, Result
from waybill.model.record import record
from waybill.model.resource import INSTALLATION, Account, ConfigurationSet
from waybill.queue.config import QueueConfig, QueueParts
from waybill.queue.doubt import Doubt
from waybill.queue.holding import Holder, Stop
from waybill.queue.lanes import Lane
from waybill.queue.proof import Proofs
from waybill.queue.schedule import next_attempt
from waybill.queue.settle import Owner, blame, broken_attempt, settle_attempt
from waybill.queue.slowed import slowed_by
from waybill.queue.trouble import Trouble
from waybill.queue.write import read_for_good, settle_for_good
from waybill.store.protocol import Claim

log = logging.getLogger(__name__)

RETURN_PATH_PURPOSE = "return-path"

_NO_SOURCE = "failure-no-source"


@record(frozen=True, kw_only=True, slots=True)
class _Ended:
    """An attempt that has ended, what it was signed with, events that are written besides its own, and the incident behind it."""

    attempt: Attempt
    dkim_header: bytes
    more: tuple[NewEvent, ...]
    incident: Incident | None


class Carrier:
    """Carries deliveries for the queue. ``ended`` is told of each attempt before it is written down."""

    def __init__(
        self,
        parts: QueueParts,
        config: QueueConfig,
        *,
        holder: Holder,
        trouble: Trouble,
        doubt: Doubt,
        ended: Callable[[Claim, Lane, Attempt], None],
    ) -> None:
        self._parts = parts
        self._config = config
        self._holder = holder
        self._trouble = trouble
        self._ended = ended
        self._doubt = doubt
        self._secret = parts.store.secret(RETURN_PATH_PURPOSE)
        self._proofs = Proofs(
            parts.signatures, parts.authenticating, bounce_domain=config.bounce_domain, via=config.relay
        )

    async def carry(self, claim: Claim, lane: Lane) -> None:
        """Attempts the delivery and settles it. Raises what the store raises before the attempt."""
        delivery, parts = claim.delivery, self._parts
        configuration_set = await self._configuration_set(claim)
        pool = pool_of(claim.message.account, configuration_set.sending_pool) if configuration_set else None
        if await self._is_held(claim, lane, pool):
            return
        slowed = slowed_by(lane, delivery, parts.clock())
        attempt, dkim_header = await self._attempt(claim, configuration_set, pool)
        if slowed is not None:
            attempt = replace(attempt, slowed=slowed)
        if attempt.outcome.rule == _NO_SOURCE and await self._is_held(claim, lane, pool):
            parts.journal.end(delivery.id)  # others have used up what was left in the meantime
            return
        attempt, incident = await self._doubt.weigh(claim, lane, attempt)
        self._ended(claim, lane, attempt)
        broken: tuple[NewEvent, ...] = ()
        if not lane.played:
            attempt, broken = await self._proofs.add(claim, attempt, dkim_header)
        ended = _Ended(attempt=attempt, dkim_header=dkim_header, more=broken, incident=incident)
        await self._settle(claim, lane, ended, configuration_set)
        parts.journal.end(delivery.id)

    async def _is_held(self, claim: Claim, lane: Lane, pool: str | None) -> bool:
        """Whether none of the pool's addresses may send now; then the delivery is held, and says so."""
        delivery, now = claim.delivery, self._parts.clock()
        found = await self._parts.hold(pool, lane.site.name, now)
        if found is None:
            return False
        held = Held(limit=found.limit, by=found.by, text=found.text, until=found.until)
        told = delivery.cause is Cause.HELD_BY_WAYBILL and delivery.updated_at + self._config.lease * 20 > now
        await self._holder.hold(claim, lane, Stop(held=held, since=now, cause=None), tell=not told)
        return True

    async def _attempt(
        self, claim: Claim, configuration_set: ConfigurationSet | None, pool: str | None
    ) -> tuple[Attempt, bytes]:
        delivery, message, parts = claim.delivery, claim.message, self._parts
        started_at = parts.clock()
        dkim_header = b""
        try:
            dkim_header = await parts.signatures.header(claim)
            parcel = Parcel(
                delivery_id=delivery.id,
                message_id=message.id,
                recipient=delivery.recipient,
                mail_from=return_path(delivery.id, message.mail_from or self._config.bounce_domain, self._secret),
                content=dkim_header + claim.content,
                number=delivery.attempts + 1,
                tls_required=configuration_set is not None and configuration_set.tls_required,
                signed_by=signing_domains(dkim_header),
                pool=pool,
            )
            parts.journal.begin(delivery.id)
            attempt = await parts.transport.attempt(parcel)
        except Exception as error:  # a fault of ours must not lose the delivery, nor be hidden from it
            log.exception("attempt_failed_inside message_id=%s delivery=%d", message.id, delivery.id)
            attempt = broken_attempt(delivery.attempts + 1, error, started_at=started_at, ended_at=parts.clock())
        return attempt, dkim_header

    async def _settle(
        self,
        claim: Claim,
        lane: Lane,
        ended: _Ended,
        configuration_set: ConfigurationSet | None,
    ) -> None:
        attempt, dkim_header = ended.attempt, ended.dkim_header
        delivery, message, outcome = claim.delivery, claim.message, attempt.outcome
        retry_at = None
        if outcome.result is Result.DEFERRED:
            retry_at = self._doubt.retry_at(attempt, ended.incident, delivery.expires_at) or next_attempt(
                self._config.retry,
                outcome,
                attempts=attempt.number,
                now=attempt.ended_at,
                expires_at=delivery.expires_at,
                chance=self._parts.chance(),
            )
        owner = None
        if outcome.suppress:
            account = await read_for_good(
                lambda: self._parts.store.get(Account, INSTALLATION, message.account), self._trouble
            )
            assert account is not None, "accounts are never deleted"
            owner = Owner(account=account, configuration_set=configuration_set)
        kept = dkim_header if dkim_header and not message.dkim_header and retry_at is not None else None
        settlement = settle_attempt(claim, attempt, owner, retry_at=retry_at, dkim_header=kept, site=lane.site.name)
        if ended.more:
            settlement = replace(settlement, events=(*settlement.events, *ended.more))
        if ended.incident is not None:
            settlement = blame(settlement, ended.incident)
        await settle_for_good(self._parts.store, settlement, message.id, self._trouble)

    async def _configuration_set(self, claim: Claim) -> ConfigurationSet | None:
        name = claim.message.configuration_set
        return await self._parts.store.get(ConfigurationSet, claim.message.account, name) if name else None
