"""Whether bounces come home: the MX of the return path's domain leads to our inbound door."""

from waybill.standing.checks.check import About, Check, DnsRecord, Sender, Tools, Verdict
from waybill.standing.checks.conversation import Conversation, converse
from waybill.standing.checks.mx import Servers, find_servers, judge

IDS = ("mail_from",)

MAILBOX = "dmarc-reports"
"""A local part that our inbound door takes mail for, and no other server that does not take everything."""


async def check(sender: Sender, tools: Tools) -> list[Check]:
    """The MX, and at its server whether it is us who answers."""
    servers = await find_servers(sender.mail_from, tools)
    about = About(id="mail_from", subject=sender.mail_from, evidence=servers.evidence)
    if not sender.bounce_domain and sender.identity:
        text = f"The return path is in {sender.mail_from}, which nobody outside can reach: bounces get lost, and SPF cannot pass."
        remedy = "Set inbound.bounce_domain to a domain of your own such as bounce.example.com, whose MX leads to this machine."
        return [about.fails(text, remedy=remedy)]
    verdict, text, remedy = judge(servers)
    if verdict is Verdict.FAIL:
        records = await _records(sender, servers, tools)
        return [about.fails(text, *records, remedy="" if records else remedy)]
    if verdict is Verdict.UNKNOWN or not sender.bounce_domain:
        return [about.ends(verdict, text, remedy=remedy)]
    return [await _leads_home(sender, servers, tools)]


async def _home(sender: Sender, tools: Tools) -> tuple[str, ...]:
    """The hosts that mail to our bounce domain goes to."""
    mx = await tools.resolver.mx(sender.bounce_domain)
    return tuple(host.host for host in mx.hosts if host.host)


async def _records(sender: Sender, servers: Servers, tools: Tools) -> tuple[DnsRecord, ...]:
    """The MX to publish; none where the name of our inbound door is not known."""
    home = await _home(sender, tools) if sender.bounce_domain not in ("", servers.domain) else ()
    named = (*home, *(egress.helo for egress in sender.egress))
    if not named or not sender.bounce_domain:
        return ()
    replaces = ", ".join(each.name for each in servers.hosts) or ("the null MX" if servers.null else "")
    return (DnsRecord(name=servers.domain, type="MX", value=f"10 {named[0]}.", replaces=replaces),)


async def _leads_home(sender: Sender, servers: Servers, tools: Tools) -> Check:
    domain, names = servers.domain, [host.name for host in servers.usable]
    home = await _home(sender, tools) if domain != sender.bounce_domain else tuple(names)
    if not set(names) & {*home, sender.bounce_domain}:
        text = f"The MX of {domain} is {', '.join(names)}, and our bounces come in at {', '.join(home) or sender.bounce_domain}."
        about = About(id="mail_from", subject=domain, evidence=servers.evidence)
        return about.fails(text, *await _records(sender, servers, tools))
    host = servers.usable[0]
    address = f"{MAILBOX}@{sender.bounce_domain}"
    talk = await converse(host.name, host.ips[0], (address,), tools)
    heard = tools.heard(f"{host.name} [{talk.ip}]:{tools.port}", "\n".join(talk.lines) or talk.trouble)
    return _judge(talk, address, tools, About(id="mail_from", subject=domain, evidence=(*servers.evidence, heard)))


def _judge(talk: Conversation, address: str, tools: Tools, about: About) -> Check:
    where = f"{talk.host} [{talk.ip}]"
    remedy = "Let port 25 of that address lead to inbound.listen, and the service run."
    reply = talk.reply_to(address) or talk.sender_refused
    if talk.refused_connection:
        text = f"Nobody listens at {where} port {tools.port}, where bounces are to come in."
        return about.fails(text, remedy=remedy)
    if reply is None:
        return about.is_unknown(
            f"The MX is right; {where} could not be asked from here: {talk.trouble}.", remedy=remedy
        )
    if reply.code // 100 == 2:
        return about.passes(f"Bounces go to {where}, which takes mail for {address}.")
    if reply.code // 100 == 4:
        return about.is_unknown(f"The MX is right; {where} asks to come again later: “{reply.text}”.")
    text = f"{where} does not take mail for {address}, as our inbound door would: “{reply.text}”."
    return about.fails(text, remedy=f"Another mail server answers there. {remedy}")
