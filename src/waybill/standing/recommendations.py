"""What there is to put right, as SES's ListRecommendations has it: from rates, listings and identities. Pure."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from waybill.model.clock import DAY, Instant
from waybill.model.resource import INSTALLATION
from waybill.model.standing import Advice, Listed, ListingState, Recommendation, Tally
from waybill.standing.blocklists import blocklists
from waybill.standing.checks.check import Check, Verdict
from waybill.standing.reputation import THRESHOLDS, Judgement, Kind, Level, Measure, Rate, describe

KEPT = 30 * DAY
"""How long a recommendation that was followed is still shown (SES Developer Guide, "Virtual Deliverability Manager advisor")."""

ABOUT_ACCOUNT = ""

_FIX = {
    Measure.BOUNCE: "Send only to addresses that asked for it, and stop sending to lists that are old, bought or guessed.",
    Measure.COMPLAINT: "Send only what people asked for, make leaving the list easy, and honour it within two days.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something that is wrong now; ``is_unknown``: or may be, so that what was said of it before stands."""

    account: str
    type: Advice
    about: str
    high: bool
    text: str
    fix: str
    detail: str = ""
    is_unknown: bool = False

    @property
    def name(self) -> str:
        """What tells it from others: the same finding tomorrow is the same recommendation."""
        return " ".join(filter(None, (self.type.value, self.about, self.detail)))


def about_rates(judgements: Iterable[Judgement]) -> list[Finding]:
    """Rates that are at or over SES's first threshold. A source IP belongs to no account, and is left out."""
    return [
        finding
        for judged in judgements
        if judged.subject.account != INSTALLATION
        for rate in (judged.bounce, judged.complaint)
        if rate.level >= Level.AT_RISK
        for finding in (_about_rate(judged, rate),)
    ]


def _about_rate(judged: Judgement, rate: Rate) -> Finding:
    threshold = THRESHOLDS[rate.measure]
    limits = f"reviews begin at {threshold.review * 100:g} %, pauses at {threshold.pause * 100:g} %"
    name = str(judged.subject)
    is_account = judged.subject.kind is Kind.ACCOUNT
    return Finding(
        account=judged.subject.account,
        type=Advice(rate.measure.upper()),
        about=ABOUT_ACCOUNT if is_account else judged.subject.name,
        high=rate.level >= Level.UNDER_REVIEW,
        text=f"{name[:1].upper()}{name[1:]}: {describe(rate, judged.window)}; {limits}.",
        fix=_FIX[rate.measure],
        detail="configuration-set" if judged.subject.kind is Kind.CONFIGURATION_SET else "",
    )


def about_listings(listings: Iterable[Listed], tallies: Iterable[Tally]) -> list[Finding]:
    """Source addresses on a blocklist, for each account that sent from them."""
    senders: Mapping[str, set[str]] = defaultdict(set)
    for tally in tallies:
        senders[tally.source_ip].add(tally.account)
    lists = {blocklist.id: blocklist for blocklist in blocklists()}
    return [
        Finding(
            account=account,
            type=Advice.IP_LISTING,
            about=listed.subject,
            high=listed.blocklist in lists and lists[listed.blocklist].is_heavy,
            text=f"{listed.text}.",
            fix=_removal(listed),
            detail=listed.blocklist,
        )
        for listed in listings
        if listed.state is ListingState.LISTED
        for account in sorted(senders.get(listed.subject, ()))
    ]


def _removal(listed: Listed) -> str:
    page = next((blocklist.removal for blocklist in blocklists() if blocklist.id == listed.blocklist), "")
    where = f" at {page}" if page else ""
    return f"Find what got it listed, end it, then ask for removal{where}."


_CHECKED = {
    "spf_record": Advice.SPF,
    "spf_lookups": Advice.SPF,
    "spf_sources": Advice.SPF,
    "spf_strict": Advice.SPF,
    "dkim_key": Advice.DKIM,
    "dkim_strength": Advice.DKIM,
    "dmarc_record": Advice.DMARC,
    "dmarc_policy": Advice.DMARC,
    "bimi": Advice.BIMI,
}
"""The checks of a domain that SES's advisor makes, too."""

_IN_DNS = frozenset(_CHECKED.values())


def about_checks(account: str, domain: str, checks: Iterable[Check]) -> list[Finding]:
    """What the checks of a domain found. One that could not be made is a finding of its own kind: nothing is known of it."""
    return [
        Finding(
            account=account,
            type=_CHECKED[check.id],
            about=domain,
            high=check.verdict is Verdict.FAIL,
            text=check.text,
            fix=_remedy(check),
            detail=check.id if check.subject == domain else f"{check.id} {check.subject}",
            is_unknown=check.verdict is Verdict.UNKNOWN,
        )
        for check in checks
        if check.id in _CHECKED and check.verdict is not Verdict.PASS
    ]


def _remedy(check: Check) -> str:
    records = " ".join(f"Publish {record}" for record in check.records)
    return " ".join(filter(None, (check.remedy, records)))


def reconcile(
    known: Sequence[Recommendation],
    found: Sequence[Finding],
    at: Instant,
    *,
    unseen: Collection[tuple[str, str]] = (),
) -> list[Recommendation]:
    """The recommendations that change: new ones, those whose words or gravity changed, those that came back, those that are fixed.

    ``unseen`` are domains, each with its account, that could not be looked at: what was said of their DNS stands.
    """
    before = {(one.account, one.name): one for one in known}
    now = {(one.account, one.name): one for one in found}
    certain = {key: finding for key, finding in now.items() if not finding.is_unknown}
    changed = [after for key, one in certain.items() if (after := _opened(before.get(key), one, at)) is not None]
    gone = (
        one
        for key, one in before.items()
        if key not in now and one.fixed_at is None and not (one.type in _IN_DNS and (one.account, one.about) in unseen)
    )
    return [*changed, *(replace(one, fixed_at=at, updated_at=at) for one in gone)]


def expired(known: Iterable[Recommendation], at: Instant) -> list[Recommendation]:
    """Those that were followed so long ago that they are forgotten."""
    return [one for one in known if one.fixed_at is not None and one.fixed_at < at - KEPT]


def _opened(before: Recommendation | None, finding: Finding, at: Instant) -> Recommendation | None:
    if before is not None and before.fixed_at is None:
        if (before.high, before.text, before.fix) == (finding.high, finding.text, finding.fix):
            return None
        return replace(
            before,
            high=finding.high,
            text=finding.text,
            fix=finding.fix,
            updated_at=at,
        )
    return Recommendation(
        account=finding.account,
        name=finding.name,
        type=finding.type,
        about=finding.about,
        high=finding.high,
        text=finding.text,
        fix=finding.fix,
        opened_at=at,
        updated_at=at,
    )
