"""The DKIM keys of the domain as DNS shows them, held against those that we sign with."""

import asyncio

from waybill.mail.dkim import RSA, RSA_BITS, dns_record
from waybill.mail.dkim_key_record import DkimKeyRecordError, KeyRecord, parse_key_record
from waybill.net.resolver import Answer
from waybill.standing.checks.check import About, Check, DnsRecord, Evidence, SelectedKey, Sender, Tools, unanswered

IDS = ("dkim_key", "dkim_strength")


async def check(sender: Sender, tools: Tools) -> list[Check]:
    """One check for each key, and one for what the good ones are worth together."""
    if not sender.keys:
        return [_no_key(sender, tools)]
    names = [f"{key.selector}._domainkey.{sender.signs_for}" for key in sender.keys]
    answers = await asyncio.gather(*map(tools.resolver.txt, names))
    found = [_check_key(key, answer, tools) for key, answer in zip(sender.keys, answers, strict=True)]
    checks = [check for check, _ in found]
    good = {key.selector: record for key, (_, record) in zip(sender.keys, found, strict=True) if record is not None}
    if good:
        evidence = tuple(said for checked in checks for said in checked.evidence)
        checks.append(_check_strength(sender.signs_for, good, evidence))
    return checks


def _no_key(sender: Sender, tools: Tools) -> Check:
    domain, identity = sender.domain, sender.identity
    if identity:
        evidence = (tools.heard(f"identity {identity}", sender.unsigned, "ledger"),)
        return About(id="dkim_key", subject=identity, evidence=evidence).fails(
            f"Mail from {domain} is not signed: {sender.unsigned}.",
            remedy="Look at the identity; a key that is lacking is made by waybill identities add-key.",
            command=f"waybill identities show {identity}",
        )
    return About(id="dkim_key", subject=domain).is_unknown(
        f"{domain} is no identity here, and a DKIM key cannot be found without its selector.",
        remedy="Name the selector (the s= of a DKIM-Signature) with --selector, or make the domain an identity.",
        command=f"waybill identities create {domain}",
    )


def _check_key(key: SelectedKey, answer: Answer, tools: Tools) -> tuple[Check, KeyRecord | None]:
    name = answer.name
    if not answer.status.definite:
        return unanswered("dkim_key", name, answer, tools), None
    about = About(id="dkim_key", subject=name, evidence=(tools.said(answer),))
    text, record = _judge(key, answer)
    fresh: tuple[DnsRecord, ...] = ()
    remedy = "Publish the record that your sending service shows for this selector."
    if key.public is not None:
        value = dns_record(key.algorithm or RSA, key.public)
        fresh, remedy = (DnsRecord(name=name, type="TXT", value=value, replaces=" | ".join(answer.records)),), ""
    if record is None:
        return about.fails(text, *fresh, remedy=remedy), None
    if record.testing:
        text = f"{text} It says t=y, “only testing”: receivers may pass over what it signs."
        return about.warns(text, *fresh, remedy="Publish it without t=y."), record
    return about.passes(text), record


def _judge(key: SelectedKey, answer: Answer) -> tuple[str, KeyRecord | None]:
    """What is to be said of the records at a key's name, and the key where it is good."""
    name, count = answer.name, len(answer.records)
    if not count:
        return f"Nothing is published at {name}.", None
    if count > 1:
        return f"{count} records are published at {name}, and receivers may take any; there must be one.", None
    try:
        record = parse_key_record(answer.records[0])
    except DkimKeyRecordError as error:
        return f"What is published at {name} cannot be used: {error}.", None
    if key.public is not None and record.public != key.public:
        return f"The key at {name} is not the one that we sign with: no signature of ours can be checked.", None
    return f"{name} has {'our' if key.public is not None else 'a'} key, {_kind(record)}.", record


def _kind(record: KeyRecord) -> str:
    return f"RSA with {record.bits} bits" if record.bits else "Ed25519"


def _check_strength(domain: str, good: dict[str, KeyRecord], evidence: tuple[Evidence, ...]) -> Check:
    about = About(id="dkim_strength", subject=domain, evidence=evidence)
    for selector, record in good.items():
        if record.bits is not None and record.bits < RSA_BITS:
            return about.warns(
                f"The key of the selector {selector} has {record.bits} bits; {RSA_BITS} are expected.",
                remedy=f"Make a new one, publish it, and then take the old one away: "
                f"waybill identities remove-key {domain} {selector}",
                command=_add_key(domain),
            )
    if not any(record.bits for record in good.values()):
        return about.fails(
            "There is an Ed25519 key alone, and several large receivers cannot check it: for them the mail is not signed.",
            remedy="Add an RSA key beside it.",
            command=_add_key(domain),
        )
    return about.passes(f"Signed with {' and '.join(dict.fromkeys(map(_kind, good.values())))}.")


def _add_key(domain: str) -> str:
    return f"waybill identities add-key {domain} --algorithm rsa"
