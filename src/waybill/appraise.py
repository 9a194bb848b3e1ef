"""A question to the ledger: how do we stand? Gathers figures, pauses and what blocklists say, and judges them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from waybill.model.clock import Instant, rfc3339
from waybill.model.resource import INSTALLATION, Account, ConfigurationSet
from waybill.model.standing import Listed, Recommendation, Tally
from waybill.standing.pausing import judged_from
from waybill.standing.reputation import Judgement, Kind, Level, judge_all, periods, subjects_of, worst_first
from waybill.standing.standing_json import judgement_json, listing_json, pause_json, recommendation_json
from waybill.store.protocol import Store

MOST = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Appraisal:
    """How all (or one) of the accounts stand at ``at``. ``tallies`` begin at ``starts``, or later where there was a fresh start.

    ``sets`` are the configuration sets of the accounts, by account. ``listings`` is what blocklists say now, of what those
    sent with; ``recommendations`` is all there is or was to put right.
    """

    at: Instant
    starts: tuple[Instant, ...]
    tallies: tuple[Tally, ...]
    judgements: tuple[Judgement, ...]
    accounts: Mapping[str, Account]
    sets: Mapping[str, Sequence[ConfigurationSet]]
    listings: tuple[Listed, ...]
    recommendations: tuple[Recommendation, ...]

    def is_paused(self, judgement: Judgement) -> bool:
        """Whether what was judged sends nothing now."""
        subject = judgement.subject
        if subject.kind is Kind.ACCOUNT:
            account = self.accounts.get(subject.account)
            return account is not None and account.paused is not None
        return any(
            stopped.account == subject.account and stopped.name == subject.name
            for stopped in self.stopped_sets
            if subject.kind is Kind.CONFIGURATION_SET
        )

    @property
    def stopped(self) -> list[Account | ConfigurationSet]:
        """The accounts that are paused, and the configuration sets that send nothing."""
        return [*(one for one in self.accounts.values() if one.paused is not None), *self.stopped_sets]

    @property
    def stopped_sets(self) -> list[ConfigurationSet]:
        """The configuration sets that send nothing."""
        return [one for sets in self.sets.values() for one in sets if not one.sending_enabled]


async def appraise(store: Store, at: Instant, account: str | None = None) -> Appraisal:
    """How all accounts stand, or one. Raises: StoreUnavailable."""
    starts = periods(at)
    if account is None:
        known = await store.scan(Account, INSTALLATION, limit=MOST)
    else:
        own = await store.get(Account, INSTALLATION, account)
        known = [] if own is None else [own]
    accounts = {one.name: one for one in known}
    tallies = await store.standing.tallies(starts, account)
    sent = {tally.account for tally in tallies} | ({account} if account is not None else set())
    sets = {name: await store.scan(ConfigurationSet, name, limit=MOST) for name in sorted(sent | set(accounts))}
    fresh = await _since_fresh_start(store, starts, tallies, _fresh_starts(accounts, sets))
    return Appraisal(
        at=at,
        starts=starts,
        tallies=tuple(fresh),
        judgements=tuple(_judge(tallies, fresh, starts)),
        accounts=accounts,
        sets=sets,
        listings=await _listings(store, tallies if account is not None else None),
        recommendations=tuple([one for name in sets for one in await store.scan(Recommendation, name, limit=MOST)]),
    )


def _judge(tallies: Sequence[Tally], fresh: Sequence[Tally], starts: tuple[Instant, ...]) -> Sequence[Judgement]:
    """Whoever had a fresh start is judged from there; a source address has none, since receivers know of no such thing."""
    since_fresh = [one for one in judge_all(fresh, starts) if one.subject.kind is not Kind.SOURCE_IP]
    addresses = [one for one in judge_all(tallies, starts) if one.subject.kind is Kind.SOURCE_IP]
    return worst_first([*since_fresh, *addresses])


async def _listings(store: Store, tallies: Sequence[Tally] | None) -> tuple[Listed, ...]:
    """What blocklists say now; with ``tallies`` of the addresses and domains that these were sent with alone."""
    if tallies is None:
        return tuple(await store.standing.listings())
    own = {subject.name for tally in tallies for subject in subjects_of(tally)}
    return tuple(await store.standing.listings(subjects=sorted(own)))


def _fresh_starts(
    accounts: Mapping[str, Account], sets: Mapping[str, Sequence[ConfigurationSet]]
) -> dict[tuple[str, str], Instant]:
    """From when the mail of an account's configuration set counts; the empty name is mail without one."""
    found: dict[tuple[str, str], Instant] = {}
    for name in {*accounts, *sets}:
        of_account = judged_from(accounts[name].last_fresh_start if name in accounts else None)
        found[name, ""] = of_account
        for one in sets.get(name, ()):
            found[name, one.name] = max(of_account, judged_from(one.last_fresh_start))
    return found


async def _since_fresh_start(
    store: Store, starts: tuple[Instant, ...], tallies: Sequence[Tally], fresh: Mapping[tuple[str, str], Instant]
) -> list[Tally]:
    """The tallies, those that had a fresh start counted from there. Few have one, so each costs a question."""
    kept: list[Tally] = []
    again: dict[tuple[str, Instant], set[str]] = defaultdict(set)
    for tally in tallies:
        since = fresh.get((tally.account, tally.configuration_set), fresh.get((tally.account, ""), 0))
        if since > starts[-1]:
            again[tally.account, since].add(tally.configuration_set)
        else:
            kept.append(tally)
    for (account, since), names in again.items():
        later = await store.standing.tallies(tuple(max(start, since) for start in starts), account)
        kept.extend(one for one in later if one.configuration_set in names)
    return kept


def troubles(found: Appraisal) -> list[Judgement]:
    """What is not well: at risk or worse, or paused."""
    return [one for one in found.judgements if one.level > Level.HEALTHY or found.is_paused(one)]


def appraisal_json(found: Appraisal) -> dict[str, Any]:
    """All of it for programs: ``waybill standing --json`` and ``GET /api/standing``."""
    return {
        "at": rfc3339(found.at),
        "rates": [judgement_json(one, paused=found.is_paused(one)) for one in found.judgements],
        "pauses": [pause_json(one) for one in found.stopped],
        "listings": [listing_json(one) for one in found.listings],
        "recommendations": [recommendation_json(one) for one in found.recommendations if one.fixed_at is None],
    }
