"""BIMI: the logo that some receivers show, where the domain publishes one."""

import re

from waybill.mail.dmarc import discover
from waybill.mail.lookup import LookupFailed
from waybill.model.authentication import DmarcPolicy
from waybill.standing.checks.asking import Asking
from waybill.standing.checks.check import About, Check, DnsRecord, Sender, Tools, unanswered

IDS = ("bimi",)

_BIMI = re.compile(r"v=BIMI1[ \t]*(?:;|\Z)", re.IGNORECASE)


async def check(sender: Sender, tools: Tools) -> list[Check]:
    """The record of the selector ``default``; to have none is well, too."""
    domain, name = sender.domain, f"default._bimi.{sender.domain}"
    answer = await tools.resolver.txt(name)
    if not answer.status.definite:
        return [unanswered("bimi", domain, answer, tools)]
    about = About(id="bimi", subject=domain, evidence=(tools.said(answer),))
    ours = [text for text in answer.records if _BIMI.match(text)]
    if not ours:
        return [about.passes(f"{domain} shows no logo (no BIMI record), and need not.")]
    fault = f"there are {len(ours)} records" if len(ours) > 1 else _fault(ours[0])
    if fault:
        value = f"v=BIMI1; l=https://{domain}/logo.svg; a="
        fresh = DnsRecord(name=name, type="TXT", value=value, replaces=" | ".join(ours))
        return [about.fails(f"The BIMI record at {name} counts for nothing: {fault}.", fresh)]
    asking = Asking(tools)
    failed = ""
    record = None
    try:
        record = (await discover(asking, domain)).record
    except LookupFailed as error:
        failed = str(error)
    about = About(id="bimi", subject=domain, evidence=(*about.evidence, *asking.evidence))
    if failed:
        return [
            about.is_unknown(f"{domain} has a logo; whether its DMARC policy lets it be shown is not known: {failed}.")
        ]
    if record is None or record.policy is DmarcPolicy.NONE or record.testing:
        return [about.warns(f"{domain} has a logo that nobody shows: its DMARC policy is not quarantine or reject.")]
    return [about.passes(f"{domain} has a BIMI record, and the DMARC policy that it needs.")]


def _fault(text: str) -> str:
    tags = {name.strip().lower(): value.strip() for name, _, value in (part.partition("=") for part in text.split(";"))}
    logo, proof = tags.get("l", ""), tags.get("a", "")
    if not logo and not proof and "l" in tags:
        return ""  # the domain declines to have a logo
    if not logo.startswith("https://") or not logo.lower().partition("?")[0].endswith((".svg", ".svgz")):
        return f"l={logo} is no https address of an SVG image"
    if proof and not proof.startswith("https://"):
        return f"a={proof} is no https address of a certificate"
    return ""
