"""What to do where SPF, DKIM or DMARC failed: the exact record to publish, and the command that checks it."""

from collections.abc import Iterator

from waybill.explain.authentication import broken_domains, is_settled, listed, moment_of, named_in_reply
from waybill.explain.case import Case
from waybill.explain.commands import account_of, command, see_events
from waybill.explain.record import Remedy, Who
from waybill.explain.said import source_ip
from waybill.model.authentication import (
    Authentication,
    DkimResult,
    DmarcResult,
    SpfEvaluation,
    SpfResult,
)

_MOST_IN_STRING = 255  # octets of a TXT record's string, RFC 1035 §3.3.14
_UNSURE = frozenset({SpfResult.FAIL, SpfResult.SOFTFAIL, SpfResult.NEUTRAL})


def auth_remedies(case: Case) -> tuple[Remedy, ...] | None:
    """What to do by what was seen when the message went out; None where that is not on record."""
    moment = moment_of(case, case.last_attempt)
    if moment is None:
        return None
    found = moment.found
    if broken_domains(case):
        text = "Waybill's own signature did not match what went out. That is a fault of Waybill: report it, with the ledger."
        return (Remedy(who=Who.OPERATOR, text=text, command=see_events(case)),)
    if is_settled(case, moment):
        text = "What was wrong is settled since: send the message again. To be sure, check first:"
        return (Remedy(who=Who.SENDER, text=text, command=command("check", argument=found.dmarc.from_domain)),)
    remedies = [*_dkim(case, found), *_spf(case, found)]
    if not remedies and found.dmarc.result is DmarcResult.FAIL:
        remedies.append(_align(found))
    domain = found.dmarc.from_domain
    check = command("check", argument=domain)
    if remedies:
        return (*remedies, Remedy(who=Who.SENDER, text="Then check it, and send again:", command=check))
    named = listed(named_in_reply(case.last_attempt)) or "authentication"
    text = (
        f"As seen from here {named} did not fail. Check {domain} again: other name servers may answer otherwise than "
        "ours, and something between us and them may change messages."
    )
    return (Remedy(who=Who.SENDER, text=text, command=check),)


def txt_line(name: str, text: str) -> str:
    """A TXT record as a zone file has it, in strings of at most 255 octets."""
    strings = [text[at : at + _MOST_IN_STRING] for at in range(0, len(text), _MOST_IN_STRING)]
    return f"{name}. TXT {' '.join(f'{chr(34)}{each}{chr(34)}' for each in strings)}"


def _dkim(case: Case, found: Authentication) -> Iterator[Remedy]:
    for key in found.dkim:
        if key.result in {DkimResult.PASS, DkimResult.TEMPERROR}:
            continue
        name = f"{key.selector}._domainkey.{key.domain}"
        if key.expected:
            instead = "Replace the record" if key.record is not None else "Publish"
            yield Remedy(who=Who.SENDER, text=f"{instead}:\n{txt_line(name, key.expected)}")
        else:
            text = f"Publish the key that signs at {name}: the identity {key.domain} shows it."
            line = command("identities", "show", argument=key.domain, options=account_of(case))
            yield Remedy(who=Who.SENDER, text=text, command=line)
    if found.dkim:
        return
    domain = found.sending.from_domain
    if case.message.identity is None:
        text = (
            f"Create {domain} as an identity, so that its mail is signed with DKIM, and publish the records it shows."
        )
        line = command("identities", "create", argument=domain, options=account_of(case))
    else:
        text = f"Have mail from {domain} signed with DKIM: see what its identity lacks (a key, or verification)."
        line = command("identities", "show", argument=case.message.identity, options=account_of(case))
    yield Remedy(who=Who.SENDER, text=text, command=line)


def _spf(case: Case, found: Authentication) -> Iterator[Remedy]:
    """The record that lets our address pass. The bounce domain's is the operator's, a custom MAIL FROM domain's the sender's."""
    spf, ip, domain = found.spf, found.sending.source_ip, found.sending.mail_from_domain
    who = Who.SENDER if case.message.mail_from else Who.OPERATOR
    if spf is None:
        shown = source_ip(case)
        address = f"{shown}, which the reply names" if shown not in {None, ip} else "the address that receivers see"
        text = f"SPF could not be told from here: see that {domain}'s record allows {address}."
        if "SPF" in named_in_reply(case.last_attempt):
            yield Remedy(who=who, text=text)
        return
    term = f"ip{6 if ':' in ip else 4}:{ip}"
    if spf.result is SpfResult.NONE:
        yield Remedy(who=who, text=f"Publish:\n{txt_line(domain, f'v=spf1 {term} -all')}")
    elif spf.result in _UNSURE and len(spf.records) > 0:
        yield Remedy(who=who, text=f"Let {ip} pass:\n{txt_line(domain, with_term(spf.records[0].text, term))}")
    elif spf.result is SpfResult.PERMERROR:
        yield Remedy(who=who, text=f"Repair it: {spf.reason}.{_as_it_is(spf)}")


def _as_it_is(spf: SpfEvaluation) -> str:
    return "".join(f"\nnow: {txt_line(record.domain, record.text)}" for record in spf.records[:2])


def with_term(record: str, term: str) -> str:
    """The SPF record with a term where it is evaluated before anything can refuse it: right after the version."""
    version, _, rest = record.partition(" ")
    return f"{version} {term} {rest.strip()}".rstrip()


def _align(found: Authentication) -> Remedy:
    """Something passes, and nothing for the From domain."""
    domain = found.dmarc.from_domain
    strict = found.dmarc.record is not None and "s" in {found.dmarc.record.adkim, found.dmarc.record.aspf}
    very = f" (the very domain: {found.dmarc.record.text})" if strict and found.dmarc.record is not None else ""
    text = (
        f"Let something pass for {domain} itself{very}: sign with DKIM for it, by an identity of that name; or give the "
        f"identity a custom MAIL FROM domain under {domain}."
    )
    return Remedy(who=Who.SENDER, text=text)
