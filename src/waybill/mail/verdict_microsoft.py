"""Microsoft's verdicts: Exchange Online Protection's SCL, SFV, CAT and BCL, compauth, and the folder that Outlook chose.

Meanings: Microsoft Learn, "Anti-spam message headers in Microsoft 365".
"""

import re
from collections.abc import Iterator, Sequence

from waybill.mail.verdict import Filed, Said, Verdict, number

SYSTEM = "Microsoft"

_SFV = {
    "SPM": "the filter took it for spam",
    "SKS": "a mail flow rule had marked it as spam before the filter saw it",
    "SKB": "the sender is on a list of blocked senders in a filter policy",
    "BLK": "the sender is on the recipient's own list of blocked senders",
    "NSPM": "the filter did not take it for spam",
    "SKN": "a mail flow rule, a list or a connector let it pass the filter",
    "SKA": "the sender is on a list of allowed senders in a filter policy",
    "SKI": "it was sent inside the same organisation, and not filtered",
    "SKQ": "it was released from quarantine",
    "SFE": "the sender is on the recipient's own list of safe senders",
}
_SFV_SPAM = frozenset({"SPM", "SKS", "SKB", "BLK"})
_CAT = {
    "AMP": "malware (anti-malware)",
    "BIMP": "impersonation of a brand",
    "BULK": "bulk mail",
    "DIMP": "impersonation of a domain",
    "FTBP": "an attachment of a type that is blocked",
    "GIMP": "impersonation, by what the mailbox knows of its correspondents",
    "HPHSH": "phishing, high confidence",
    "HPHISH": "phishing, high confidence",
    "HSPM": "spam, high confidence",
    "INTOS": "phishing inside the organisation",
    "MALW": "malware",
    "OSPM": "outbound spam",
    "PHSH": "phishing",
    "SAP": "an attachment (Safe Attachments)",
    "SPM": "spam",
    "SPOOF": "spoofing of the sender",
    "UIMP": "impersonation of a user",
}
_QUARANTINED = frozenset({"AMP", "FTBP", "HPHSH", "HPHISH", "MALW", "SAP"})
_DESTINATIONS = {
    "I": (Filed.INBOX, "the Inbox"),
    "J": (Filed.SPAM, "Junk Email"),
    "C": (Filed.NOT_TOLD, "a folder of the recipient's own"),
}
_PAIR = re.compile(r"(?:^|;)\s*([A-Za-z]{1,8}):([^;]*)")
_COMPAUTH = re.compile(r"\bcompauth=(\w+)(?:\s+reason=(\d{1,3}))?", re.IGNORECASE)
_REASONS = {
    "000": "explicit authentication failed, and the sender's DMARC record asks for quarantine or reject",
    "001": "implicit authentication failed: the sender publishes no records, or only weak ones",
    "002": "a policy of the organisation forbids this sender to send spoofed mail",
    "010": "DMARC failed with reject or quarantine, and the domain is one of the organisation's own",
    "100": "SPF passed, or DKIM passed and the From domain was aligned",
    "101": "signed with DKIM by the From domain",
    "102": "the MAIL FROM domain and the From domain are aligned, and SPF passed",
    "103": "the From domain aligns with the name (PTR) of the sending address",
    "104": "the name (PTR) of the sending address aligns with the From domain",
    "108": "DKIM failed by changes on a trusted way",
    "109": "the From domain has no DMARC record, but would pass",
    "111": "DMARC is in a temporary or permanent error, but SPF or DKIM aligns",
    "112": "a DNS timeout hid the DMARC record",
    "115": "sent from the organisation's own tenant for its own domain",
    "116": "the MX record of the From domain matches the name of the sending address",
    "130": "a trusted forwarder's ARC seal overrode the DMARC failure",
    "601": "the sending domain is one of the organisation's own, and somebody else sent as it",
}
_CLASSES = {
    "1": "passed",
    "2": "passed softly",
    "3": "was not checked",
    "4": "was let pass",
    "7": "passed",
    "9": "was let pass",
}


def read(said: Said) -> Sequence[Verdict]:
    """What Exchange Online, or Exchange's own filter, wrote."""
    return [*_folder(said), *_filter(said), *_bulk(said), *_compauth(said)]


def _pairs(value: str | None) -> dict[str, str]:
    return {key.upper(): text.strip() for key, text in _PAIR.findall(value or "")}


def _folder(said: Said) -> Iterator[Verdict]:
    """``dest`` of X-Microsoft-Antispam-Mailbox-Delivery: where the mailbox put it."""
    value = said.first("x-microsoft-antispam-mailbox-delivery")
    pairs = _pairs(value)
    found = _DESTINATIONS.get(pairs.get("DEST", "").upper())
    if value is None or found is None:
        return
    filed, folder = found
    by = {"JMR": "a rule of the recipient", "OFR": "the mailbox's own filter"}
    rule = next((f" ({name}: {pairs[key]})" for key, name in by.items() if pairs.get(key, "0") not in {"0", ""}), "")
    yield Verdict(
        system=SYSTEM,
        header="X-Microsoft-Antispam-Mailbox-Delivery",
        words=value,
        text=f"the mailbox put it into {folder}{rule}",
        filed=filed,
        is_folder=filed is not Filed.NOT_TOLD,
    )


def _filter(said: Said) -> Iterator[Verdict]:
    name = "X-Forefront-Antispam-Report"
    value = said.first(name.lower())
    pairs = _pairs(value)
    organisation = said.first("x-ms-exchange-organization-scl")
    scl = number(pairs.get("SCL") or organisation)
    if value is None and scl is None:
        return
    sfv, category = pairs.get("SFV", "").upper(), pairs.get("CAT", "").upper()
    level = None if scl is None else round(scl)
    filed = _filed(level, sfv, category)
    yield Verdict(
        system=SYSTEM,
        header=name if value else "X-MS-Exchange-Organization-SCL",
        words=value or organisation or "",
        text=_level(level) if level is not None else _SFV.get(sfv, "it was looked at by the filter"),
        filed=filed,
        score=scl,
        grounds=tuple(_grounds(pairs)),
    )


def _filed(level: int | None, sfv: str, category: str) -> Filed:
    if category in _QUARANTINED:
        return Filed.QUARANTINE
    if sfv in _SFV_SPAM or (level is not None and level >= 5):
        return Filed.SPAM
    if sfv in _SFV or level is not None:
        return Filed.INBOX
    return Filed.NOT_TOLD


def _level(level: int) -> str:
    """What the spam confidence level says, and does by default."""
    if level < 0:
        return f"SCL {level}: it passed without filtering, as from a safe sender"
    if level < 5:
        return f"SCL {level}: not spam; it goes to the Inbox"
    if level < 7:
        return f"SCL {level}: spam; it goes to Junk Email"
    return f"SCL {level}: spam with high confidence; it goes to Junk Email or quarantine, as the administrator has set"


def _grounds(pairs: dict[str, str]) -> Iterator[str]:
    category, sfv = pairs.get("CAT", "").upper(), pairs.get("SFV", "").upper()
    if category not in {"", "NONE"}:
        yield f"category {category}: {_CAT.get(category, 'of which Microsoft does not publish the meaning')}"
    if sfv:
        yield f"SFV {sfv}: {_SFV.get(sfv, 'of which Microsoft does not publish the meaning')}"
    if pairs.get("CIP"):
        country = f" ({pairs['CTRY']})" if pairs.get("CTRY") else ""
        ptr = pairs.get("PTR") or "no name"
        yield f"it came from {pairs['CIP']}{country}, PTR {ptr}, which called itself {pairs.get('H') or 'nothing'}"
    if pairs.get("IPV", "").upper() == "CAL":
        yield "the sending address is on the organisation's own list of allowed addresses (IPV:CAL)"
    if pairs.get("LANG"):
        yield f"language as read: {pairs['LANG']}"
    if pairs.get("DIR", "").upper() in {"OUT", "INT"}:
        yield (
            "this is the verdict on outgoing mail"
            if pairs["DIR"].upper() == "OUT"
            else "it went inside the organisation"
        )


def _bulk(said: Said) -> Iterator[Verdict]:
    value = said.first("x-microsoft-antispam")
    level = number(_pairs(value).get("BCL"))
    if value is None or level is None:
        return
    much = (
        "no bulk mail"
        if level < 1
        else "few complaints"
        if level < 4
        else "a mixed number of complaints"
        if level < 8
        else "many complaints"
    )
    yield Verdict(
        system=SYSTEM,
        header="X-Microsoft-Antispam",
        words=value[:400],
        text=f"BCL {round(level)}: {much}; from 7 on it is treated as spam by default",
        score=level,
        threshold=7,
    )


def _compauth(said: Said) -> Iterator[Verdict]:
    for value in said.all("authentication-results"):
        match = _COMPAUTH.search(value)
        if match is None:
            continue
        reason = match[2] or ""
        why = _REASONS.get(reason) or (
            f"it {_CLASSES[reason[0]]}" if reason[:1] in _CLASSES else "no reason is published"
        )
        yield Verdict(
            system=SYSTEM,
            header="Authentication-Results",
            words=match[0],
            text=f"composite authentication: {match[1].lower()}{f' (reason {reason}: {why})' if reason else ''}",
        )
        return
