"""TLS at the domain's own servers: STARTTLS, its version and certificate, and the TLSA records that promise one (DANE)."""

from waybill.standing.checks.check import About, Check, Sender, Tools, unanswered
from waybill.standing.checks.visit import Call, Visit, Visiting

IDS = ("starttls", "dane")


async def check(sender: Sender, tools: Tools, visiting: Visiting) -> list[Check]:
    """Two checks for each server."""
    visit = await visiting()
    if not visit.calls:
        return [nobody(each, sender.domain, visit) for each in IDS]
    return [check for call in visit.calls for check in (_starttls(call, tools), _dane(call, tools))]


def nobody(check_id: str, subject: str, visit: Visit) -> Check:
    """There is no server to look at."""
    servers = visit.servers
    why = servers.fault or servers.unknown or "; ".join(host.fault for host in servers.hosts)
    about = About(id=check_id, subject=subject, evidence=servers.evidence)
    return about.is_unknown(f"{servers.domain} has no server that could be asked: {why}.")


def not_met(check_id: str, subject: str, call: Call, tools: Tools) -> Check:
    """The server could not be talked to."""
    return About(id=check_id, subject=subject, evidence=call.evidence(tools)).is_unknown(
        f"{call.host.name} could not be talked to from here: {call.conversation.trouble}.",
        remedy=f"Look whether this machine may connect to port {tools.port} at all: many providers block it.",
    )


def _starttls(call: Call, tools: Tools) -> Check:
    host, talk = call.host.name, call.conversation
    if not talk.met:
        return not_met("starttls", host, call, tools)
    about = About(id="starttls", subject=host, evidence=call.evidence(tools))
    if talk.tls is None:
        remedy = f"Give {host} a certificate, and TLS 1.2 or later."
        if talk.offers_tls:
            return about.fails(f"{host} offers STARTTLS, and it does not work: {talk.trouble}.", remedy=remedy)
        return about.warns(f"{host} offers no TLS.", remedy=remedy)
    version = talk.tls.version.replace("TLSv", "TLS ")
    if not talk.tls.verified:
        return about.warns(
            f"{host} offers {version}; its certificate is not verified: {talk.tls.why_not_verified}.",
            remedy=f"Give {host} a certificate of a public authority for its name; MTA-STS needs it.",
        )
    return about.passes(f"{host} offers {version} with a verified certificate.")


def _dane(call: Call, tools: Tools) -> Check:
    host, tlsa, talk = call.host.name, call.tlsa, call.conversation
    if not tlsa.status.definite:
        return unanswered("dane", host, tlsa, tools)
    about = About(id="dane", subject=host, evidence=(tools.said(tlsa), *call.evidence(tools)))
    if not tlsa.records:
        return about.passes(f"{host} has no TLSA record: DANE is not used, and need not be.")
    signed = "" if tlsa.authenticated else " Whether the zone is signed cannot be seen through this resolver."
    if not call.usable:
        text = f"None of the TLSA records of {host} can be used for mail: {', '.join(tlsa.records)}.{signed}"
        remedy = "Publish 3 1 1 records, the SHA-256 digest of the server's key (RFC 7672 §3.1.1)."
        return about.fails(text, remedy=remedy)
    if not talk.met:
        return not_met("dane", host, call, tools)
    if talk.dane is not None and talk.dane.record is not None:
        return about.passes(f"{host} shows what its TLSA record {talk.dane.record} promises.{signed}")
    why = talk.dane.why_not if talk.dane is not None else "it offers no TLS that works"
    return about.fails(
        f"{host} does not show what its TLSA records promise: {why}.{signed}",
        remedy="Publish the record of a new certificate's key before the certificate is changed, and keep both for a while.",
    )
