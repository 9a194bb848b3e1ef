"""Whose fault it is: what differs between that which fails and that which does not decides."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from waybill.model.clock import MINUTE, SECOND, Instant
from waybill.model.incident import IncidentKind
from waybill.standing.incident.counts import DOWN, Answer, Cell, Names, count_of, merge
from waybill.standing.incident.finding import Finding, figures_of, touched

LEAST_SITES = 3
"""So many sites must fail, and hardly any other work, before it is our own network or resolver."""

SITES_SHARE = 0.8
OWN_MESSAGES = 10
OTHERS_MESSAGES = 4
OTHERS_SHARE = 0.4

DOMAINS = 3
SENDERS = 3
PROVIDER_RECIPIENTS = 30

ONE_OF_MANY = 0.9
"""One name has so much of what fails: then it is about that name, if others are well."""

WELL = 0.1
WELL_MESSAGES = 10
BLOCK_MESSAGES = 20
BLOCK_SHARE = 0.6
BLOCK_SHARE_ALONE = 0.8

_REACH = (Answer.CONNECT,)
_LOOK_UP = (Answer.DNS,)
_BACK = (60 * SECOND, 3 * MINUTE, 10 * MINUTE)


def whole_service(by_site: Mapping[str, Sequence[Cell]], now: Instant) -> list[Finding]:
    """Our own network or resolver: several sites fail in the same way, and nearly nobody else answers.

    Looked for in the newest minute, in three and in ten: with much mail one is enough, with little ten are needed.
    """
    found: dict[IncidentKind, Finding] = {}
    for back in _BACK:
        cells = [
            cell
            for own in by_site.values()
            if (cell := merge(one for one in own if now - back < one.minute + MINUTE)) is not None
        ]
        for kind, failing in ((IncidentKind.OWN_RESOLVER, _LOOK_UP), (IncidentKind.OWN_NETWORK, _REACH)):
            finding = _everywhere(kind, failing, cells, now)
            if finding is not None:
                found.setdefault(kind, finding)
    return list(found.values())


def others_answer(elsewhere: Sequence[Cell]) -> bool:
    """Whether mail to other sites gets through at all: where none does, no single site is to blame."""
    whole = merge(elsewhere)
    if whole is None:
        return True
    counts = _all(whole)
    return sum(counts.values()) < OTHERS_MESSAGES or _share(counts, (*_REACH, *_LOOK_UP)) < OTHERS_SHARE


def _everywhere(kind: IncidentKind, failing: Sequence[Answer], cells: Sequence[Cell], now: Instant) -> Finding | None:
    down = [cell for cell in cells if _share(_all(cell), failing) >= SITES_SHARE]
    whole = merge(down)
    if whole is None or len(down) < max(LEAST_SITES, SITES_SHARE * len(cells)):
        return None
    count = count_of(_all(whole), failing)
    if count < OWN_MESSAGES:
        return None
    figures = figures_of(whole, failing, usual=0.0, test="everywhere")
    figures = replace(
        figures,
        messages=max(figures.messages, count),
        failing=count,
        share=len(down) / len(cells),
        sites=tuple(sorted(cell.site for cell in down))[:20],
        elsewhere=f"{len(cells) - len(down)} of {len(cells)} destinations answer",
    )
    return Finding(kind=kind, since=min(whole.minute, now), figures=figures)


def _all(cell: Cell) -> dict[str, int]:
    """First and later attempts together: our own fault shows in both alike."""
    return {
        name: cell.answers.get(name, 0) + cell.again.get(name, 0) for name in cell.answers.keys() | cell.again.keys()
    }


def spread(cell: Cell, failing: Sequence[Answer]) -> bool:
    """Whether what fails is the site's fault: neither one recipient domain, one sender nor one of our addresses has nearly all of it.

    A server that takes mail for one domain alone is that domain's own affair, whatever becomes of it. At a provider that
    everybody knows, many messages to one domain speak for the provider.
    """
    domains, senders = touched(cell.by_domain, failing), touched(cell.by_sender, failing)
    if domains < DOMAINS and not cell.is_provider:
        return False
    enough = domains >= DOMAINS or senders >= SENDERS or cell.is_provider
    return enough and not any(_only_one(names, failing) for names in (cell.by_domain, cell.by_sender, cell.by_ip))


def _only_one(names: Names, failing: Sequence[Answer]) -> bool:
    """Whether one name has nearly all that fails, while the others send or take mail and are well."""
    if len(names) < 2:
        return False
    total = sum(count_of(counts, failing) for counts in names.values())
    name, most = max(((name, count_of(counts, failing)) for name, counts in names.items()), key=lambda item: item[1])
    others = [counts for other, counts in names.items() if other != name]
    messages = sum(sum(counts.values()) for counts in others)
    return most >= ONE_OF_MANY * total and messages >= WELL_MESSAGES and (total - most) <= WELL * messages


def blocked(cell: Cell) -> Finding | None:
    """One of our addresses, or one sending domain, is refused here, and the others are not.

    Where there is no other to compare with, the words of the refusals decide: they name the address or the domain.
    """
    by_ip = _blocked_name(cell.by_ip, (Answer.POLICY_IP, Answer.POLICY, *DOWN), (Answer.POLICY_IP,))
    if by_ip is not None:
        return _block(IncidentKind.IP_BLOCK, cell, by_ip)
    by_domain = _blocked_name(cell.by_sender, (Answer.POLICY_DOMAIN,), (Answer.POLICY_DOMAIN,))
    return None if by_domain is None else _block(IncidentKind.DOMAIN_BLOCK, cell, by_domain)


def _blocked_name(names: Names, compared: Sequence[Answer], named: Sequence[Answer]) -> str | None:
    for name, counts in names.items():
        messages = sum(counts.values())
        if not name or messages < BLOCK_MESSAGES:
            continue
        if _share(counts, named) >= BLOCK_SHARE_ALONE and len(names) == 1:
            return name
        others = [other for key, other in names.items() if key != name]
        total = sum(sum(other.values()) for other in others)
        failing = sum(count_of(other, compared) for other in others)
        if _share(counts, compared) >= BLOCK_SHARE and total >= WELL_MESSAGES and failing <= WELL * total:
            return name
    return None


def _block(kind: IncidentKind, cell: Cell, name: str) -> Finding:
    of_ip = kind is IncidentKind.IP_BLOCK
    names = cell.by_ip if of_ip else cell.by_sender
    failing = (Answer.POLICY_IP, Answer.POLICY, *DOWN) if of_ip else (Answer.POLICY_DOMAIN,)
    counts = names[name]
    others = {other: one for other, one in names.items() if other != name}
    well = sum(one.get(Answer.OK, 0) for one in others.values())
    figures = replace(
        figures_of(cell, failing, usual=0.0, test="what differs"),
        messages=sum(counts.values()),
        failing=count_of(counts, failing),
        share=round(_share(counts, failing), 4),
        elsewhere=f"{well} messages were taken from {', '.join(sorted(others)[:5])}" if others else "",
    )
    return Finding(
        kind=kind,
        site=cell.site,
        title=cell.title or cell.site,
        source_ip=name if of_ip else "",
        sending_domain="" if of_ip else name,
        since=cell.minute,
        figures=figures,
    )


def _share(counts: dict[str, int], failing: Sequence[Answer]) -> float:
    total = sum(counts.values())
    return count_of(counts, failing) / total if total else 0.0
