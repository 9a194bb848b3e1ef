"""What a check says: a verdict, the evidence for it, and what to publish or do where it is not well."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from waybill.model.clock import Clock, Instant, rfc3339
from waybill.model.ip import is_public
from waybill.net.mta_sts import PolicyFetcher
from waybill.net.resolver import Answer, AnswerStatus, Resolver
from waybill.net.smtp_client import ClientSettings
from waybill.standing.checks.catalogue import CATALOGUE


class Verdict(StrEnum):
    """How a check came out, the gravest first."""

    FAIL = "fail"  # mail is or will be refused, or filed as spam, for it
    WARN = "warn"  # it works, and not as well as it could
    UNKNOWN = "unknown"  # it could not be looked at; the text says why
    PASS = "pass"  # noqa: S105 - no password


_ORDER = tuple(Verdict)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The gravest of the verdicts; PASS where there is none."""
    return min(verdicts, key=_ORDER.index, default=Verdict.PASS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """What ``source`` (a name in DNS, a server, the ledger) said, in its words where it has some."""

    at: Instant
    kind: str  # dns, smtp, https, ledger, settings; evaluation: what we made of the others, step by step
    source: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DnsRecord:
    """A record to publish. ``replaces`` is the one that has to go, where there is one."""

    name: str
    type: str
    value: str
    replaces: str = ""

    def __str__(self) -> str:
        """As a line of a zone file. A string of a TXT record holds 255 octets at most (RFC 1035 §3.3.14, §5.1)."""
        if self.type != "TXT":
            return f"{self.name}. {self.type} {self.value}"
        most = 255 if self.value.isascii() else 63
        pieces = [self.value[at : at + most] for at in range(0, len(self.value), most)] or [""]
        quoted = " ".join('"{}"'.format(re.sub(r'(["\\])', r"\\\1", piece)) for piece in pieces)
        return f"{self.name}. TXT {quoted}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One finding about ``subject`` (a name or an address).

    ``remedy`` says what to do beside publishing ``records``, and ``command`` is the first step of it, where there is one.
    """

    id: str
    subject: str
    verdict: Verdict
    text: str
    evidence: tuple[Evidence, ...] = ()
    records: tuple[DnsRecord, ...] = ()
    remedy: str = ""
    command: str = ""

    @property
    def title(self) -> str:
        """What is checked."""
        return CATALOGUE[self.id].title

    @property
    def why(self) -> str:
        """Why it matters: who refuses what, and with which words."""
        return CATALOGUE[self.id].why


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """A check under way: what it is about and what was seen; its methods end it."""

    id: str
    subject: str
    evidence: tuple[Evidence, ...] = ()

    def passes(self, text: str, *, remedy: str = "") -> Check:
        """All is well. A remedy is what could be even better."""
        return self.ends(Verdict.PASS, text, remedy=remedy)

    def warns(self, text: str, *records: DnsRecord, remedy: str = "", command: str = "") -> Check:
        """It works, and not as well as it could."""
        return self.ends(Verdict.WARN, text, *records, remedy=remedy, command=command)

    def fails(self, text: str, *records: DnsRecord, remedy: str = "", command: str = "") -> Check:
        """It does not work."""
        return self.ends(Verdict.FAIL, text, *records, remedy=remedy, command=command)

    def is_unknown(self, text: str, *, remedy: str = "", command: str = "") -> Check:
        """It could not be looked at."""
        return self.ends(Verdict.UNKNOWN, text, remedy=remedy, command=command)

    def ends(self, verdict: Verdict, text: str, *records: DnsRecord, remedy: str = "", command: str = "") -> Check:
        """With any verdict."""
        return Check(
            id=self.id,
            subject=self.subject,
            verdict=verdict,
            text=text,
            evidence=self.evidence,
            records=records,
            remedy=remedy,
            command=command,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Egress:
    """An address that our mail comes from, and what we call ourselves in EHLO from there."""

    ip: str
    helo: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SelectedKey:
    """A DKIM key to look for. ``public`` is what its record must have as ``p=``; None: it is not ours, any will do."""

    selector: str
    algorithm: str | None = None
    public: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Sender:
    """How mail from ``domain`` leaves here: all that is checked.

    ``mail_from`` is the domain of the return path, ``bounce_domain`` the installation's own; empty where none is
    configured that others could reach. ``egress_unknown`` says why the addresses are not known, where they are not.
    ``identity`` is the domain of the identity that covers it, which signs (empty: there is none), and ``unsigned`` says
    why that does not sign. ``mail`` are the header fields of the domain's newest messages, ``sent_today`` the recipients
    that the account has sent to in the last 24 hours.
    """

    domain: str
    mail_from: str
    bounce_domain: str
    egress: tuple[Egress, ...] = ()
    egress_unknown: str = ""
    keys: tuple[SelectedKey, ...] = ()
    identity: str = ""
    unsigned: str = ""
    mail: tuple[tuple[tuple[str, str], ...], ...] = ()
    sent_today: int = 0

    @property
    def ips(self) -> tuple[str, ...]:
        """The addresses that our mail comes from."""
        return tuple(each.ip for each in self.egress)

    @property
    def signs_for(self) -> str:
        """The domain that signatures name (``d=``): the identity's, which may be above the From domain."""
        return self.identity or self.domain

    @property
    def report_domain(self) -> str:
        """Where reports can come home."""
        return self.bounce_domain or self.domain


@dataclass(frozen=True, kw_only=True, slots=True)
class Tools:
    """What the checks look through. ``port`` is where MX hosts listen; ``allow_private``: also on private addresses."""

    resolver: Resolver
    clock: Clock
    smtp: ClientSettings
    policies: PolicyFetcher
    port: int = 25
    allow_private: bool = False

    def is_seen(self, ip: str) -> bool:
        """Whether receivers can see the address: it is public, or we deliver to private ones."""
        return self.allow_private or is_public(ip)

    def said(self, answer: Answer) -> Evidence:
        """An answer of DNS as evidence, with the seconds for which resolvers keep it."""
        kept = f" (kept for {answer.ttl} s)" if answer.status.definite and answer.ttl else ""
        return self.heard(f"{answer.name} {answer.kind}", f"{answer.text}{kept}", "dns")

    def heard(self, source: str, text: str, kind: str = "smtp") -> Evidence:
        """What a server said, as evidence."""
        return Evidence(at=self.clock(), kind=kind, source=source, text=text)


def unanswered(check_id: str, subject: str, answer: Answer, tools: Tools) -> Check:
    """The check could not be made, since DNS gave no answer."""
    return About(id=check_id, subject=subject, evidence=(tools.said(answer),)).is_unknown(
        f"DNS gave no answer about {answer.name}: {_fault(answer.status)}.",
        remedy="Ask again; if it stays so, the domain's name servers or this machine's resolver are at fault.",
    )


NAME_THE_ADDRESS = "Name the addresses that receivers see: waybill check DOMAIN --ip ADDRESS, or the setting delivery.source_addresses."


def not_public(check_id: str, subject: str, ip: str) -> Check:
    """The check cannot be made of an address that nobody outside sees."""
    return About(id=check_id, subject=subject).is_unknown(
        f"{ip} is not a public address: receivers see another one, which is not known here.", remedy=NAME_THE_ADDRESS
    )


def _fault(status: AnswerStatus) -> str:
    return {
        AnswerStatus.TIMEOUT: "nobody answered in time",
        AnswerStatus.SERVFAIL: "the resolver failed at it (SERVFAIL)",
        AnswerStatus.REFUSED: "the resolver refused the question",
    }.get(status, "no server could be asked")


def check_json(check: Check) -> dict[str, object]:
    """A check as ``waybill check --json`` and the API write it."""
    return {
        "id": check.id,
        "subject": check.subject,
        "title": check.title,
        "verdict": check.verdict.value,
        "text": check.text,
        "why": check.why,
        "rule": CATALOGUE[check.id].source,
        "remedy": check.remedy or None,
        "command": check.command or None,
        "records": [
            {"name": each.name, "type": each.type, "value": each.value, "replaces": each.replaces or None}
            for each in check.records
        ],
        "evidence": [
            {"at": rfc3339(each.at), "kind": each.kind, "source": each.source, "text": each.text}
            for each in check.evidence
        ],
    }
