"""Accept: one request becomes a message on disk with an id, or a refusal on disk with SES's error.

The id is given once the ledger holds the message. What is wrong with the data (a missing template variable, a
suppressed address, malware) does not stop the id: the message is accepted and has failed, as with Amazon SES.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from waybill.accept.acceptance import Judged, acceptance_of
from waybill.accept.content import Draft, draft_content
from waybill.accept.identity import check_sender_form, check_senders
from waybill.accept.limits import over_limit
from waybill.accept.policy import AcceptPolicy as AcceptPolicy
from waybill.accept.recipients import envelope_of, in_sandbox, named_recipients
from waybill.accept.refusal import refusal_id, refusal_of
from waybill.accept.request import SendRequest
from waybill.accept.suppressed import find_suppressed
from waybill.accept.tags import check_tags
from waybill.model.cause import Cause
from waybill.model.clock import Clock, Instant, rfc3339
from waybill.model.message import Status, new_message_id
from waybill.model.refusal import Rejected
from waybill.model.resource import INSTALLATION, Account, ConfigurationSet, Identity, Pause
from waybill.store.protocol import Acceptance, AlreadyExists, Claim, LimitReached, Store

log = logging.getLogger(__name__)


class Intake(Protocol):
    """The queue's end: what was accepted is handed over under a lease, while there is room."""

    def has_room(self, recipients: Iterable[str], account: str) -> bool:
        """Whether this worker can take more of the account for these; if not, any worker claims the deliveries from the store later."""
        ...

    def offer(self, claims: Sequence[Claim]) -> None:
        """Takes deliveries that are leased to this worker."""
        ...


class Acceptor:
    """Takes requests to send from every door."""

    def __init__(self, *, store: Store, clock: Clock, policy: AcceptPolicy, intake: Intake) -> None:
        self._store = store
        self._clock = clock
        self._policy = policy
        self._intake = intake

    async def accept(self, request: SendRequest) -> str:
        """The message id; the message is on disk.

        Raises:
            Rejected: SES would refuse it too; the refusal is in the ledger under its request id.
            StoreUnavailable: nothing was written; the client should try again.
        """
        at = self._clock()
        message_id = new_message_id(at)
        draft: Draft | None = None
        try:
            account = await self._account(request.client.account)
            _refuse_if_account_paused(account)
            check_sender_form(request)
            named = named_recipients(request)
            draft = await draft_content(
                request, self._store, message_id=message_id, at=at, id_domain=self._policy.bounce_domain
            )
            judged = await self._judge(request, account, draft, envelope_of(request, named, draft), at)
            acceptance = acceptance_of(request, judged, self._policy, message_id=message_id)
            await self._write(self._leased(acceptance, at))
        except Rejected as refusal:
            await self._record_refusal(request, refusal, draft, at)
            raise
        return message_id

    async def _judge(
        self, request: SendRequest, account: Account, draft: Draft, recipients: tuple[str, ...], at: Instant
    ) -> Judged:
        senders = await check_senders(
            request, draft, self._store, every_sender=self._policy.every_sender, region=self._policy.region
        )
        if not account.production_access:
            await in_sandbox(recipients, self._store, account.name, self._policy.region)
        configuration_set = await self._configuration_set(request, draft, senders.identity)
        _refuse_if_set_paused(configuration_set)
        tags = check_tags(request.tags if request.tags is not None else draft.tags)
        stopped = await find_suppressed(self._store, account, configuration_set, recipients, at)
        return Judged(
            at=at,
            account=account,
            configuration_set=configuration_set,
            identity=senders.identity,
            sender=senders.address,
            recipients=recipients,
            tags=tags,
            draft=draft,
            stopped=stopped,
        )

    async def _account(self, name: str) -> Account:
        account = await self._store.get(Account, INSTALLATION, name)
        if account is None:
            raise Rejected(
                f"Account {name} does not exist in this installation.",
                code="AccountSuspendedException",
                cause=Cause.SENDING_PAUSED,
            )
        return account

    async def _configuration_set(
        self, request: SendRequest, draft: Draft, identity: Identity | None
    ) -> ConfigurationSet | None:
        """Explicit parameter, then header, then the identity's default; blank is absent."""
        name = (request.configuration_set or "").strip() or draft.control.get("x-ses-configuration-set", "").strip()
        by_default = not name
        name = name or (identity.configuration_set if identity else None) or ""
        if not name:
            return None
        found = await self._store.get(ConfigurationSet, request.client.account, name)
        if found is None:
            raise Rejected(
                f"Configuration set <{name}> does not exist.",
                # A default that is gone is no fault of the name in the request: SES calls it a bad one.
                code="BadRequestException" if by_default else "NotFoundException",
                code_v1="ConfigurationSetDoesNotExist",
                cause=Cause.CONTENT_MALFORMED,
                detail={"configuration_set": name},
            )
        return found

    def _leased(self, acceptance: Acceptance, at: Instant) -> Acceptance:
        """The acceptance under a lease of this worker, where it has something to send and the worker has room."""
        if acceptance.content is None:
            return acceptance
        to_send = [delivery.recipient for delivery in acceptance.deliveries if delivery.status is Status.QUEUED]
        if not self._intake.has_room(to_send, acceptance.message.account):
            return acceptance
        return replace(acceptance, lease_owner=self._policy.worker, lease_until=at + self._policy.lease)

    async def _write(self, acceptance: Acceptance) -> None:
        result = await self._store.accept(acceptance)
        if isinstance(result, LimitReached):
            raise over_limit(result)
        content = acceptance.content
        if acceptance.lease_owner is not None and content is not None:
            self._intake.offer(
                [
                    Claim(delivery=delivery, message=acceptance.message, content=content)
                    for delivery in result
                    if delivery.status is Status.QUEUED
                ]
            )

    async def _record_refusal(self, request: SendRequest, refusal: Rejected, draft: Draft | None, at: Instant) -> None:
        log.info("refused request_id=%s code=%s text=%s", request.client.request_id, refusal.code, refusal.text)
        number = request.entry
        while True:
            key = refusal_id(request, number)
            try:
                await self._store.accept(refusal_of(request, refusal, draft, key=key, at=at))
            except AlreadyExists:
                number += 1  # the request has had another message refused
            else:
                return


def _refuse_if_account_paused(account: Account) -> None:
    if account.paused is None:
        return
    raise Rejected(
        "Sending paused for this account. For more information, please check the inbox of the email address associated with your AWS account."
        if account.paused.by.startswith("rule:")
        else "Account sending is disabled.",
        code="SendingPausedException",
        code_v1="AccountSendingPausedException",
        cause=Cause.SENDING_PAUSED,
        detail={**_of_pause(account.paused), "account": account.name},
    )


def _refuse_if_set_paused(configuration_set: ConfigurationSet | None) -> None:
    if configuration_set is None or configuration_set.sending_enabled:
        return
    raise Rejected(
        f"Sending is paused for configuration set {configuration_set.name}.",
        code="SendingPausedException",
        code_v1="ConfigurationSetSendingPausedException",
        cause=Cause.SENDING_PAUSED,
        detail={**_of_pause(configuration_set.paused), "configuration_set": configuration_set.name},
    )


def _of_pause(pause: Pause | None) -> dict[str, str]:
    return {} if pause is None else {"by": pause.by, "reason": pause.reason, "paused_at": rfc3339(pause.at)}
