"""Where the mail of a domain goes: its MX hosts in order (RFC 5321 §5), a relay, or the route of a zone."""

import random
from collections.abc import Sequence
from dataclasses import field
from functools import lru_cache
from itertools import groupby

from waybill.deliver.config import DeliverConfig, Relay, Source, ZoneRoute
from waybill.deliver.evidence import Failure
from waybill.deliver.provider import Site, Sites, plain_site
from waybill.model.ip import is_ip, is_loopback, is_public
from waybill.model.record import record
from waybill.net.machine import Machine
from waybill.net.resolver import AddressAnswer, AnswerStatus, MxHost, Resolver
from waybill.net.smtp_target import Target, TlsMode

_EVERY_INTERFACE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound


@record(frozen=True, kw_only=True, slots=True)
class NoRoute:
    """There is no way to the domain, or to one of its hosts."""

    failure: Failure
    text: str
    host: str | None = None
    site: Site | None = None


@record(frozen=True, kw_only=True, slots=True)
class Route:
    """The hosts to try: ``groups`` of equal preference, the best first. ``text`` says where that is known from.

    With ``ip`` no DNS is asked. ``fixed``: the settings name the way, so that it may lead to this machine.
    """

    groups: tuple[tuple[str, ...], ...]
    port: int
    text: str
    site: Site
    allow_private: bool = False
    fixed: bool = False
    ip: str = ""
    relay: Relay | None = None

    @property
    def hosts(self) -> tuple[str, ...]:
        """All hosts in the order in which they are tried."""
        return tuple(host for group in self.groups for host in group)


@record(frozen=True, kw_only=True, slots=True)
class Router:
    """Finds routes. ``rng`` orders hosts of equal preference and picks source addresses."""

    resolver: Resolver
    config: DeliverConfig
    relay: Relay | None
    rng: random.Random
    sites: Sites = field(default_factory=Sites)
    machine: Machine = field(default_factory=Machine)
    fixed: dict[str, Route] = field(default_factory=dict)

    async def route(self, domain: str) -> Route | NoRoute:
        """The hosts that take the domain's mail."""
        domain = domain.lower().rstrip(".")
        if domain.startswith("["):
            text = f"Waybill does not deliver to address literals such as {domain}"
            return NoRoute(failure=Failure.ADDRESS_LITERAL, text=text, site=plain_site(domain))
        zone = self._zone(domain)
        fixed = self._fixed_route(zone)
        if fixed is not None:
            self.sites.remember(domain, fixed.site)
            return fixed
        answer = await self.resolver.mx(domain)
        if answer.status is AnswerStatus.OK:
            hosts = answer.hosts
            if not all(each.host for each in hosts):  # a null MX beside others is a mistake, and says nothing
                hosts = tuple(each for each in hosts if each.host)
        elif answer.status is AnswerStatus.NODATA:
            # RFC 5321 §5.1: without an MX the domain itself is the host; whether it has an address is seen later.
            hosts = (MxHost(preference=0, host=domain),)
        else:
            site = self.sites.known(domain) or plain_site(domain)
            return NoRoute(failure=_DNS_FAILURES[answer.status], text=answer.text, site=site)
        if not hosts:  # RFC 7505
            site = self.sites.remember(domain, self.sites.of_host(domain))
            return NoRoute(failure=Failure.NULL_MX, text=answer.text, site=site)
        site = self.sites.remember(domain, self.sites.of_host(hosts[0].host))
        groups = self._order(hosts)
        if not groups:
            name = self.config.hostname
            text = f"The best MX host is {name}, which is this server, and mail for it is not taken here: {answer.text}"
            return NoRoute(failure=Failure.LOOP, text=text, host=name, site=site)
        return Route(
            groups=groups,
            port=zone.smtp_port if zone is not None else self.config.port,
            text=answer.text,
            site=site,
            allow_private=self.config.allow_private or (zone is not None and zone.allow_private),
            fixed=zone is not None,
        )

    async def leads_home(self, route: Route, hosts: Sequence[str]) -> NoRoute | None:
        """The loop that hosts of one preference would make: an address of one is where this server takes mail in.

        RFC 5321 §5.1: then neither they are tried nor any that comes after them.
        """
        if route.fixed or all(port != route.port for _, port in self.config.listening):
            return None
        for host in hosts:
            answer = await self.resolver.addresses(host)
            for ip in answer.addresses:
                if self._is_ours(ip, route.port):
                    text = f"[{ip}]:{route.port} is this server, where mail for the domain is not taken; no host after it is tried"
                    return NoRoute(failure=Failure.LOOP, text=text, host=host)
        return None

    async def targets(
        self, route: Route, host: str, senders: Sequence[Source], *, prefer: Target | None = None
    ) -> tuple[Target, ...] | NoRoute:
        """The host's addresses that we may and can connect to from one of ``senders``, ``prefer`` before the others."""
        if route.ip:
            found: tuple[str, ...] = (route.ip,)
        elif is_ip(host):  # a relay may be named by its address
            found = (host,)
        else:
            answer = await self.resolver.addresses(host)
            if answer.status is not AnswerStatus.OK:
                return _no_address(host, answer)
            found = answer.addresses
        allowed = found if route.allow_private else tuple(ip for ip in found if is_public(ip))
        if not allowed:
            text = (
                f"{host} has the address {found[0]}, which is private or reserved; "
                "Waybill delivers there only where delivery.allow_private says so"
            )
            return NoRoute(failure=Failure.PRIVATE_ADDRESS, text=text, host=host)
        targets = [self._target(route, host, ip, source) for ip, source in self._pairs(route, allowed, senders)]
        if not targets:
            text = f"{host} has the address {allowed[0]}, and none of our source addresses is of that family"
            return NoRoute(failure=Failure.NETWORK_DOWN, text=text, host=host)
        if prefer is not None:
            targets.sort(key=lambda target: target.ip != prefer.ip)
            if targets[0].ip == prefer.ip and any(source.ip == prefer.source_ip for source in senders):
                source = next(source for source in senders if source.ip == prefer.source_ip)
                targets[0] = self._target(route, host, prefer.ip, source)
        return tuple(targets)

    def _zone(self, domain: str) -> ZoneRoute | None:
        if not self.config.zone_routes:
            return None
        holding = [zone for zone in self.config.zone_routes if zone.holds(domain)]
        return max(holding, key=lambda zone: len(zone.zone), default=None)

    def _fixed_route(self, zone: ZoneRoute | None) -> Route | None:
        way = zone if zone is not None else self.relay
        if way is None or (zone is not None and not zone.ip):
            return None
        name = zone.zone if zone is not None else ""
        found = self.fixed.get(name)
        if found is None:
            found = self.fixed[name] = self._single(way)
        return found

    def _single(self, way: ZoneRoute | Relay) -> Route:
        if isinstance(way, Relay):
            host, port, text = way.host, way.port, f"All mail goes to the relay {way.host}"
        else:
            host, port = way.host or way.ip, way.smtp_port
            text = f"{'All mail' if way.zone == '.' else f'All mail for {way.zone}'} goes to {host}"
        return Route(
            groups=((host,),),
            port=port,
            text=text,
            # What the operator named is the operator's: each worker may use it as much as if it were the only one.
            site=plain_site(
                host,
                connections=self.config.connections * self.config.workers,
                messages=self.config.max_messages,
            ),
            allow_private=True,
            fixed=True,
            ip=way.ip if isinstance(way, ZoneRoute) else "",
            relay=way if isinstance(way, Relay) else None,
        )

    def _order(self, hosts: tuple[MxHost, ...]) -> tuple[tuple[str, ...], ...]:
        groups = _rank(hosts, self.config.hostname.lower().rstrip("."))
        if all(len(group) == 1 for group in groups):
            return groups
        return tuple(tuple(self.rng.sample(group, len(group))) for group in groups)

    def _is_ours(self, ip: str, port: int) -> bool:
        for address, listening in self.config.listening:
            if listening == port and (address == ip or (address in _EVERY_INTERFACE and self._owns(ip))):
                return True
        return False

    def _owns(self, ip: str) -> bool:
        return self.machine.owns(ip) or any(text.partition(" ")[0] == ip for text in self.config.source_addresses)

    def _pairs(self, route: Route, ips: Sequence[str], senders: Sequence[Source]) -> list[tuple[str, Source | None]]:
        """The addresses in the order of trying them, each with where to send from (None: the kernel's choice).

        IPv6 comes first where we have an address of it. Where the machine has no way to the IPv6 internet, it is not tried.
        """
        v4 = [ip for ip in ips if ":" not in ip]
        v6 = [ip for ip in ips if ":" in ip]
        if not senders or not senders[0].ip:
            if v6 and not self.machine.reaches_ipv6():
                near = [ip for ip in v6 if not is_public(ip)]
                return [(ip, None) for ip in (v4 + near or v6)]
            return [(ip, None) for ip in v6 + v4]
        pairs: list[tuple[str, Source | None]] = []
        for family, is_v6 in ((v6, True), (v4, False)):
            fitting = [source for source in senders if source.is_v6 is is_v6]
            local = [source for source in fitting if is_loopback(source.ip)]
            for ip in family:
                usable = local if is_loopback(ip) else fitting
                if usable:
                    pairs.append((ip, self.rng.choice(usable)))
                elif is_loopback(ip) or route.allow_private:
                    pairs.append((ip, None))
        return pairs

    def _target(self, route: Route, host: str, ip: str, source: Source | None) -> Target:
        relay = route.relay
        tls, verify = TlsMode.OPPORTUNISTIC, False
        if relay is not None:
            # A password goes to whom we know, or stays near.
            verify = relay.credentials is not None and not (is_loopback(ip) or self.machine.owns(ip))
            tls = TlsMode.REQUIRED if verify else tls
            tls = TlsMode.IMPLICIT if relay.implicit_tls else tls
        return Target(
            host=host,
            ip=ip,
            port=route.port,
            source_ip=source.ip if source is not None else None,
            tls=tls,
            credentials=relay.credentials if relay is not None else None,
            verify=verify,
            helo=source.helo if source is not None else "",
        )


@lru_cache(maxsize=4_096)
def _rank(hosts: tuple[MxHost, ...], ours: str) -> tuple[tuple[str, ...], ...]:
    """The hosts by preference, without ourselves and those that are not preferred to us (RFC 5321 §5.1)."""
    best = min((each.preference for each in hosts if each.host == ours), default=None)
    ranked = groupby(hosts, key=lambda each: each.preference)
    return tuple(tuple(each.host for each in group) for rank, group in ranked if best is None or rank < best)


_DNS_FAILURES = {
    AnswerStatus.NXDOMAIN: Failure.DOMAIN_NOT_FOUND,
    AnswerStatus.BAD_NAME: Failure.DOMAIN_NOT_FOUND,
    AnswerStatus.NODATA: Failure.NO_ADDRESS,
    AnswerStatus.SERVFAIL: Failure.DNS_FAILURE,
    AnswerStatus.REFUSED: Failure.DNS_FAILURE,
    AnswerStatus.FAILED: Failure.DNS_FAILURE,
    AnswerStatus.TIMEOUT: Failure.DNS_TIMEOUT,
}


def _no_address(host: str, answer: AddressAnswer) -> NoRoute:
    failure = _DNS_FAILURES[answer.status]
    if failure is Failure.DOMAIN_NOT_FOUND:  # the domain exists (it has an MX); this host of it does not
        failure = Failure.NO_ADDRESS
    return NoRoute(failure=failure, text=answer.text, host=host)
