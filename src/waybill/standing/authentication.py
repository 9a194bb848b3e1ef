"""What SPF, DKIM and DMARC look like from outside for mail that is sent here: looked at beside the sending, and kept."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeAlias

import msgspec

from waybill.mail.dkim import dns_record
from waybill.mail.dkim_key_record import DkimKeyRecordError, parse_key_record
from waybill.mail.dmarc import Authenticated, evaluate
from waybill.mail.lookup import LookupFailed, Lookups
from waybill.mail.spf import check_host
from waybill.model.authentication import (
    Authentication,
    DkimKeySeen,
    DkimResult,
    DmarcEvaluation,
    DmarcPolicy,
    DmarcResult,
    Sending,
    SpfEvaluation,
)
from waybill.model.resource import DkimKey

FindKey: TypeAlias = Callable[[str, str, str], Awaitable[DkimKey | None]]
"""The key that an account signs with for a domain and a selector; None where it is no longer there."""

UNKNOWN = "unknown"
"""The result of SPF where it cannot be told from here."""


def sending_id(sending: Sending) -> str:
    """The name of a Sending in attempts and in the store."""
    return hashlib.sha256(msgspec.json.encode(sending)).hexdigest()[:16]


async def look(sending: Sending, lookups: Lookups, find_key: FindKey) -> Authentication:
    """What a receiver finds that asks the DNS now. Never raises for what the DNS says."""
    unknown = _spf_unknown(sending)
    spf: SpfEvaluation | None = None
    if unknown is None:
        sender = f"postmaster@{sending.mail_from_domain}"
        spf = await check_host(lookups, ip=sending.source_ip, sender=sender, helo=sending.helo)
    dkim = tuple(
        [
            await _look_at_key(lookups, domain, selector, await find_key(sending.account, domain, selector))
            for domain, selector in sending.signatures
        ]
    )
    authenticated = [
        Authenticated(
            mechanism="spf", domain=sending.mail_from_domain, result=UNKNOWN if spf is None else spf.result.value
        ),
        *(
            Authenticated(mechanism="dkim", domain=key.domain, result=key.result.value, selector=key.selector)
            for key in dkim
        ),
    ]
    dmarc = _without_guess(await evaluate(lookups, sending.from_domain, authenticated))
    return Authentication(sending=sending, spf=spf, spf_unknown=unknown, dkim=dkim, dmarc=dmarc)


def _spf_unknown(sending: Sending) -> str | None:
    if sending.via:
        return (
            f"mail leaves by the relay {sending.via}, and receivers check the relay's address, which is not known here"
        )
    if sending.translated:
        return f"mail leaves from {sending.source_ip}, a private address, and receivers see another one"
    return None


async def _look_at_key(lookups: Lookups, domain: str, selector: str, key: DkimKey | None) -> DkimKeySeen:
    """Whether the key that signs is the one that is published."""
    name = f"{selector}._domainkey.{domain}"
    expected = "" if key is None else dns_record(key.algorithm, key.public)
    seen = DkimKeySeen(
        domain=domain,
        selector=selector,
        result=DkimResult.PERMERROR,
        reason=f"no key is published at {name}",
        expected=expected,
    )
    try:
        records = await lookups.txt(name)
    except LookupFailed as error:
        reason = f"the key at {name} could not be looked up: {error}"
        return replace(seen, result=DkimResult.TEMPERROR, reason=reason)
    for record in records:
        seen = replace(seen, record=record)
        try:
            published = parse_key_record(record)
        except DkimKeyRecordError as error:
            seen = replace(seen, result=DkimResult.PERMERROR, reason=f"at {name}, {error}")
            continue
        if key is None or published.public == key.public:
            tested = "; the domain says that it only tests DKIM (t=y)" if published.testing else ""
            return replace(seen, result=DkimResult.PASS, reason=f"the key is published at {name}{tested}")
        reason = f"another key is published at {name} than the one that signs"
        seen = replace(seen, result=DkimResult.FAIL, reason=reason)
    return seen


def _without_guess(dmarc: DmarcEvaluation) -> DmarcEvaluation:
    """DMARC does not fail for certain where an SPF result that is not known could make it pass."""
    if dmarc.result is not DmarcResult.FAIL:
        return dmarc
    if not any(each.aligned and each.result == UNKNOWN for each in dmarc.alignments):
        return dmarc
    return replace(dmarc, result=DmarcResult.UNKNOWN, disposition=DmarcPolicy.NONE)
