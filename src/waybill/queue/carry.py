"""One delivery's way: signed, attempted, and settled with what came of it."""

import logging
from collections.abc import Callable
from dataclasses import replace

from waybill.deliver.attempt import Parcel
from waybill.deliver.sources import pool_of
from waybill.mail.dkim import signing_domains
from waybill.mail.return_path import encode as return_path
from waybill.model.address import comparable
from waybill.model.cause import Cause
from waybill.model.clock import Instant
from waybill.model.event import Held
from waybill.model.outcome import Attempt, Line, Result, Speaker
from waybill.model.resource import INSTALLATION, Account, ConfigurationSet
from waybill.queue.config import QueueConfig, QueueParts
from waybill.queue.false_reject import WINDOW, FalseRejects, Known, is_known_good
from waybill.queue.holding import Holder, Stop
from waybill.queue.lanes import Lane
from waybill.queue.schedule import next_attempt
from waybill.queue.settle import Owner, broken_attempt, settle_attempt
from waybill.queue.trouble import Trouble
from waybill.queue.write import read_for_good, settle_for_good
from waybill.store.protocol import Claim

log = logging.getLogger(__name__)

RETURN_PATH_PURPOSE = "return-path"

NOBODY = "nobody is suppressed for it"
_NO_SOURCE = "failure-no-source"


class Carrier:
    """Carries deliveries for the queue. ``ended`` is told of each attempt before it is written down."""

    def __init__(
        self,
        parts: QueueParts,
        config: QueueConfig,
        *,
        holder: Holder,
        trouble: Trouble,
        ended: Callable[[Claim, Lane, Attempt], None],
    ) -> None:
        self._parts = parts
        self._config = config
        self._holder = holder
        self._trouble = trouble
        self._ended = ended
        self._heard = FalseRejects()
        self._secret = parts.store.secret(RETURN_PATH_PURPOSE)

    async def carry(self, claim: Claim, lane: Lane) -> None:
        """Attempts the delivery and settles it. Raises what the store raises before the attempt."""
        delivery, parts = claim.delivery, self._parts
        configuration_set = await self._configuration_set(claim)
        pool = pool_of(claim.message.account, configuration_set.sending_pool) if configuration_set else None
        if await self._is_held(claim, lane, pool):
            return
        attempt, dkim_header = await self._attempt(claim, configuration_set, pool)
        if attempt.outcome.rule == _NO_SOURCE and await self._is_held(claim, lane, pool):
            parts.journal.end(delivery.id)  # others have used up what was left in the meantime
            return
        attempt = await self._doubted(claim, lane, attempt)
        self._ended(claim, lane, attempt)
        await self._settle(claim, lane, attempt, configuration_set, dkim_header)
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

    async def _doubted(self, claim: Claim, lane: Lane, attempt: Attempt) -> Attempt:
        """The attempt; a refusal that cannot be true suppresses nobody, and those just before it are put right."""
        outcome, site, at = attempt.outcome, lane.site.name, attempt.ended_at
        if outcome.result is not Result.DEFERRED:
            self._heard.answered(site, at)
        if not outcome.suppress:
            return attempt
        delivery, store = claim.delivery, self._parts.store
        history = await read_for_good(lambda: store.history(delivery, at), self._trouble)
        if not is_known_good(history.last_delivered_to_address, at):
            return attempt
        earlier = self._heard.refused(site, (delivery.account, comparable(delivery.recipient)), at)
        if earlier is None:
            return attempt
        log.warning("refusal_not_believed site=%s message_id=%s rule=%s", site, delivery.message_id, outcome.rule)
        await read_for_good(lambda: self._put_right(earlier, outcome.rule, at), self._trouble)
        note = Line(
            at=at, who=Speaker.NOTE, text=f"{site} disowns several recipients whose mail it took lately: {NOBODY}"
        )
        return replace(
            attempt,
            outcome=replace(outcome, suppress=False, confidence="likely"),
            transcript=(*attempt.transcript, note),
        )

    async def _put_right(self, earlier: tuple[Known, ...], rule: str, at: Instant) -> None:
        """Takes back the entries that the refusals just before have made."""
        store = self._parts.store
        for account, address in earlier:
            for entry in await store.suppressed(account, (address,), at):
                if entry.author == f"rule:{rule}" and entry.at > at - WINDOW:
                    await store.unsuppress(entry.account, entry.address)

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
        attempt: Attempt,
        configuration_set: ConfigurationSet | None,
        dkim_header: bytes,
    ) -> None:
        delivery, message, outcome = claim.delivery, claim.message, attempt.outcome
        retry_at = None
        if outcome.result is Result.DEFERRED:
            retry_at = next_attempt(
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
        await settle_for_good(self._parts.store, settlement, message.id, self._trouble)

    async def _configuration_set(self, claim: Claim) -> ConfigurationSet | None:
        name = claim.message.configuration_set
        return await self._parts.store.get(ConfigurationSet, claim.message.account, name) if name else None
