"""Runs all checks of a domain at once, and lets none of them take long."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from waybill.model.clock import Instant, rfc3339
from waybill.standing.checks import (
    bimi,
    blocklist,
    dkim,
    dmarc,
    mail_from,
    mailboxes,
    mx,
    rules,
    server_tls,
    source,
    spf,
    transport,
    unsubscribe,
)
from waybill.standing.checks.catalogue import CATALOGUE
from waybill.standing.checks.check import About, Check, Sender, Tools, Verdict, check_json, worst
from waybill.standing.checks.visit import Visit, visit

DNS_WITHIN = 5.0
SERVERS_WITHIN = 20.0
"""Seconds for what speaks SMTP or HTTPS: many servers keep strangers waiting for some seconds before they greet."""

Progress: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Seconds for a check that asks DNS alone, and for one that talks with servers. All checks run at the same time."""

    dns: float = DNS_WITHIN
    servers: float = SERVERS_WITHIN


AS_USUAL = Limits()


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """All that was found at a moment about a domain and how its mail leaves here, in the order of the catalogue."""

    sender: Sender
    at: Instant
    checks: tuple[Check, ...]

    @property
    def domain(self) -> str:
        """The domain."""
        return self.sender.domain

    @property
    def verdict(self) -> Verdict:
        """The gravest."""
        return worst(check.verdict for check in self.checks)

    @property
    def fails(self) -> bool:
        """Whether anything does."""
        return any(check.verdict is Verdict.FAIL for check in self.checks)

    @property
    def is_blind(self) -> bool:
        """Whether nothing of what DNS decides could be looked at: then it is the resolver that is wrong."""
        decided = (check for check in self.checks if check.verdict is not Verdict.UNKNOWN)
        return not any(said.kind == "dns" for check in decided for said in check.evidence)

    def of(self, verdict: Verdict) -> tuple[Check, ...]:
        """Those with the verdict."""
        return tuple(check for check in self.checks if check.verdict is verdict)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Job:
    ids: tuple[str, ...]
    seconds: float
    work: Awaitable[list[Check]]


async def run_checks(
    sender: Sender, tools: Tools, *, limits: Limits = AS_USUAL, progress: Progress | None = None
) -> Report:
    """Every check, each within its time; one that takes longer is ``unknown``, and says so."""
    at = tools.clock()
    visiting = asyncio.ensure_future(visit(sender, tools))

    async def visited() -> Visit:
        return await asyncio.shield(visiting)

    jobs = [
        _Job(ids=spf.IDS, seconds=limits.dns, work=spf.check(sender, tools)),
        _Job(ids=dkim.IDS, seconds=limits.dns, work=dkim.check(sender, tools)),
        _Job(ids=dmarc.IDS, seconds=limits.dns, work=dmarc.check(sender, tools)),
        _Job(ids=mx.IDS, seconds=limits.dns, work=mx.check(sender, tools)),
        _Job(ids=source.IDS, seconds=limits.dns, work=source.check(sender, tools)),
        _Job(ids=bimi.IDS, seconds=limits.dns, work=bimi.check(sender, tools)),
        _Job(ids=blocklist.IDS, seconds=limits.dns, work=blocklist.check(sender, tools)),
        _Job(ids=unsubscribe.IDS, seconds=limits.dns, work=unsubscribe.check(sender, tools)),
        _Job(ids=mail_from.IDS, seconds=limits.servers, work=mail_from.check(sender, tools)),
        _Job(ids=server_tls.IDS, seconds=limits.servers, work=server_tls.check(sender, tools, visited)),
        _Job(ids=mailboxes.IDS, seconds=limits.servers, work=mailboxes.check(sender, tools, visited)),
        _Job(ids=("tls_rpt",), seconds=limits.dns, work=transport.check_reports(sender, tools)),
        _Job(ids=("mta_sts",), seconds=limits.servers, work=transport.check_policy(sender, tools, visited)),
    ]
    done = 0

    async def run(job: _Job) -> list[Check]:
        nonlocal done
        try:
            async with asyncio.timeout(job.seconds):
                found = await job.work
        except TimeoutError:
            found = [_overdue(each, sender.domain, job.seconds) for each in job.ids]
        done += 1
        if progress is not None:
            progress(done, len(jobs))
        return found

    try:
        results = await asyncio.gather(*(run(job) for job in jobs))
    finally:
        visiting.cancel()
        await asyncio.gather(visiting, return_exceptions=True)
    checks = [check for found in results for check in found]
    checks += rules.judge(sender, checks)
    order = list(CATALOGUE)
    return Report(sender=sender, at=at, checks=tuple(sorted(checks, key=lambda check: order.index(check.id))))


def _overdue(check_id: str, subject: str, seconds: float) -> Check:
    return About(id=check_id, subject=subject).is_unknown(
        f"This was not answered within {seconds:g} s.",
        remedy="Ask again; the name servers, or the servers, of the domain are slow.",
    )


def report_json(report: Report) -> dict[str, object]:
    """The report as ``waybill check --json`` and ``GET /api/domains/{domain}/checks`` write it."""
    return {
        "version": 1,
        "domain": report.domain,
        "at": rfc3339(report.at),
        "sender": {
            "mail_from": report.sender.mail_from,
            "identity": report.sender.identity or None,
            "selectors": [key.selector for key in report.sender.keys],
            "egress": [{"ip": egress.ip, "helo": egress.helo} for egress in report.sender.egress],
        },
        "verdict": report.verdict.value,
        "counts": {verdict.value: len(report.of(verdict)) for verdict in Verdict},
        "checks": [check_json(check) for check in report.checks],
    }
