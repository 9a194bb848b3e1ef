"""A walk to the recipient's server, now: MX, MTA-STS, then each MX host of the best preference up to RCPT. Never DATA."""

import asyncio

from waybill.model.outcome import Stage
from waybill.model.probe import Probed, ProbedHost, ProbeStep, Step
from waybill.model.resource import MtaStsPolicy
from waybill.net.mta_sts import parse_record
from waybill.net.resolver import AnswerStatus, MxHost
from waybill.standing.probe_errand import Errand as Errand
from waybill.standing.probe_errand import Means as Means
from waybill.standing.probe_errand import Relay as Relay
from waybill.standing.probe_log import Told, WalkLog
from waybill.standing.probe_talk import NOT_OFFERED
from waybill.standing.probe_visit import visit

MOST_HOSTS = 3


def tell_nobody(step: ProbeStep) -> None:
    """Nobody watches."""


async def probe(errand: Errand, means: Means, told: Told = tell_nobody) -> Probed:
    """The walk, however far it came. ``told`` hears of each stage when it is over."""
    log = WalkLog(clock=means.clock, told=told)
    started_at = means.clock()
    deadline = asyncio.get_running_loop().time() + means.seconds
    remarks: list[str] = []
    mx: tuple[MxHost, ...] = ()
    hosts: list[ProbedHost] = []
    try:
        async with asyncio.timeout_at(deadline):
            mx, best, port = await _find_hosts(errand, means, log)
    except TimeoutError:
        best, port = (), errand.port
        remarks.append(f"The DNS took more than the {means.seconds:g} s that a walk may last")
    if len(best) > MOST_HOSTS:
        remarks.append(f"{len(best)} hosts have the best preference; {MOST_HOSTS} of them were walked to")
    walks = (visit(host, port, errand, means, log, deadline) for host in best[:MOST_HOSTS])
    hosts.extend(await asyncio.gather(*walks))
    remarks += _remarks(errand, hosts)
    return Probed(
        started_at=started_at,
        ended_at=means.clock(),
        helo=errand.helo,
        mail_from=errand.mail_from,
        mx=tuple(f"{each.preference} {each.host}" for each in mx),
        steps=log.in_order(best),
        hosts=tuple(hosts),
        remarks=tuple(remarks),
    )


async def _find_hosts(errand: Errand, means: Means, log: WalkLog) -> tuple[tuple[MxHost, ...], tuple[str, ...], int]:
    """All MX hosts, those of the best preference, and the port to knock at."""
    if errand.relay is not None:
        relay = errand.relay
        log.add(Step.MX, means.clock(), ok=True, text=f"not asked: all mail goes to the relay {relay.host}")
        return (), (relay.host,), relay.port
    began = means.clock()
    answer = await means.resolver.mx(errand.domain)
    hosts = tuple(each for each in answer.hosts if each.host)
    implicit = answer.status is AnswerStatus.NODATA
    text = answer.text
    if implicit:  # RFC 5321 §5.1
        hosts, text = (MxHost(preference=0, host=errand.domain),), f"{text}, so the domain itself is the host"
    elif answer.status is AnswerStatus.OK and not hosts:
        text = f"{text}: a null MX, the domain takes no mail (RFC 7505)"
    log.add(Step.MX, began, ok=bool(hosts), text=text)
    if not hosts:
        return (), (), errand.port
    best = tuple(each.host for each in hosts if each.preference == hosts[0].preference)
    await _ask_mta_sts(errand, means, log, best)
    return (() if implicit else hosts), best, errand.port


async def _ask_mta_sts(errand: Errand, means: Means, log: WalkLog, best: tuple[str, ...]) -> None:
    """The domain's MTA-STS policy (RFC 8461), as far as it can be had."""
    if means.fetch is None:
        return
    began = means.clock()
    answer = await means.resolver.txt(f"_mta-sts.{errand.domain}")
    policy_id = parse_record(answer.records)
    if policy_id is None:
        text = "no policy" if answer.status.definite else answer.text
        log.add(Step.MTA_STS, began, ok=answer.status.definite, text=text)
        return
    fetched = await means.fetch(errand.domain, policy_id)
    if fetched.policy is None:
        text = f"a policy (id {policy_id}) is announced and cannot be had: {fetched.fault}"
        log.add(Step.MTA_STS, began, ok=False, text=text)
        return
    missed = [host for host in best if not fetched.policy.lists(host)]
    log.add(
        Step.MTA_STS,
        began,
        ok=not missed or fetched.policy.mode != "enforce",
        text=_policy_words(fetched.policy, missed),
    )


def _policy_words(policy: MtaStsPolicy, missed: list[str]) -> str:
    said = f"policy {policy.id}, mode {policy.mode}"
    if policy.mode == "none":
        return said
    said += f", allows {', '.join(policy.mx[:10])}"
    if not missed:
        return said
    then = "mail does not go there" if policy.mode == "enforce" else "in mode enforce no mail would go there"
    return f"{said}; not among them: {', '.join(missed)}, and {then}"


def _remarks(errand: Errand, hosts: list[ProbedHost]) -> list[str]:
    """What was not as it would be, or was, for a message."""
    found = []
    if errand.relay is not None:
        found.append(
            f"All mail goes to the relay {errand.relay.host}: what {errand.domain} itself says, only its logs tell"
        )
    wanted = errand.source_ip
    others = {host.source_ip for host in hosts if host.source_ip is not None and host.source_ip != wanted}
    if wanted is not None and others:
        from_where = " and ".join(sorted(others))
        found.append(
            f"Walked from {from_where}, since {wanted} cannot be used now: what depends on our address may differ"
        )
    found.extend(
        f"{host.host} was spoken to in clear: {host.clear_because}"
        for host in hosts
        if host.clear_because not in (None, NOT_OFFERED) and host.stage in (Stage.MAIL, Stage.RCPT)
    )
    return found
