"""Evaluates SPF as a receiver does (RFC 7208 check_host()), and keeps the trace: which record, which term, why."""

import ipaddress
from dataclasses import dataclass

from waybill.mail.lookup import LookupFailed, Lookups
from waybill.mail.spf_macro import (
    Ip,
    MacroString,
    MacroValues,
    SpfSyntaxError,
    asks_for_validated,
    expand,
    expand_domain,
    parse_macro_string,
)
from waybill.mail.spf_record import Mechanism, Network, Policy, parse_record, select
from waybill.model.authentication import SpfEvaluation, SpfRecord, SpfResult, SpfTerm, Verdict

# RFC 7208 §4.6.4
MOST_LOOKUPS = 10
MOST_VOID_LOOKUPS = 2
MOST_HOSTS = 10


class _Permanent(Exception):  # noqa: N818 - an end of the evaluation, not a fault of the program
    """The evaluation ends in permerror."""


class _Temporary(Exception):  # noqa: N818 - likewise
    """The evaluation ends in temperror."""


async def check_host(
    lookups: Lookups, *, ip: str, sender: str, helo: str, domain: str | None = None, unix_time: int = 0
) -> SpfEvaluation:
    """What SPF says of mail from ``ip`` with ``sender`` in MAIL FROM (empty in bounces: then ``helo`` is checked).

    ``domain`` is whose record is asked for, where it is not the sender's. Never raises for what the DNS says.

    Raises:
        ValueError: ``ip`` is no IP address.
    """
    local, _, of_sender = sender.rpartition("@")
    check = _Check(
        lookups=lookups,
        ip=_address(ip),
        sender=f"{local or 'postmaster'}@{of_sender or helo}",
        helo=helo,
        unix_time=unix_time,
    )
    return await check.run((domain or of_sender or helo).removesuffix("."))


def _address(text: str) -> Ip:
    address = ipaddress.ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address  # RFC 7208 §5: a mapped address is an IPv4 one


@dataclass(kw_only=True)
class _Step:
    """Where the evaluation stands: the domain, how deep in includes, and its parsed record."""

    domain: str
    depth: int
    policy: Policy


class _Check:
    def __init__(self, *, lookups: Lookups, ip: Ip, sender: str, helo: str, unix_time: int) -> None:
        self._lookups = lookups
        self._ip = ip
        self._sender = sender
        self._helo = helo
        self._unix_time = unix_time
        self._records: list[SpfRecord] = []
        self._terms: list[SpfTerm] = []
        self._count = 0
        self._void = 0
        self._path: list[str] = []
        self._explaining: tuple[str, MacroString] | None = None

    async def run(self, domain: str) -> SpfEvaluation:
        try:
            result = await self._check_host(domain, 0)
            reason = self._reason(result, domain)
        except _Permanent as error:
            result, reason = SpfResult.PERMERROR, str(error)
        except _Temporary as error:
            result, reason = SpfResult.TEMPERROR, str(error)
        explanation = await self._explain() if result is SpfResult.FAIL else ""
        return SpfEvaluation(
            result=result,
            domain=domain,
            ip=str(self._ip),
            reason=reason,
            explanation=explanation,
            decided_by=tuple(self._path) if result not in {SpfResult.PERMERROR, SpfResult.TEMPERROR} else (),
            records=tuple(self._records),
            terms=tuple(self._terms),
            lookups=self._count,
            void_lookups=self._void,
        )

    def _reason(self, result: SpfResult, domain: str) -> str:
        if result is SpfResult.NONE:
            return f"{domain} publishes no SPF record" if is_askable(domain) else f"{domain!r} is no domain name"
        if not self._path:
            return f"no mechanism of {domain}'s record matches {self._ip}, and it has no all"
        return f"{self._ip} matches {' > '.join(self._path)} of {domain}'s record"

    async def _check_host(self, domain: str, depth: int) -> SpfResult:
        """RFC 7208 §4.3 to §4.7. What this came to, without exp."""
        if not is_askable(domain):
            return SpfResult.NONE
        try:
            found = select(await self._lookups.txt(domain))
        except LookupFailed as error:
            raise _Temporary(f"{domain}'s SPF record could not be looked up: {error}") from None
        if not found:
            return SpfResult.NONE
        self._records += [SpfRecord(domain=domain, text=text) for text in found]
        if len(found) > 1:
            raise _Permanent(f"{domain} publishes {len(found)} SPF records; there may be one only")
        try:
            policy = parse_record(found[0])
        except SpfSyntaxError as error:
            raise _Permanent(f"{domain}'s SPF record has an error in {error}") from None
        return await self._evaluate(_Step(domain=domain, depth=depth, policy=policy))

    async def _evaluate(self, step: _Step) -> SpfResult:
        for mechanism in step.policy.mechanisms:
            place = len(self._path)
            self._path.append(mechanism.text)
            try:
                matches, detail = await self._match(mechanism, step)
            except LookupFailed as error:
                self._note(step, mechanism.text, Verdict.ERROR, str(error))
                raise _Temporary(f"{mechanism.text} in {step.domain}'s record: {error}") from None
            except (_Permanent, _Temporary) as error:
                self._note(step, mechanism.text, Verdict.ERROR, str(error))
                raise
            self._note(step, mechanism.text, Verdict.MATCH if matches else Verdict.NO_MATCH, detail)
            if matches:
                self._explain_with(step)
                return mechanism.result
            del self._path[place:]
        if step.policy.redirect is None or any(each.name == "all" for each in step.policy.mechanisms):
            self._explain_with(step)
            return SpfResult.NEUTRAL  # RFC 7208 §4.7
        return await self._redirect(step, step.policy.redirect)

    async def _redirect(self, step: _Step, redirect: MacroString) -> SpfResult:
        """RFC 7208 §6.1."""
        text = step.policy.redirect_text
        self._spend(text, step)
        target = await self._expand(redirect, step.domain)
        self._note(step, text, Verdict.FOLLOWED, f"{target}'s record decides")
        self._path.append(text)
        result = await self._check_host(target, step.depth)
        if result is SpfResult.NONE:
            raise _Permanent(f"{text} in {step.domain}'s record: {target} publishes no SPF record")
        return result

    def _note(self, step: _Step, term: str, verdict: Verdict, detail: str) -> None:
        self._terms.append(SpfTerm(domain=step.domain, depth=step.depth, term=term, verdict=verdict, detail=detail))

    def _explain_with(self, step: _Step) -> None:
        """An included record's exp is not used (RFC 7208 §6.2); that of a redirect's target is."""
        if step.depth == 0:
            self._explaining = (step.domain, step.policy.explanation) if step.policy.explanation else None

    def _spend(self, term: str, step: _Step) -> None:
        self._count += 1
        if self._count > MOST_LOOKUPS:
            raise _Permanent(
                f"more than {MOST_LOOKUPS} lookups are needed; {term} in {step.domain}'s record is the first too many"
            )

    def _found(self, records: int, name: str) -> None:
        """Counts a lookup that found nothing (RFC 7208 §4.6.4, "void lookups")."""
        if records:
            return
        self._void += 1
        if self._void > MOST_VOID_LOOKUPS:
            raise _Permanent(f"more than {MOST_VOID_LOOKUPS} lookups find nothing; {name} is the first too many")

    async def _match(self, mechanism: Mechanism, step: _Step) -> tuple[bool, str]:
        """Whether the mechanism matches (RFC 7208 §5), and why."""
        if mechanism.name == "all":
            return True, "it matches whatever is left"
        if mechanism.network is not None:
            return _contains(mechanism.network, self._ip)
        self._spend(mechanism.text, step)
        target = await self._expand(mechanism.domain, step.domain) if mechanism.domain else step.domain
        if mechanism.name == "include":
            return await self._include(mechanism, target, step)
        if mechanism.name in ("a", "mx"):
            return self._among(mechanism, await (self._a(target) if mechanism.name == "a" else self._mx(target)))
        return await (self._ptr(target) if mechanism.name == "ptr" else self._exists(target))

    async def _include(self, mechanism: Mechanism, target: str, step: _Step) -> tuple[bool, str]:
        """RFC 7208 §5.2: it matches where the included record says pass."""
        place = len(self._path)
        result = await self._check_host(target, step.depth + 1)
        if result is SpfResult.NONE:
            raise _Permanent(f"{mechanism.text} in {step.domain}'s record: {target} publishes no SPF record")
        if result is not SpfResult.PASS:
            del self._path[place:]
        return result is SpfResult.PASS, f"{target}'s record says {result}"

    async def _addresses(self, name: str) -> list[Ip]:
        """The addresses of the version that mail comes from; a name that cannot be asked for has none."""
        if not is_askable(name):
            return []
        found = await (self._lookups.a(name) if self._ip.version == 4 else self._lookups.aaaa(name))
        return [ipaddress.ip_address(each) for each in sorted(found)]  # the DNS turns them round; the trace stays

    async def _a(self, target: str) -> dict[str, list[Ip]]:
        """RFC 7208 §5.3."""
        addresses = await self._addresses(target)
        self._found(len(addresses), target)
        return {target: addresses}

    async def _mx(self, target: str) -> dict[str, list[Ip]]:
        """RFC 7208 §5.4."""
        hosts = [host for host in (await self._lookups.mx(target) if is_askable(target) else ()) if host]
        self._found(len(hosts), f"{target} MX")
        if len(hosts) > MOST_HOSTS:
            raise _Permanent(f"{target} has {len(hosts)} MX hosts; at most {MOST_HOSTS} may be looked up")
        found: dict[str, list[Ip]] = {}
        for host in hosts:
            found[host] = await self._addresses(host)
            self._found(len(found[host]), host)
        return found

    def _among(self, mechanism: Mechanism, found: dict[str, list[Ip]]) -> tuple[bool, str]:
        bits = mechanism.v4_prefix if self._ip.version == 4 else mechanism.v6_prefix
        for name, addresses in found.items():
            for address in addresses:
                if self._ip in ipaddress.ip_network(f"{address}/{bits}", strict=False):
                    within = "" if bits == address.max_prefixlen else f", and {self._ip} is within its /{bits}"
                    return True, f"{name} has the address {address}{within}"
        named = "; ".join(
            f"{name} has {', '.join(map(str, addresses)) or f'no IPv{self._ip.version} address'}"
            for name, addresses in found.items()
        )
        return False, named or "there is no MX host"

    async def _ptr(self, target: str) -> tuple[bool, str]:
        """RFC 7208 §5.5."""
        names = await self._validated_names(target)
        ending = f".{target.lower()}"
        for name in names:
            if f".{name.lower()}".endswith(ending):
                return True, f"{self._ip} is validated as {name}"
        return False, f"{self._ip} is validated as {', '.join(names) or 'nothing'}"

    async def _validated_names(self, domain: str) -> list[str]:
        """The names of the address that lead back to it: ``domain`` itself and those under it first. Errors skip a name."""
        try:
            names = list(await self._lookups.ptr(str(self._ip)))[:MOST_HOSTS]
        except LookupFailed:
            return []
        validated = []
        for name in names:
            try:
                if self._ip in await self._addresses(name):
                    validated.append(name)
            except LookupFailed:
                continue
        under = domain.lower()
        return sorted(validated, key=lambda name: (name.lower() != under, not name.lower().endswith(f".{under}")))

    async def _exists(self, target: str) -> tuple[bool, str]:
        """RFC 7208 §5.7: an A record, whatever the address's version."""
        found = await self._lookups.a(target) if is_askable(target) else ()
        self._found(len(found), target)
        return bool(found), f"{target} has {', '.join(found) or 'no IPv4 address'}"

    async def _expand(self, parts: MacroString, domain: str) -> str:
        return expand_domain(parts, await self._values(parts, domain))

    async def _values(self, parts: MacroString, domain: str) -> MacroValues:
        validated = await self._validated_names(domain) if asks_for_validated(parts) else []
        return MacroValues(
            sender=self._sender,
            domain=domain,
            ip=self._ip,
            helo=self._helo,
            receiver="unknown",
            unix_time=self._unix_time,
            validated=validated[0] if validated else None,
        )

    async def _explain(self) -> str:
        """RFC 7208 §6.2: whatever is wrong with it, there is none then."""
        if self._explaining is None:
            return ""
        domain, parts = self._explaining
        try:
            target = await self._expand(parts, domain)
            texts = await self._lookups.txt(target) if is_askable(target) else ()
            if len(texts) != 1:
                return ""
            text = parse_macro_string(texts[0], explanation=True)
            return expand(text, await self._values(text, domain))
        except (LookupFailed, SpfSyntaxError):
            return ""


def _contains(network: Network, ip: Ip) -> tuple[bool, str]:
    if network.version != ip.version:
        return False, f"{ip} is an IPv{ip.version} address"
    matches = ip in network
    if network.num_addresses == 1:
        return matches, f"{ip} is {'' if matches else 'not '}{network.network_address}"
    return matches, f"{ip} is {'' if matches else 'not '}in {network}"


def is_askable(name: str) -> bool:
    """Whether the DNS can be asked for the name: labels of 1 to 63 octets, at least two of them (RFC 7208 §4.3)."""
    labels = name.removesuffix(".").split(".")
    return len(labels) > 1 and len(name) <= 254 and all(0 < len(label) <= 63 for label in labels)
