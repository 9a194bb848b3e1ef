"""Which TLS an MX host must show before it gets a message: what DANE (RFC 7672) and MTA-STS (RFC 8461) say about it.

DANE goes first where both are there and it can be used (RFC 8461 §2). What was decided is written down in words.
"""

import asyncio
from collections import OrderedDict
from dataclasses import replace

import idna

from waybill.deliver.evidence import Failure
from waybill.deliver.sts_policies import Found, StsPolicies
from waybill.model.clock import Clock, Instant, rfc3339
from waybill.model.outcome import Tls
from waybill.model.record import record
from waybill.model.resource import MtaStsPolicy
from waybill.net.dane import Dane, Tlsa, Usage, parse_tlsa
from waybill.net.resolver import Answer, AnswerStatus, Resolver
from waybill.net.smtp_target import Fault, Target, TlsMode

DECIDED_FOR = 60  # seconds; a record that lives for less is asked for again when it ends
MAX_DECISIONS = 20_000
SHOWN_MX = 10


@record(frozen=True, kw_only=True, slots=True)
class HostPolicy:
    """What was decided about a host as the way to a domain.

    ``name`` is that of the policy, as the attempt records it; None: TLS is used if there is any. ``notes`` go into the
    transcript. With ``refusal`` the host must not be used, and ``because`` says why; otherwise ``because`` is what a failure
    of its TLS is explained by. ``verify`` and ``dane`` are what its certificate has to stand. ``tested`` is a host under a
    policy that only tests: nothing is asked of it, and what would have failed is noted.
    """

    name: str | None = None
    notes: tuple[str, ...] = ()
    because: str = ""
    refusal: Failure | None = None
    required: bool = False
    verify: bool = False
    dane: Dane | None = None
    tested: bool = False

    def apply(self, target: Target) -> Target:
        """The target with what is asked of it."""
        if not self.required:
            return target
        return replace(target, tls=TlsMode.REQUIRED, verify=self.verify, dane=self.dane)

    def failure(self, fault: Fault) -> Failure:
        """What a fault of the conversation is under this policy."""
        if self.verify and fault is Fault.CERTIFICATE_UNTRUSTED:
            return Failure.MTA_STS_CERTIFICATE
        return Failure(fault)

    def explain(self, fault: Fault | None, text: str) -> str:
        """The words of a failure, with the policy where that is what made it one."""
        return f"{text}. {self.because}" if self.required and fault in _ABOUT_TLS else text

    def test(self, tls: Tls | None) -> str | None:
        """What a policy that only tests would have refused of the session; None where there is nothing."""
        if not self.tested or (tls is not None and tls.verified):
            return None
        fault = (
            f"its certificate is not verified: {tls.why_not_verified}" if tls is not None else "it was sent in clear"
        )
        return f"MTA-STS: in mode enforce this host would not have got the message, since {fault}"


_ABOUT_TLS = frozenset({Fault.TLS_FAILED, Fault.TLS_NOT_OFFERED, Fault.CERTIFICATE_UNTRUSTED, Fault.DANE_MISMATCH})
OPPORTUNISTIC = HostPolicy()


class TlsPolicies:
    """Decides, and remembers decisions for a while, so that the next message to the same host costs nothing.

    ``dane`` False and ``sts`` None: that mechanism is not used.
    """

    def __init__(self, *, resolver: Resolver, clock: Clock, dane: bool = True, sts: StsPolicies | None = None) -> None:
        self._resolver = resolver
        self._clock = clock
        self._dane = dane
        self._sts = sts
        self._decided: OrderedDict[tuple[str, str, int], tuple[Instant, HostPolicy]] = OrderedDict()

    def known(self, domain: str, host: str, port: int) -> HostPolicy | None:
        """What was decided a moment ago."""
        decided = self._decided.get((domain, host, port))
        return decided[1] if decided is not None and decided[0] > self._clock() else None

    async def decide(self, domain: str, host: str, port: int) -> HostPolicy:
        """What ``host``, an MX host of ``domain``, has to show at ``port``."""
        known = self.known(domain, host, port)
        if known is not None:
            return known
        name = _a_labels(domain)
        (by_dane, ttl), found = await asyncio.gather(self._ask_dane(name, host, port), self._find_policy(name))
        by_sts = _hold_against(found, name, host) if found is not None else OPPORTUNISTIC
        decision = _combine(by_dane, by_sts)
        self._decided[domain, host, port] = self._clock() + min(ttl, DECIDED_FOR) * 1_000, decision
        self._decided.move_to_end((domain, host, port))
        while len(self._decided) > MAX_DECISIONS:
            self._decided.popitem(last=False)
        return decision

    async def close(self) -> None:
        """Stops what goes on in the background."""
        if self._sts is not None:
            await self._sts.close()

    async def _find_policy(self, domain: str) -> Found | None:
        return await self._sts.find(domain) if self._sts is not None else None

    async def _ask_dane(self, domain: str, host: str, port: int) -> tuple[HostPolicy, int]:
        """What DANE says, and for how many seconds.

        The way to the host has to be signed as well: whoever forges the MX or an alias names the records that count.
        """
        if not self._dane:
            return OPPORTUNISTIC, DECIDED_FOR
        mx = await self._resolver.mx(domain)
        if not mx.status.definite:
            return _unknown(mx.status, mx.text), mx.ttl
        if not mx.authenticated:
            return OPPORTUNISTIC, mx.ttl
        bases, ttl = await self._bases(host)
        if isinstance(bases, HostPolicy):
            return bases, ttl
        policy, ttl_of_records = await self._ask_tlsa(bases, port, (host, domain, mx.canonical))
        return policy, min(mx.ttl, ttl, ttl_of_records)

    async def _ask_tlsa(self, bases: tuple[str, ...], port: int, names: tuple[str, ...]) -> tuple[HostPolicy, int]:
        """What the first TLSA records at one of the bases ask for, and for how many seconds."""
        ttl = DECIDED_FOR
        for base in bases:
            answer = await self._resolver.lookup(f"_{port}._tcp.{base}", "TLSA")
            ttl = min(ttl, answer.ttl)
            if (
                not answer.status.definite
            ):  # RFC 7672 §2.1.2: who can keep the answer from us must not thereby get the mail
                text = f"DANE: {base} is in a signed zone, and whether it has TLSA records is not known: {answer.text}"
                return _unknown(answer.status, text), ttl
            if answer.records and answer.authenticated:
                return _require(answer, base, tuple(dict.fromkeys((base, *names)))), ttl
        return OPPORTUNISTIC, ttl

    async def _bases(self, host: str) -> tuple[tuple[str, ...] | HostPolicy, int]:
        """The names at which the host's TLSA records may be, the best first (RFC 7672 §2.2.2, §2.2.3)."""
        addresses = await self._resolver.addresses(host)
        if not addresses.status.definite:
            return _unknown(addresses.status, addresses.text), addresses.ttl
        if addresses.authenticated:
            return tuple(dict.fromkeys((addresses.canonical, host))), addresses.ttl
        if addresses.canonical in ("", host):
            return (), addresses.ttl
        alias = await self._resolver.lookup(host, "CNAME")
        if not alias.status.definite:
            return _unknown(alias.status, alias.text), alias.ttl
        return ((host,) if alias.records and alias.authenticated else ()), min(alias.ttl, addresses.ttl)


def _a_labels(domain: str) -> str:
    if domain.isascii():
        return domain
    try:
        return idna.encode(domain, uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        return domain


def _unknown(status: AnswerStatus, text: str) -> HostPolicy:
    failure = Failure.DNS_TIMEOUT if status is AnswerStatus.TIMEOUT else Failure.DNS_FAILURE
    return HostPolicy(name="dane", because=text, refusal=failure)


def _require(answer: Answer, base: str, names: tuple[str, ...]) -> HostPolicy:
    records = [_read(text) for text in answer.records]
    usable = tuple(each for each in records if each is not None and each.usable)
    if not usable:  # RFC 7672 §2.2: that there are records at all says that the host has TLS
        because = (
            f"{base} publishes TLSA records in a signed zone, of which none can be used for mail ({', '.join(answer.records)}), "
            "so TLS is required with any certificate (RFC 7672 §2.2)"
        )
        return HostPolicy(name="dane", notes=(f"DANE: {because}",), because=because, required=True)
    needs_names = any(each.usage == Usage.DANE_TA for each in usable)
    dane = Dane(base=base, records=usable, names=names if needs_names else ())
    because = (
        f"{base} publishes TLSA records in a signed zone ({dane}), so TLS is required, "
        "with a certificate that fits one of them (RFC 7672)"
    )
    return HostPolicy(name="dane", notes=(f"DANE: {because}",), because=because, required=True, dane=dane)


def _read(text: str) -> Tlsa | None:
    try:
        return parse_tlsa(text)
    except ValueError:
        return None


def _hold_against(found: Found, domain: str, host: str) -> HostPolicy:
    """What the domain's policy says about the host."""
    policy = found.policy
    if policy is None:
        if not found.fault:
            return OPPORTUNISTIC
        words = f"MTA-STS: {domain} may have a policy, which could not be had, so it goes as if there was none: {found.fault}"
        return HostPolicy(notes=(words,))
    stale = (
        (f"MTA-STS: the policy is the one that was kept, since there is no newer: {found.fault}",)
        if found.fault
        else ()
    )
    if policy.mode == "none":
        return HostPolicy(notes=stale)
    which = f"The MTA-STS policy of {domain} (id {policy.id}, mode {policy.mode}, fetched {rfc3339(policy.fetched_at)})"
    listed = policy.lists(host)
    allows = f"{which} allows the MX hosts {_list_mx(policy)}, and {host} is not among them"
    if policy.mode == "testing":
        asks = f"{which} only tests: TLS with a verified certificate would be required"
        notes = (
            *stale,
            f"MTA-STS: {asks}",
            *(() if listed else (f"MTA-STS: {allows}; in mode enforce it would be passed over",)),
        )
        return HostPolicy(name="mta-sts testing", notes=notes, tested=True)
    name = "mta-sts enforce"
    if not listed:
        return HostPolicy(name=name, notes=stale, because=allows, refusal=Failure.MTA_STS_HOST)
    because = f"{which} requires TLS with a verified certificate for {host}"
    return HostPolicy(name=name, notes=(*stale, f"MTA-STS: {because}"), because=because, required=True, verify=True)


def _list_mx(policy: MtaStsPolicy) -> str:
    more = len(policy.mx) - SHOWN_MX
    return ", ".join(policy.mx[:SHOWN_MX]) + (f" and {more} more" if more > 0 else "")


def _combine(by_dane: HostPolicy, by_sts: HostPolicy) -> HostPolicy:
    """DANE where it can be used or failed, else MTA-STS; TLSA records without use leave the certificate to MTA-STS."""
    if by_dane.dane is not None or by_dane.refusal is not None:
        return by_dane
    if by_sts.required or by_sts.refusal is not None:
        return replace(by_sts, notes=by_dane.notes + by_sts.notes)
    if by_dane.required:
        return replace(by_dane, notes=by_dane.notes + by_sts.notes, tested=by_sts.tested)
    return by_sts
