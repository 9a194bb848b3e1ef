"""What the domain tells those who send to it about TLS: its MTA-STS policy (RFC 8461), and where TLS reports go (RFC 8460)."""

import re

from waybill.model.resource import MtaStsPolicy
from waybill.net.mta_sts import WELL_KNOWN, parse_record
from waybill.net.resolver import Answer
from waybill.standing.checks.check import About, Check, DnsRecord, Sender, Tools, Verdict, unanswered
from waybill.standing.checks.visit import Visiting

_STS = re.compile(r"v=STSv1[ \t]*;")
_RPT = re.compile(r"v=TLSRPTv1[ \t]*;")
_GOAL = re.compile(r"(?:mailto:[^\s,;@]+@[^\s,;]+|https://[^\s,;]+)")


async def check_policy(sender: Sender, tools: Tools, visiting: Visiting) -> list[Check]:
    """The MTA-STS policy, fetched now and held against the servers."""
    record = await tools.resolver.txt(f"_mta-sts.{sender.domain}")
    return [await _sts(sender.domain, record, tools, visiting)]


async def check_reports(sender: Sender, tools: Tools) -> list[Check]:
    """Where TLS reports go; they matter to a domain that has a policy."""
    policy = await tools.resolver.txt(f"_mta-sts.{sender.domain}")
    answer = await tools.resolver.txt(f"_smtp._tls.{sender.domain}")
    return [_reports(sender, answer, tools, wanted=any(_STS.match(text) for text in policy.records))]


async def _sts(domain: str, record: Answer, tools: Tools, visiting: Visiting) -> Check:
    if not record.status.definite:
        return unanswered("mta_sts", domain, record, tools)
    about = About(id="mta_sts", subject=domain, evidence=(tools.said(record),))
    ours = [text for text in record.records if _STS.match(text)]
    if not ours:
        return about.passes(f"{domain} has no MTA-STS policy, and need not have one.")
    policy_id = parse_record(record.records)
    if policy_id is None:
        fault = "its id is not 1 to 32 letters and digits"
        if len(ours) > 1:
            fault = f"there are {len(ours)} records, and senders take none of them"
        value = f"v=STSv1; id={tools.clock() // 1000}"
        fresh = DnsRecord(name=record.name, type="TXT", value=value, replaces=" | ".join(ours))
        return about.fails(f"The MTA-STS record at {record.name} counts for nothing: {fault}.", fresh)
    url = f"https://mta-sts.{domain}{WELL_KNOWN}"
    fetched = await tools.policies.fetch(domain, policy_id)
    policy = fetched.policy
    said = (
        fetched.fault
        if policy is None
        else f"mode: {policy.mode}, mx: {', '.join(policy.mx)}, max_age: {policy.max_age}"
    )
    about = About(id=about.id, subject=domain, evidence=(*about.evidence, tools.heard(url, said, "https")))
    if policy is None:
        return about.fails(
            f"{domain} announces an MTA-STS policy that could not be fetched: {fetched.fault}.",
            remedy=f"Serve it at {url} with a verified certificate and the type text/plain, "
            f"or take the record {record.name} away.",
        )
    if policy.mode == "none":
        return about.passes(f"The MTA-STS policy of {domain} says none: it asks for nothing.")
    return await _hold_against(policy, about, visiting)


async def _hold_against(policy: MtaStsPolicy, about: About, visiting: Visiting) -> Check:
    """The policy beside the servers that the domain has."""
    visit = await visiting()
    testing = policy.mode == "testing"
    broken = Verdict.WARN if testing else Verdict.FAIL
    strangers = [host.name for host in visit.servers.hosts if not policy.lists(host.name)]
    if strangers:
        meaning = "testing: senders only report it" if testing else "enforce: careful senders do not deliver there"
        text = f"The MTA-STS policy does not list {', '.join(strangers)}, and its mode is {meaning}."
        return about.ends(
            broken, text, remedy=f"Add “mx: {strangers[0]}” to the policy, and change the id in the record."
        )
    for call in visit.met:
        tls = call.conversation.tls
        if tls is None or not tls.verified:
            why = f"its certificate is not verified: {tls.why_not_verified}" if tls else "it offers no TLS that works"
            text = f"The MTA-STS policy promises verified TLS, and {call.host.name} does not keep that: {why}."
            return about.ends(broken, text, remedy=f"Correct the TLS of {call.host.name}.")
    if testing:
        text = "The MTA-STS policy fits the servers. It is in mode testing: nobody is held to it yet."
        return about.passes(
            text, remedy="Once the TLS reports are clean, change mode to enforce, and the id in the record."
        )
    unseen = "" if len(visit.met) == len(visit.calls) else " Not every server could be talked to from here."
    return about.passes(f"The MTA-STS policy (enforce) fits the servers.{unseen}")


def _reports(sender: Sender, answer: Answer, tools: Tools, *, wanted: bool) -> Check:
    domain = sender.domain
    if not answer.status.definite:
        return unanswered("tls_rpt", domain, answer, tools)
    about = About(id="tls_rpt", subject=domain, evidence=(tools.said(answer),))
    ours = [text for text in answer.records if _RPT.match(text)]
    value = f"v=TLSRPTv1; rua=mailto:tls-reports@{sender.report_domain}"
    fresh = DnsRecord(name=answer.name, type="TXT", value=value, replaces=" | ".join(ours))
    if not ours and wanted:
        return about.warns(f"{domain} has an MTA-STS policy, and asks for no reports on how it works.", fresh)
    if not ours:
        return about.passes(f"{domain} asks for no TLS reports, and need not.")
    goals = next((part.strip()[4:] for part in ours[0].split(";") if part.strip().startswith("rua=")), "")
    if len(ours) > 1 or not all(_GOAL.fullmatch(each.strip()) for each in goals.split(",")):
        fault = f"there are {len(ours)} records" if len(ours) > 1 else "it names no mailto: or https: address (rua)"
        return about.fails(f"The record at {answer.name} counts for nothing: {fault}.", fresh)
    return about.passes(f"TLS reports go to {goals}.")
