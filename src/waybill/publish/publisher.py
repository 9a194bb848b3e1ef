"""The publisher: notices leave the outbox, at least once, and only when their effect is there."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from waybill.model.clock import SECOND, Clock
from waybill.model.resource import Subscription, Topic
from waybill.net.http_client import HttpClient
from waybill.publish.append import append_durably
from waybill.publish.fan_out import FanOut, attempt_before
from waybill.publish.lanes import Lanes
from waybill.publish.policy import Policy, policy_of
from waybill.publish.post import SECONDS_TO_ANSWER, Posted, post_envelope
from waybill.publish.ses_event import event_json
from waybill.publish.ses_mail import Installation
from waybill.store.protocol import Notice, NoticeKind, NoticeResult, Store, StoreUnavailable

log = logging.getLogger(__name__)

LEASE = 60
"""Seconds in which a notice must have been settled; after them another publisher may take it up."""

SECONDS_TO_POST = 2 * SECONDS_TO_ANSWER + 5
"""A post and its repetition with credentials, and the time to settle it."""

BATCH = 200
POLL = 0.25
"""Seconds between looks for notices when there were none."""

LAST_ROUNDS = 5
"""Rounds of a publisher that ends: the events of its worker's last deliveries, their messages, a backlog's head."""

SECONDS_TO_END = 10.0
"""How long a publisher that ends waits for its posts."""

STORE_PAUSE = 2.0
FILE_PAUSE = 5 * SECOND


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishConfig:
    """Who publishes: ``public_url`` is in the SNS messages, ``file`` the JSON-lines destination or None."""

    public_url: str
    region: str
    hostname: str
    file: Path | None
    worker: str


def watch_nothing(part: str, problem: str | None) -> None:
    """Nobody wants to know."""


class Publisher:
    """Takes notices from the outbox and makes them known. ``watch`` is told when the file cannot be written, and when it can again."""

    def __init__(
        self,
        *,
        store: Store,
        http: HttpClient,
        clock: Clock,
        config: PublishConfig,
        watch: Callable[[str, str | None], None] = watch_nothing,
    ) -> None:
        self._store = store
        self._watch = watch
        self._http = http
        self._clock = clock
        self._config = config
        self._installation = Installation(region=config.region, hostname=config.hostname)
        self._fan_out = FanOut(store=store, clock=clock, installation=self._installation, public_url=config.public_url)
        self._lanes = Lanes(self._post, time.monotonic)

    async def run(self, stop: asyncio.Event) -> None:
        """Publishes until ``stop`` is set, then what is due once more; posts under way get ten seconds."""
        while not stop.is_set():
            try:
                published = 0 if self._lanes.congested() else await self.publish_due()
            except StoreUnavailable as error:
                log.warning("store_unavailable while=publishing error=%s", error)
                await _pause(stop, STORE_PAUSE)
                continue
            if not published:
                await _pause(stop, POLL)
        try:
            for _ in range(LAST_ROUNDS):
                if not await self.publish_due():
                    break
        except StoreUnavailable as error:
            log.warning("store_unavailable while=ending error=%s", error)
        await self._lanes.close(SECONDS_TO_END)

    async def publish_due(self) -> int:
        """One round over what is due: how many notices were taken up. Posts to endpoints go on in the background.

        Raises:
            StoreUnavailable: what was not settled is taken up again when its lease has run out.
        """
        now = self._clock()
        until = now + LEASE * SECOND
        notices = await self._store.claim_notices(self._config.worker, now, limit=BATCH, lease_until=until)
        lines, to_render = [], []
        for notice in notices:
            if notice.kind is NoticeKind.FILE:
                lines.append(notice)
            elif notice.kind is NoticeKind.SUBSCRIPTION and notice.body is not None:
                self._lanes.add(notice, seconds=LEASE - SECONDS_TO_POST)
            else:
                to_render.append(notice)
        if lines:
            await self._store.settle_notices(await self._append(lines))
        if to_render:
            await self._store.settle_notices(await self._fan_out.render(to_render))
        return len(notices)

    async def settled(self) -> None:
        """Waits until no post is under way."""
        await self._lanes.settled()

    async def _post(self, notice: Notice) -> bool:
        """Whether the endpoint took it. A post that cannot be settled is made again: at least once."""
        try:
            subscription = await self._store.get(Subscription, notice.account, notice.target)
            if subscription is None:
                await self._store.settle_notices([NoticeResult(notice_id=notice.id)])
                return True
            topic = await self._store.get(Topic, notice.account, subscription.topic_arn)
            policy = policy_of(subscription, topic)
            posted = await post_envelope(self._http, subscription.endpoint, notice, policy.content_type)
            await self._store.settle_notices([self._result(notice, policy, posted)])
        except StoreUnavailable as error:
            log.warning("store_unavailable while=posting notice=%d error=%s", notice.id, error)
            return True
        return posted.taken

    def _result(self, notice: Notice, policy: Policy, posted: Posted) -> NoticeResult:
        if posted.taken:
            return NoticeResult(notice_id=notice.id)
        wait = policy.wait_after(notice.attempts + 1)
        if posted.final or wait is None:
            log.error("notice_given_up notice=%d target=%s error=%s", notice.id, notice.target, posted.error)
            return NoticeResult(notice_id=notice.id, error=posted.error)
        log.warning(
            "notice_put_off notice=%d target=%s seconds=%d error=%s", notice.id, notice.target, wait, posted.error
        )
        return NoticeResult(notice_id=notice.id, retry_at=self._clock() + wait * SECOND, error=posted.error)

    async def _append(self, notices: Sequence[Notice]) -> list[NoticeResult]:
        """Appends the events to the file, on disk before they are settled."""
        file = self._config.file
        if file is None:
            return [NoticeResult(notice_id=notice.id, error="no file is configured any more") for notice in notices]
        lines = [
            event_json(notice.event, notice.message, self._installation, await attempt_before(self._store, notice))
            for notice in notices
            if notice.event is not None and notice.message is not None
        ]
        try:
            await asyncio.to_thread(append_durably, file, b"".join(lines))
        except OSError as error:
            log.error("events_file_unwritable file=%s error=%s", file, error)  # noqa: TRY400 - an operator's matter, the traceback says nothing more
            self._watch("publishing", f"{file} cannot be written, events wait: {error}")
            retry_at = self._clock() + FILE_PAUSE
            return [NoticeResult(notice_id=notice.id, retry_at=retry_at, error=str(error)) for notice in notices]
        self._watch("publishing", None)
        return [NoticeResult(notice_id=notice.id) for notice in notices]


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
