"""Whether postmaster@ and abuse@ the domain take mail, asked with RCPT alone."""

from waybill.model.outcome import Reply
from waybill.standing.checks.check import About, Check, Sender, Tools
from waybill.standing.checks.server_tls import nobody, not_met
from waybill.standing.checks.visit import ROLES, Call, Visiting

IDS = ROLES


async def check(sender: Sender, tools: Tools, visiting: Visiting) -> list[Check]:
    """One check for each address, at the first server that was there."""
    visit = await visiting()
    named = [(role, f"{role}@{sender.domain}") for role in ROLES]
    if not visit.calls:
        return [nobody(role, address, visit) for role, address in named]
    if not visit.met:
        return [not_met(role, address, visit.calls[0], tools) for role, address in named]
    return [_judge(role, address, visit.met[0], tools) for role, address in named]


def _judge(role: str, address: str, call: Call, tools: Tools) -> Check:
    host, talk = call.host.name, call.conversation
    about = About(id=role, subject=address, evidence=call.evidence(tools))
    reply = talk.reply_to(address) or talk.sender_refused
    if reply is None:
        return about.is_unknown(f"{host} did not get as far as answering about {address}: {talk.trouble}.")
    words = f"“{reply.text}”"
    if reply.code // 100 == 2:
        return about.passes(f"{host} takes mail for {address}: {words}.")
    if reply.code // 100 == 4:
        return about.is_unknown(f"{host} asks to come again before it says anything about {address}: {words}.")
    if talk.sender_refused is not None or _is_about_us(reply):
        return about.is_unknown(f"{host} refuses to talk with us, so {address} could not be asked about: {words}.")
    text, remedy = f"{host} refuses mail for {address}: {words}.", f"Make {address} a mailbox that somebody reads."
    return about.fails(text, remedy=remedy)


def _is_about_us(reply: Reply) -> bool:
    """Whether it is a policy that speaks (RFC 3463 §3.8), and not the lack of a mailbox."""
    return (reply.enhanced or "").startswith("5.7.")
