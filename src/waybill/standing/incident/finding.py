"""What the detector finds, and the figures it rests on."""

from collections.abc import Sequence

from waybill.model.clock import Instant
from waybill.model.incident import Figures, IncidentKind
from waybill.model.record import record
from waybill.standing.incident.counts import Answer, Cell, Names, count_of


@record(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something is wrong now. ``certain`` False: there is too little mail to be sure."""

    kind: IncidentKind
    site: str = ""
    title: str = ""
    source_ip: str = ""
    sending_domain: str = ""
    since: Instant
    figures: Figures
    certain: bool = True

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes it the same incident as one that was found before: a blocked address is one, wherever it is refused."""
        site = "" if self.source_ip or self.sending_domain else self.site
        return self.kind.value, site, self.source_ip, self.sending_domain


def figures_of(
    cell: Cell,
    failing: Sequence[Answer],
    *,
    usual: float,
    test: str,
    chance: float | None = None,
    rule: str | None = None,
) -> Figures:
    """The figures of a site's minutes: how much of it, whose, over which of our addresses."""
    messages, count = sum(cell.answers.values()), count_of(cell.answers, failing)
    known = {(one.account, one.sender) for one in cell.known_refused.values()}
    return Figures(
        messages=messages,
        failing=count,
        recipient_domains=touched(cell.by_domain, failing),
        senders=len({sender for _, sender in known}) if known else touched(cell.by_sender, failing),
        accounts=len({account for account, _ in known}) if known else touched(cell.by_account, failing),
        source_ips=touched(cell.by_ip, failing),
        known_good=len(cell.known_refused),
        usual=round(usual, 5),
        share=round(count / messages, 4) if messages else 0.0,
        chance=chance,
        test=test,
        example=_example(cell, rule),
        sites=(cell.site,),
    )


def touched(names: Names, failing: Sequence[Answer]) -> int:
    """How many of the names met one of the answers."""
    return sum(1 for counts in names.values() if count_of(counts, failing))


def _example(cell: Cell, rule: str | None) -> str:
    """The reply that was heard most often."""
    if rule is None and cell.rules:
        rule = max(cell.rules, key=lambda name: cell.rules[name])
    return cell.words.get(rule or "", "")
