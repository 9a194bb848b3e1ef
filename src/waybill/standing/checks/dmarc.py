"""DMARC: the record that applies to the domain (RFC 9989), its policy, its reports (RFC 9990), and what aligns with From."""

from collections.abc import Sequence
from dataclasses import replace

from waybill.mail.dmarc import Authenticated, Discovery, discover, evaluate
from waybill.mail.dmarc_record import select
from waybill.mail.lookup import LookupFailed
from waybill.model.authentication import Alignment, DmarcPolicy, DmarcRecord, DmarcResult
from waybill.standing.checks.asking import Asking
from waybill.standing.checks.check import About, Check, DnsRecord, Sender, Tools

IDS = ("dmarc_record", "dmarc_policy", "dmarc_reports", "alignment")

_GONE = ("p", "sp", "t", "pct", "rf", "ri")


async def check(sender: Sender, tools: Tools) -> list[Check]:
    """What applies, and what it is worth."""
    asking = Asking(tools)
    try:
        found = await discover(asking, sender.domain)
    except LookupFailed as error:
        text = f"The DMARC record of {sender.domain} could not be looked up: {error}."
        return [About(id=each, subject=sender.domain, evidence=asking.evidence).is_unknown(text) for each in IDS]
    checks = [_check_record(sender, found, asking)]
    if found.record is not None:
        checks.append(_check_policy(sender, found.record, asking))
        checks.append(await _check_reports(sender, found.record, tools))
    return [*checks, await _check_alignment(sender, tools)]


def _agreement(sender: Sender, domain: str) -> tuple[DnsRecord, ...]:
    """The record by which our bounce domain agrees to get the reports, where it belongs to somebody else (RFC 9990 §4)."""
    goal = sender.report_domain
    if f".{goal}".endswith(f".{domain}"):
        return ()
    return (DnsRecord(name=f"{domain}._report._dmarc.{goal}", type="TXT", value="v=DMARC1"),)


def _check_record(sender: Sender, found: Discovery, asking: Asking) -> Check:
    domain, record = sender.domain, found.record
    about = About(id="dmarc_record", subject=domain, evidence=asking.evidence)
    if record is None:
        above = found.organizational_domain
        fresh = DnsRecord(
            name=f"_dmarc.{above}",
            type="TXT",
            value=f"v=DMARC1; p=none; rua=mailto:dmarc-reports@{sender.report_domain}",
            replaces="all that is there" if found.rejected else "",
        )
        text = f"{'; '.join(found.rejected)}." if found.rejected else f"No DMARC record applies to {domain}."
        return about.fails(text, fresh, *_agreement(sender, above))
    where = "" if record.domain == domain else f" (found above it, at {record.domain})"
    text = f"{domain} has “{record.text}”{where}"
    faults = "; ".join((*found.rejected, *record.notes))
    if found.rejected:
        return about.fails(f"{text}, and: {faults}.", remedy="Let one record stand at each name.")
    if faults:
        return about.warns(f"{text}, and: {faults}.", remedy="Correct the record; what is passed over can go.")
    return about.passes(f"{text}.")


def _check_policy(sender: Sender, record: DmarcRecord, asking: Asking) -> Check:
    about = About(id="dmarc_policy", subject=sender.domain, evidence=asking.evidence)
    inherited = record.domain != sender.domain and record.subdomain_policy is not None
    policy = record.subdomain_policy if inherited else record.policy
    tag = f"{'sp' if inherited else 'p'}={policy}"
    if policy is not DmarcPolicy.NONE and not record.testing:
        return about.passes(f"Receivers are asked to {policy} mail that fails ({tag}).")
    weak = f"{tag} asks receivers to do nothing with mail that fails"
    if record.testing:
        weak = f"{tag} with t=y asks receivers to do one level less than it says"
    tags = [part.strip() for part in record.text.split(";") if part.strip()]
    kept = [each for each in tags[1:] if each.partition("=")[0].strip().lower() not in _GONE]
    value = "; ".join(("v=DMARC1", "p=quarantine", *kept))
    return about.warns(
        f"The policy {weak}: anybody can send in the name of {sender.domain}.",
        DnsRecord(name=f"_dmarc.{record.domain}", type="TXT", value=value, replaces=record.text),
        remedy="Publish this once the reports (waybill reports dmarc) show that all mail of your own passes; "
        "any earlier, it loses mail.",
    )


async def _check_reports(sender: Sender, record: DmarcRecord, tools: Tools) -> Check:
    """RFC 9990 §4: whoever gets the reports of another organization's domain has to agree."""
    asking = Asking(tools)
    lacking: list[DnsRecord] = []
    failed = ""
    try:
        own = (await discover(asking, record.domain)).organizational_domain
        for goal in _mail_domains(record.rua):
            name = f"{record.domain}._report._dmarc.{goal}"
            foreign = (await discover(asking, goal)).organizational_domain != own
            if foreign and not select(await asking.txt(name)):
                lacking.append(DnsRecord(name=name, type="TXT", value="v=DMARC1"))
    except LookupFailed as error:
        failed = str(error)
    about = About(id="dmarc_reports", subject=sender.domain, evidence=asking.evidence)
    if failed:
        return about.is_unknown(f"Whether those who get the reports agree to it could not be looked up: {failed}.")
    if not record.rua:
        value = f"{record.text.rstrip('; ')}; rua=mailto:dmarc-reports@{sender.report_domain}"
        fresh = DnsRecord(name=f"_dmarc.{record.domain}", type="TXT", value=value, replaces=record.text)
        text = f"{record.domain} asks for no aggregate reports (rua): nobody tells you of mail that fails."
        return about.warns(text, fresh, *_agreement(sender, record.domain))
    if lacking:
        goal = lacking[0].name.partition("._report._dmarc.")[2]
        return about.fails(
            f"Reports are asked for at {goal}, which does not say that it wants them: no receiver sends them there.",
            *lacking,
            remedy=f"This belongs into the DNS of {goal}.",
        )
    return about.passes(f"Aggregate reports go to {', '.join(record.rua)}.")


def _mail_domains(uris: tuple[str, ...]) -> tuple[str, ...]:
    goals = (uri.partition("!")[0].rpartition("@")[2].lower() for uri in uris if uri.lower().startswith("mailto:"))
    return tuple(dict.fromkeys(goal for goal in goals if goal))


async def _check_alignment(sender: Sender, tools: Tools) -> Check:
    """RFC 9989 §4.4: whether SPF and DKIM, where they pass, can count. Whether they pass is for the other checks to say."""
    domain = sender.domain
    asking = Asking(tools)
    passing = [Authenticated(mechanism="spf", domain=sender.mail_from, result="pass")]
    if sender.keys:
        selector = sender.keys[0].selector
        passing.append(Authenticated(mechanism="dkim", domain=sender.signs_for, result="pass", selector=selector))
    found = await evaluate(asking, domain, passing)
    about = About(id="alignment", subject=domain, evidence=asking.evidence)
    if found.result is DmarcResult.TEMPERROR:
        return about.is_unknown(f"{found.reason}.")
    seen = found.alignments if found.record is not None else _once_published(found.alignments, domain)
    spf, dkim = seen[0], seen[1] if sender.keys else None
    told = f"{_words('SPF is for', spf)}; {_words('DKIM signs for', dkim) if dkim else 'no DKIM key of ours is known'}."
    by_dkim = dkim is not None and dkim.aligned
    if spf.aligned and by_dkim:
        return about.passes(told)
    own = domain if spf.strict else f"bounce.{domain}"
    remedy = f"Give the identity a return path of its own, such as {own} (PutEmailIdentityMailFromAttributes)."
    command = ""
    if spf.aligned:
        verb = "show" if sender.identity == domain else "create"
        remedy, command = "Sign with a key of the domain.", f"waybill identities {verb} {domain}"
    if spf.aligned or by_dkim:
        told = f"{told} One of the two is enough; with both, one may break."
        return about.warns(told, remedy=remedy, command=command)
    return about.fails(f"{told} Nothing speaks for the From domain: DMARC cannot pass.", remedy=remedy, command=command)


def _once_published(alignments: Sequence[Alignment], domain: str) -> tuple[Alignment, ...]:
    """What aligns once the domain has a DMARC record; without one each domain stands for itself alone."""
    return tuple(replace(each, aligned=f".{each.domain}".endswith(f".{domain}")) for each in alignments)


def _words(what: str, each: Alignment) -> str:
    strict = " (strict alignment is asked for)" if each.strict and not each.aligned else ""
    return f"{what} {each.domain}, which is {'' if each.aligned else 'not '}aligned{strict}"
