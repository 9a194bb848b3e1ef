"""SPF of the return path's domain and of our EHLO names, evaluated as receivers do (RFC 7208)."""

import asyncio
import re

from waybill.mail.spf import MOST_LOOKUPS, MOST_VOID_LOOKUPS, check_host
from waybill.mail.spf_macro import SpfSyntaxError
from waybill.mail.spf_record import parse_record, select
from waybill.model.authentication import SpfEvaluation, SpfResult
from waybill.standing.checks.asking import Asking
from waybill.standing.checks.check import (
    NAME_THE_ADDRESS,
    About,
    Check,
    DnsRecord,
    Egress,
    Evidence,
    Sender,
    Tools,
    Verdict,
    not_public,
    unanswered,
)

IDS = ("spf_record", "spf_lookups", "spf_strict", "spf_sources", "spf_helo")

NOBODY = "203.0.113.254"
"""An address of a network for documentation (RFC 5737): no record allows it, so all of a record is evaluated for it."""


async def check(sender: Sender, tools: Tools) -> list[Check]:
    """The record, what it costs and whom it allows, and whether it allows us."""
    answer = await tools.resolver.txt(sender.mail_from)
    if not answer.status.definite:
        subjects = [(each, sender.mail_from) for each in IDS[:3]]
        subjects += [("spf_sources", f"{ip} for {sender.mail_from}") for ip in sender.ips]
        return [unanswered(*each, answer, tools) for each in subjects] + await _helos(sender, tools)
    asking = Asking(tools)
    walk = await check_host(asking, ip=NOBODY, sender=f"postmaster@{sender.mail_from}", helo="mail.invalid")
    sources, helos, own = await asyncio.gather(
        _sources(sender, answer.records, tools), _helos(sender, tools), _beside(sender, tools)
    )
    record = About(id="spf_record", subject=sender.mail_from, evidence=(tools.said(answer),))
    checks = [_check_record(sender, answer.records, tools, record)]
    if walk.records:
        checks.append(_check_lookups(walk, About(id="spf_lookups", subject=sender.mail_from, evidence=asking.evidence)))
        checks.append(_check_strict(walk, About(id="spf_strict", subject=sender.mail_from, evidence=asking.evidence)))
    return [*checks, *own, *sources, *helos]


async def _beside(sender: Sender, tools: Tools) -> list[Check]:
    """The domain's own record where the return path is another's: what is broken there hurts whoever sends by it."""
    domain = sender.domain
    if domain == sender.mail_from:
        return []
    answer = await tools.resolver.txt(domain)
    present = select(answer.records) if answer.status.definite else []
    about = About(id="spf_record", subject=domain, evidence=(tools.said(answer),))
    ours = f"by {{}}, but by {sender.mail_from}'s; mail that others send for {domain} may be."
    if len(present) > 1:
        text = f"{domain} publishes {len(present)} SPF records: receivers count that as broken."
        merged = wanted(domain, answer.records, ())
        return [about.warns(f"{text} Our mail is not judged {ours.format('them')}", merged)]
    try:
        for text in present:
            parse_record(text)
    except SpfSyntaxError as error:
        text = f"{domain}'s SPF record has an error in {error}. Our mail is not judged {ours.format('it')}"
        return [about.warns(text, remedy="Correct that term of the record.")]
    return []


def wanted(domain: str, found: tuple[str, ...], ips: tuple[str, ...]) -> DnsRecord:
    """The record to publish so that the addresses are allowed: the present one with them in front, or a new one.

    Terms with errors are left out: with one of them no record is worth anything (RFC 7208 §4.6).
    """
    present = select(found)
    terms = [f"ip6:{ip}" if ":" in ip else f"ip4:{ip}" for ip in ips]
    if not (terms or present):
        terms = ["mx"]
    if len(present) == 1:
        value = " ".join(("v=spf1", *terms, *filter(_is_sound, present[0].split()[1:])))
    else:
        # Beside the one "all" a redirect counts for nothing, and two of them are an error.
        rest = [
            re.sub("^redirect=", "include:", term, flags=re.IGNORECASE)
            for text in present
            for term in text.split()[1:]
            if term.lower().lstrip("+-~?") != "all" and _is_sound(term)
        ]
        value = " ".join(("v=spf1", *dict.fromkeys((*terms, *rest)), "~all"))
    return DnsRecord(name=domain, type="TXT", value=value, replaces=" | ".join(present))


def _is_sound(term: str) -> bool:
    try:
        parse_record(f"v=spf1 {term}")
    except SpfSyntaxError:
        return False
    return True


def _check_record(sender: Sender, found: tuple[str, ...], tools: Tools, about: About) -> Check:
    domain = sender.mail_from
    present = select(found)
    fresh = wanted(domain, found, tuple(ip for ip in sender.ips if tools.is_seen(ip)))
    whose = "" if domain == sender.domain else f" (the return path of {sender.domain}'s mail)"
    if not present:
        return about.fails(f"{domain}{whose} publishes no SPF record.", fresh)
    if len(present) > 1:
        text = (
            f"{domain}{whose} publishes {len(present)} SPF records: receivers count that as broken. There must be one."
        )
        return about.fails(text, fresh)
    try:
        parse_record(present[0])
    except SpfSyntaxError as error:
        return about.fails(f"{domain}'s SPF record has an error in {error}.", remedy="Correct that term of the record.")
    return about.passes(f"{domain}{whose} publishes “{present[0]}”.")


def _check_lookups(walk: SpfEvaluation, about: About) -> Check:
    domain = walk.domain
    if walk.result is SpfResult.TEMPERROR:
        return about.is_unknown(f"{walk.reason}.", remedy="Ask again later.")
    if walk.lookups > MOST_LOOKUPS or walk.void_lookups > MOST_VOID_LOOKUPS:
        return about.fails(
            f"{domain}'s SPF record is too expensive: {walk.reason}.",
            remedy="Take out includes of services that no longer send, and names that no longer exist; "
            "or use a subdomain with a record of its own as the return path (a custom MAIL FROM domain).",
        )
    if walk.result is SpfResult.PERMERROR:
        return about.fails(f"{walk.reason}.", remedy="Correct that record, or the term that leads to it.")
    spent = f"{walk.lookups} of {MOST_LOOKUPS} lookups; {walk.void_lookups} of {MOST_VOID_LOOKUPS} that find nothing."
    if walk.lookups == MOST_LOOKUPS:
        return about.warns(f"{spent} One more that any included service adds breaks it.")
    return about.passes(spent)


def _check_strict(walk: SpfEvaluation, about: About) -> Check:
    by_name = ""
    for record in walk.records:
        try:
            mechanisms = {each.name: each for each in parse_record(record.text).mechanisms}
        except SpfSyntaxError:
            continue
        if "all" in mechanisms and mechanisms["all"].result is SpfResult.PASS:
            value = " ".join("~all" if term.lower() in ("all", "+all") else term for term in record.text.split())
            return about.fails(
                f"{record.domain}'s SPF record has +all: everybody may send in this name, and receivers distrust such records.",
                DnsRecord(name=record.domain, type="TXT", value=value, replaces=record.text),
            )
        if "ptr" in mechanisms:
            by_name = by_name or record.domain
    if by_name:
        text = f"{by_name}'s SPF record uses ptr, which RFC 7208 asks not to use: it is slow, and some receivers pass over it."
        return about.warns(text, remedy="Name the addresses with ip4: and ip6: instead.")
    return about.passes("It has neither +all nor ptr.")


async def _sources(sender: Sender, found: tuple[str, ...], tools: Tools) -> list[Check]:
    if not sender.egress:
        about = About(id="spf_sources", subject=sender.mail_from)
        return [about.is_unknown(sender.egress_unknown, remedy=NAME_THE_ADDRESS)]
    results = await asyncio.gather(*(_evaluate(egress, sender.mail_from, tools) for egress in sender.egress))
    lacking = tuple(each.ip for each, (_, result) in zip(sender.egress, results, strict=True) if _is_refused(result))
    record = wanted(sender.mail_from, found, lacking)
    checks = []
    for egress, (about, result) in zip(sender.egress, results, strict=True):
        if result is None:
            checks.append(not_public("spf_sources", about.subject, egress.ip))
            continue
        text = f"SPF says {result.result} for {egress.ip}: {result.reason}."
        if _is_refused(result):
            checks.append(about.fails(text, record))
        elif result.result is SpfResult.TEMPERROR:
            checks.append(about.is_unknown(text, remedy="Ask again later."))
        else:
            checks.append(about.passes(text))
    return checks


async def _evaluate(egress: Egress, domain: str, tools: Tools) -> tuple[About, SpfEvaluation | None]:
    """What receivers find for the address; None where they do not see it."""
    about = About(id="spf_sources", subject=f"{egress.ip} for {domain}")
    if not tools.is_seen(egress.ip):
        return about, None
    asking = Asking(tools)
    helo = egress.helo or "mail.invalid"
    result = await check_host(asking, ip=egress.ip, sender=f"postmaster@{domain}", helo=helo)
    return About(id=about.id, subject=about.subject, evidence=(*asking.evidence, _trace(result, tools))), result


def _trace(result: SpfEvaluation, tools: Tools) -> Evidence:
    """Each term that was evaluated, and what became of it."""
    lines = [f"{each.domain}: {each.term}: {each.verdict}: {each.detail}" for each in result.terms]
    return tools.heard(f"SPF of {result.domain} for {result.ip}", "\n".join((*lines, result.reason)), "evaluation")


def _is_refused(result: SpfEvaluation | None) -> bool:
    return result is not None and result.result not in (SpfResult.PASS, SpfResult.TEMPERROR)


async def _helos(sender: Sender, tools: Tools) -> list[Check]:
    asked = [egress for egress in sender.egress if egress.helo and tools.is_seen(egress.ip)]
    return list(await asyncio.gather(*(_helo(egress, tools) for egress in asked)))


_HELO_VERDICTS = {
    SpfResult.PASS: Verdict.PASS,
    SpfResult.NONE: Verdict.PASS,
    SpfResult.NEUTRAL: Verdict.WARN,
    SpfResult.TEMPERROR: Verdict.UNKNOWN,
}


async def _helo(egress: Egress, tools: Tools) -> Check:
    asking = Asking(tools)
    result = await check_host(asking, ip=egress.ip, sender="", helo=egress.helo)
    about = About(id="spf_helo", subject=f"{egress.helo} [{egress.ip}]", evidence=asking.evidence)
    if result.result is SpfResult.NONE:
        return about.passes(f"{egress.helo} has no SPF record of its own, and need not.")
    verdict = _HELO_VERDICTS.get(result.result, Verdict.FAIL)
    text = f"SPF says {result.result} for the EHLO name {egress.helo}: {result.reason}."
    if verdict in (Verdict.PASS, Verdict.UNKNOWN):
        return about.ends(verdict, text)
    return about.ends(verdict, text, wanted(egress.helo, tuple(each.text for each in result.records[:1]), (egress.ip,)))
