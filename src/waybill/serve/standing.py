"""Keeps an eye on how we stand: once a minute one worker judges the rates, warns once, pauses, and asks blocklists."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from waybill.appraise import Appraisal, appraise
from waybill.model.clock import MINUTE, SECOND, Clock, Instant, now
from waybill.model.incident import IncidentKind
from waybill.model.resource import INSTALLATION, Account, ConfigurationSet
from waybill.model.standing import Listed, ListingState, Recommendation
from waybill.net.resolver import Resolver
from waybill.serve.domain_advice import Advised, DomainAdvice
from waybill.serve.plan import Plan
from waybill.standing.monitor import EVERY as ASK_EVERY
from waybill.standing.monitor import ask, askable, chosen, news
from waybill.standing.pausing import is_by_rule, paused_set
from waybill.standing.recommendations import (
    about_listings,
    about_rates,
    expired,
    reconcile,
)
from waybill.standing.reputation import WORDS, Kind, Level, PauseDue, Subject, describe, pauses_due
from waybill.store.protocol import NotFound, Store, StoreUnavailable

log = logging.getLogger(__name__)

LOOK_EVERY = MINUTE


@dataclass(frozen=True, kw_only=True, slots=True)
class StandingConfig:
    """``pause``: whether rates may stop anybody. ``blocklists`` are ids; ``source_ips`` where we send from.

    ``relayed``: receivers see the address of a relay, and ours says nothing.
    """

    pause: bool
    blocklists: tuple[str, ...]
    source_ips: tuple[str, ...]
    relayed: bool = False


@dataclass(kw_only=True, slots=True)
class StandingWatch:
    """What was found last, so that only what is new is said. ``domains`` None: nothing is said of what identities publish."""

    store: Store
    resolver: Resolver
    clock: Clock
    config: StandingConfig
    domains: DomainAdvice | None = None
    _levels: dict[Subject, Level] = field(default_factory=dict)
    _asked_at: Instant = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Looks every minute until ``stop`` is set; a look under way does not delay the end."""
        looking, stopping = asyncio.create_task(self._look_for_ever()), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({looking, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            looking.cancel()
            stopping.cancel()
            await asyncio.gather(looking, stopping, return_exceptions=True)

    async def _look_for_ever(self) -> None:
        while True:
            try:
                await self.look()
            except StoreUnavailable as error:
                log.warning("store_unavailable while=judging_rates error=%s", error)
            except Exception:
                log.exception("standing_not_judged")  # mail goes on: it does not depend on this
            await asyncio.sleep(LOOK_EVERY / SECOND)

    async def look(self) -> None:
        """Judges all rates, asks the blocklists where it is time, and keeps what there is to put right. Raises: StoreUnavailable."""
        excused = await self._excuse()
        found = await appraise(self.store, self.clock())
        self._warn(found)
        if excused:
            await self._undo(found)
        if self.config.pause:
            await self._pause(found)
        listings: Sequence[Listed] = found.listings
        if found.at - self._asked_at >= ASK_EVERY:
            self._asked_at = found.at
            listings = await self._ask(found)
        await self._recommend(found, listings)

    async def _excuse(self) -> int:
        """Takes the bounces that an incident is to blame for out of the rates, those too that came before it was seen; how many.

        A provider that disowns mailboxes which exist says nothing about anybody's list.
        """
        excused = 0
        for incident in await self.store.incidents.lasting():
            if incident.is_open and incident.kind is IncidentKind.FALSE_RECIPIENT_REJECTS and incident.site:
                more = await self.store.standing.excuse(incident.since, provider=incident.site)
                if more:
                    log.info("bounces_excused incident=%s provider=%s count=%d", incident.id, incident.site, more)
                excused += more
        return excused

    async def _undo(self, found: Appraisal) -> None:
        """Ends the pauses that rested on bounces which are excused by now."""
        well = {
            judged.subject
            for judged in found.judgements
            if judged.level < Level.UNDER_REVIEW and judged.figures.excused
        }
        for name, account in found.accounts.items():
            if is_by_rule(account.paused) and Subject(kind=Kind.ACCOUNT, account=name, name=name) in well:
                await self.store.update(
                    Account,
                    INSTALLATION,
                    name,
                    lambda stored: replace(stored, paused=None) if is_by_rule(stored.paused) else stored,
                )
                log.warning("sending_resumed of='account %s' because='an incident is to blame for the bounces'", name)
        for one in found.stopped_sets:
            subject = Subject(kind=Kind.CONFIGURATION_SET, account=one.account, name=one.name)
            if is_by_rule(one.paused) and subject in well:
                await self.store.update(
                    ConfigurationSet,
                    one.account,
                    one.name,
                    lambda stored: (
                        replace(stored, paused=None, sending_enabled=True) if is_by_rule(stored.paused) else stored
                    ),
                )
                log.warning("sending_resumed of=%r because='an incident is to blame for the bounces'", str(subject))

    def _warn(self, found: Appraisal) -> None:
        for judged in found.judgements:
            before, now = self._levels.get(judged.subject, Level.HEALTHY), judged.level
            if now is before:
                continue
            say = log.warning if now > before else log.info
            said = describe(judged.worst, judged.window)
            say("standing_changed of=%r was=%r is=%r because=%r", str(judged.subject), WORDS[before], WORDS[now], said)
        self._levels = {judged.subject: judged.level for judged in found.judgements}

    async def _pause(self, found: Appraisal) -> None:
        due = pauses_due(
            found.tallies,
            found.starts,
            paused_accounts=[name for name, account in found.accounts.items() if account.paused is not None],
            paused_sets={
                name: [one.name for one in sets if not one.sending_enabled] for name, sets in found.sets.items()
            },
            at=found.at,
        )
        for one in due:
            await self._stop(one, found)

    async def _stop(self, due: PauseDue, found: Appraisal) -> None:
        """Stops an account or a set, unless somebody has touched it meanwhile."""
        subject, pause = due.subject, due.pause
        try:
            if subject.kind is Kind.CONFIGURATION_SET:
                fresh = {one.name: one.last_fresh_start for one in found.sets[subject.account]}.get(subject.name)
                await self.store.update(
                    ConfigurationSet,
                    subject.account,
                    subject.name,
                    lambda stored: paused_set(stored, pause) if stored.last_fresh_start == fresh else stored,
                )
            else:
                begun = found.accounts[subject.account].last_fresh_start
                await self.store.update(
                    Account,
                    INSTALLATION,
                    subject.account,
                    lambda stored: (
                        replace(stored, paused=pause)
                        if stored.paused is None and stored.last_fresh_start == begun
                        else stored
                    ),
                )
        except (NotFound, KeyError):  # deleted, or it never had a record
            return
        log.warning(
            "sending_paused of=%r account=%s by=%s because=%r", str(subject), subject.account, pause.by, pause.reason
        )

    async def _ask(self, found: Appraisal) -> Sequence[Listed]:
        lists = chosen(self.config.blocklists)
        seen = {kind: [one.subject.name for one in found.judgements if one.subject.kind is kind] for kind in Kind}
        # Where the system chooses the address, only the attempts tell which it was.
        addresses = [] if self.config.relayed else [*self.config.source_ips, *seen[Kind.SOURCE_IP]]
        subjects = askable([*addresses, *seen[Kind.DOMAIN]]) if lists else []
        if not subjects:
            return found.listings
        answers = await ask(self.resolver, lists, subjects, self.clock)
        for listed in await self.store.standing.note_listings(news(answers, found.listings)):
            if listed.state is ListingState.LISTED:
                log.warning("blocklisted subject=%s by=%s text=%r", listed.subject, listed.blocklist, listed.text)
            else:
                log.info("blocklist_said subject=%s by=%s state=%s", listed.subject, listed.blocklist, listed.state)
        return await self.store.standing.listings()

    async def _recommend(self, found: Appraisal, listings: Sequence[Listed]) -> None:
        advised = await self.domains.look(found.accounts) if self.domains is not None else Advised()
        findings = [
            *about_rates(found.judgements),
            *about_listings(listings, found.tallies),
            *advised.findings,
        ]
        known = found.recommendations
        for changed in reconcile(known, findings, found.at, unseen=advised.unseen):
            await self.store.put(changed)
        for old in expired(known, found.at):
            await self.store.delete(Recommendation, old.account, old.name)


def standing_watch(
    plan: Plan, store: Store, resolver: Resolver, source_ips: tuple[str, ...], clock: Clock = now
) -> StandingWatch | None:
    """The watch of the one worker that looks. Where all mail stays on this machine, it stops nobody and asks nobody."""
    if plan.number != 0:
        return None
    settings, played = plan.settings, plan.simulator is not None and plan.simulator.capture
    config = StandingConfig(
        pause=settings.standing.pause and not played,
        blocklists=() if played else settings.standing.blocklists,
        source_ips=source_ips,
        relayed=bool(settings.delivery.relay),
    )
    proving = settings.identities.verification != "none"
    domains = DomainAdvice(settings=settings, store=store, resolver=resolver, clock=clock) if proving else None
    return StandingWatch(store=store, resolver=resolver, clock=clock, config=config, domains=domains)
