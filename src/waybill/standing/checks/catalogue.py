"""Every check once: what it asks, and why it matters, with the words that receivers refuse with where it is not well."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """A kind of check. ``source`` is the standard, or the receivers' page, that asks for it."""

    title: str
    why: str
    source: str


CATALOGUE: dict[str, Kind] = {
    "spf_record": Kind(
        title="SPF record",
        why="Without one valid record SPF cannot pass: Gmail refuses with 5.7.27, Microsoft's consumer mail with 5.7.515.",
        source="RFC 7208 §3.2, §4.5",
    ),
    "spf_lookups": Kind(
        title="SPF lookups",
        why="Receivers stop at 10 lookups, or 2 that find nothing, and then count SPF as broken (permerror).",
        source="RFC 7208 §4.6.4",
    ),
    "spf_sources": Kind(
        title="SPF for our addresses",
        why="Mail from any other address fails SPF: Gmail says 4.7.27 or 5.7.27, and DMARC then rests on DKIM alone.",
        source="RFC 7208 §4, Gmail sender guidelines",
    ),
    "spf_strict": Kind(
        title="SPF strictness",
        why="A record with +all lets everybody send in this name, and ptr is slow and passed over by many receivers.",
        source="RFC 7208 §5.1, §5.5",
    ),
    "spf_helo": Kind(
        title="SPF of the EHLO name",
        why="Bounces have no return path, so receivers check the EHLO name instead; a failure there is held against the address.",
        source="RFC 7208 §2.3",
    ),
    "dkim_key": Kind(
        title="DKIM key",
        why="Without the key nobody can check our signatures: Gmail says 4.7.30 or 5.7.30, and 5.7.26 where DMARC asks to reject.",
        source="RFC 6376 §3.6",
    ),
    "dkim_strength": Kind(
        title="DKIM key strength",
        why="RSA keys below 1024 bits are ignored, those below 2048 are considered weak; many receivers cannot check Ed25519 yet.",
        source="RFC 8301 §3.2, RFC 8463",
    ),
    "dmarc_record": Kind(
        title="DMARC record",
        why="Gmail, Yahoo and Microsoft ask for one from whoever sends 5,000 messages a day: 4.7.40 or 5.7.40, 5.7.515.",
        source="RFC 9989 §4.10, Gmail sender guidelines",
    ),
    "dmarc_policy": Kind(
        title="DMARC policy",
        why="With p=none anybody can send in this name, and BIMI logos are not shown.",
        source="RFC 9989 §4.7",
    ),
    "dmarc_reports": Kind(
        title="DMARC reports",
        why="Without reports nobody tells of mail that fails; reports to another domain are only sent where that domain agrees.",
        source="RFC 9990 §4",
    ),
    "alignment": Kind(
        title="Alignment with From",
        why="DMARC counts only what is aligned with From: else Gmail says 4.7.32 or 5.7.32, and p=reject bounces the mail.",
        source="RFC 9989 §4.4",
    ),
    "mx": Kind(
        title="Mail to the domain (MX)",
        why="Many receivers refuse senders whose domain cannot be answered: 5.1.8, and 5.7.27 for a null MX.",
        source="RFC 5321 §5.1, RFC 7505 §4.2",
    ),
    "mail_from": Kind(
        title="Return path (MAIL FROM)",
        why="Bounces go to the MX of the return path's domain. If that is not us, nobody learns of them.",
        source="RFC 5321 §3.6.3, RFC 7505 §4.2",
    ),
    "ptr": Kind(
        title="Name of the address (PTR)",
        why="Gmail (4.7.23, 5.7.25), Yahoo and many others refuse mail from addresses without a name, or with a provider's generic one.",
        source="Gmail sender guidelines, RFC 1912 §2.1",
    ),
    "fcrdns": Kind(
        title="Way back from that name (FCrDNS)",
        why="A name that does not lead back counts as none: Gmail says 4.7.23 or 5.7.25.",
        source="Gmail sender guidelines, RFC 8601 §2.7.3",
    ),
    "helo": Kind(
        title="EHLO name",
        why="Servers refuse names that are not fully qualified or lead nowhere: 504 5.5.2, 550 5.7.1 Helo command rejected.",
        source="RFC 5321 §2.3.5, §4.1.4",
    ),
    "ipv6": Kind(
        title="IPv6",
        why="Over IPv6 Gmail refuses (5.7.1, 5.7.25) what over IPv4 it may still take: the address needs a PTR and SPF.",
        source="Gmail sender guidelines",
    ),
    "starttls": Kind(
        title="TLS of the domain's servers",
        why="Answers and reports to the domain travel in clear otherwise; with MTA-STS or DANE they would not travel at all.",
        source="RFC 3207, RFC 8996",
    ),
    "mta_sts": Kind(
        title="MTA-STS",
        why="It protects the mail that the domain receives. A policy that does not fit the servers makes senders hold mail back.",
        source="RFC 8461",
    ),
    "tls_rpt": Kind(
        title="TLS reports",
        why="Senders tell a domain that asks for it which TLS sessions failed: else nobody notices a broken policy.",
        source="RFC 8460 §3",
    ),
    "dane": Kind(
        title="DANE",
        why="TLSA records that do not fit the servers' certificates make careful senders refuse to deliver.",
        source="RFC 7672",
    ),
    "bimi": Kind(
        title="BIMI",
        why="Optional: Gmail, Yahoo and Apple show a logo beside mail that passes DMARC with a strict policy.",
        source="draft-brand-indicators-for-message-identification",
    ),
    "ip_blocklist": Kind(
        title="Blocklists of addresses",
        why="Yahoo (553 5.7.1 [BL21], [BL23]), Microsoft (S3140, S3150) and many smaller receivers refuse what is listed.",
        source="RFC 5782",
    ),
    "domain_blocklist": Kind(
        title="Blocklists of domains",
        why="Apple (5.7.1 DBL), Microsoft (S8002) and content filters refuse mail that names a listed domain.",
        source="RFC 5782 §3",
    ),
    "postmaster": Kind(
        title="postmaster@",
        why="Receivers write there when something is wrong, and some look whether it works before they take anything off a blocklist.",
        source="RFC 5321 §4.5.1, RFC 2142 §5",
    ),
    "abuse": Kind(
        title="abuse@",
        why="Complaints and feedback loops come here: whoever is not reachable gets blocked instead of told.",
        source="RFC 2142 §4",
    ),
    "one_click_unsubscribe": Kind(
        title="One-click unsubscribe",
        why="Gmail and Yahoo ask for it in marketing mail from whoever sends 5,000 messages a day; else mail is filed as spam.",
        source="RFC 8058, Gmail sender guidelines",
    ),
    "gmail_rules": Kind(
        title="Gmail's rules for senders",
        why="Unmet, Gmail defers (421 4.7.x), then refuses (550 5.7.x). From 5,000 messages a day on, all rules hold, and for ever.",
        source="https://support.google.com/a/answer/81126",
    ),
    "yahoo_rules": Kind(
        title="Yahoo's rules for senders",
        why="Unmet, Yahoo and AOL file mail as spam, defer it (421 4.7.0 [TSS04]) or refuse it (554 5.7.9).",
        source="https://senders.yahooinc.com/best-practices/",
    ),
    "microsoft_rules": Kind(
        title="Microsoft's rules for senders",
        why="Unmet at 5,000 messages a day or more: 550 5.7.515 Access denied, at outlook.com, hotmail.com and live.com.",
        source="https://support.microsoft.com/en-au/topic/fix-ndr-error-550-5-7-515-in-outlook-com-34cfe8f8-6fbf-457e-9e8b-9e4dbaf4e0ef",
    ),
}
