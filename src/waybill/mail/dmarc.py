"""Evaluates DMARC as a receiver does (RFC 9989): discovery and organizational domain by DNS tree walk, alignment, disposition."""

from collections.abc import Sequence
from dataclasses import dataclass

from waybill.mail.dmarc_record import DmarcRecordError, parse_record, select
from waybill.mail.lookup import LookupFailed, Lookups
from waybill.model.authentication import (
    Alignment,
    DmarcEvaluation,
    DmarcPolicy,
    DmarcRecord,
    DmarcResult,
)

MOST_QUERIES = 8  # RFC 9989 §4.10
_LOWERED = {DmarcPolicy.REJECT: DmarcPolicy.QUARANTINE, DmarcPolicy.QUARANTINE: DmarcPolicy.NONE}


@dataclass(frozen=True, kw_only=True, slots=True)
class Authenticated:
    """What SPF (``mechanism`` ``spf``) or one DKIM signature came to, for which domain."""

    mechanism: str
    domain: str
    result: str
    selector: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Discovery:
    """What a tree walk from ``domain`` found. ``record`` is the one that applies to mail from that domain, or None.

    ``rejected`` are records that receivers take for none, in words; ``asked`` are the names looked at, in order.
    """

    domain: str
    organizational_domain: str
    record: DmarcRecord | None
    rejected: tuple[str, ...]
    asked: tuple[str, ...]


async def discover(lookups: Lookups, domain: str) -> Discovery:
    """The DMARC record for mail from ``domain``, and the domain's organizational domain (RFC 9989 §4.10).

    Raises:
        LookupFailed: the DNS gave no answer just now.
    """
    domain = domain.lower().removesuffix(".")
    found: list[DmarcRecord] = []
    rejected: list[str] = []
    asked: list[str] = []
    labels = domain.split(".")
    while labels:
        target = ".".join(labels)
        asked.append(f"_dmarc.{target}")
        record = await _record_at(lookups, target, rejected)
        if record is not None:
            found.append(record)
            if record.psd != "u":
                break
        labels = labels[1:] if len(labels) < MOST_QUERIES else labels[-(MOST_QUERIES - 1) :]
    organizational = _organizational_domain(domain, found)
    by_domain = {record.domain: record for record in found}
    suffix = next((record for record in found if record.psd == "y"), None)
    return Discovery(
        domain=domain,
        organizational_domain=organizational,
        record=by_domain.get(domain) or by_domain.get(organizational) or suffix,
        rejected=tuple(rejected),
        asked=tuple(asked),
    )


async def _record_at(lookups: Lookups, domain: str, rejected: list[str]) -> DmarcRecord | None:
    records = select(await lookups.txt(f"_dmarc.{domain}"))
    if len(records) > 1:
        rejected.append(f"_dmarc.{domain} has {len(records)} DMARC records; receivers take none of them")
        return None
    try:
        return parse_record(domain, records[0]) if records else None
    except DmarcRecordError as error:
        rejected.append(f"_dmarc.{domain}: {error}")
        return None


def _organizational_domain(domain: str, found: Sequence[DmarcRecord]) -> str:
    """RFC 9989 §4.10.2. ``found`` goes from the longest name to the shortest."""
    for record in found:
        if record.psd == "n":
            return record.domain
        if record.psd == "y" and record.domain != domain:
            below = domain.removesuffix(f".{record.domain}").rpartition(".")[2]
            return f"{below}.{record.domain}"
    return found[-1].domain if found else domain


async def evaluate(lookups: Lookups, from_domain: str, authenticated: Sequence[Authenticated]) -> DmarcEvaluation:
    """What DMARC says of mail with ``from_domain`` in From, given what authenticated; never raises for what the DNS says."""
    from_domain = from_domain.lower().removesuffix(".")
    asked: list[str] = []
    try:
        discovery = await discover(lookups, from_domain)
        asked += discovery.asked
        alignments = tuple([await _align(lookups, discovery, each) for each in authenticated])
        policy, tag = await _policy(lookups, discovery)
    except LookupFailed as error:
        reason = f"the DMARC record of {from_domain} could not be looked up: {error}"
        return DmarcEvaluation(result=DmarcResult.TEMPERROR, from_domain=from_domain, reason=reason, asked=tuple(asked))
    record = discovery.record
    passing = next((each for each in alignments if each.counts), None)
    result, disposition = DmarcResult.PASS, DmarcPolicy.NONE
    if record is None or policy is None:
        result = DmarcResult.PERMERROR if discovery.rejected else DmarcResult.NONE
    elif passing is None:
        result = DmarcResult.FAIL
        disposition = _LOWERED.get(policy, policy) if record.testing else policy
    return DmarcEvaluation(
        result=result,
        from_domain=from_domain,
        reason=_reason(discovery, passing, alignments),
        record=record,
        organizational_domain=discovery.organizational_domain,
        policy=policy,
        policy_tag=tag,
        disposition=disposition,
        alignments=alignments,
        asked=discovery.asked,
    )


async def _align(lookups: Lookups, discovery: Discovery, each: Authenticated) -> Alignment:
    """RFC 9989 §4.4. The organizational domain is looked for only where it matters."""
    record = discovery.record
    mode = "r" if record is None else record.aspf if each.mechanism == "spf" else record.adkim
    domain = each.domain.lower().removesuffix(".")
    organizational = None
    aligned = domain == discovery.domain
    if not aligned and mode == "r" and domain:
        organizational = (await discover(lookups, domain)).organizational_domain
        aligned = organizational == discovery.organizational_domain
    return Alignment(
        mechanism=each.mechanism,
        domain=domain,
        result=each.result,
        aligned=aligned,
        strict=mode == "s",
        organizational_domain=organizational,
        selector=each.selector,
    )


async def _policy(lookups: Lookups, discovery: Discovery) -> tuple[DmarcPolicy | None, str]:
    """The policy that applies and the tag that it is from (RFC 9989 §4.10.1): a subdomain's may be another."""
    record = discovery.record
    if record is None:
        return None, ""
    if record.domain == discovery.domain:
        return record.policy, "p"
    if record.absent_policy is not None and not await lookups.exists(discovery.domain):
        return record.absent_policy, "np"
    if record.subdomain_policy is not None:
        return record.subdomain_policy, "sp"
    return record.policy, "p"


def _reason(discovery: Discovery, passing: Alignment | None, alignments: Sequence[Alignment]) -> str:
    if discovery.record is None:
        wrong = f": {'; '.join(discovery.rejected)}" if discovery.rejected else ""
        return f"no DMARC record applies to {discovery.domain}{wrong}"
    if passing is not None:
        return f"{passing.mechanism.upper()} passes for {passing.domain}, which aligns with {discovery.domain}"
    told = [_failing(each, discovery.domain) for each in alignments]
    return "; ".join(told) or f"neither SPF nor DKIM says anything for {discovery.domain}"


def _failing(each: Alignment, from_domain: str) -> str:
    name = each.mechanism.upper()
    if each.result != "pass":
        unaligned = "" if each.aligned else f", which is not aligned with {from_domain} either"
        return f"{name} says {each.result} for {each.domain}{unaligned}"
    mode = "strict alignment is asked for" if each.strict else "another organizational domain"
    return f"{name} passes for {each.domain}, which is not aligned with {from_domain} ({mode})"
