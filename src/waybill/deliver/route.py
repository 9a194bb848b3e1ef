"""Where the mail of a domain goes: its MX hosts in order (RFC 5321 §5), a relay, or the route of a zone."""

import random
from itertools import groupby

from waybill.deliver.config import DeliverConfig, Relay, ZoneRoute
from waybill.deliver.evidence import Failure
from waybill.model.ip import is_ip, is_loopback, is_public
from waybill.model.record import record
from waybill.net.resolver import AddressAnswer, AnswerStatus, MxHost, Resolver
from waybill.net.smtp_target import Target, TlsMode


@record(frozen=True, kw_only=True, slots=True)
class NoRoute:
    """There is no way to the domain, or to one of its hosts."""

    failure: Failure
    text: str
    host: str | None = None


@record(frozen=True, kw_only=True, slots=True)
class Route:
    """The hosts to try, in this order. ``text`` says where that is known from. With ``ip`` no DNS is asked."""

    hosts: tuple[str, ...]
    port: int
    text: str
    allow_private: bool = False
    ip: str = ""
    relay: Relay | None = None


@record(frozen=True, kw_only=True, slots=True)
class Router:
    """Finds routes. ``rng`` orders hosts of equal preference and picks source addresses."""

    resolver: Resolver
    config: DeliverConfig
    relay: Relay | None
    rng: random.Random

    async def route(self, domain: str) -> Route | NoRoute:
        """The hosts that take the domain's mail."""
        domain = domain.lower().rstrip(".")
        if domain.startswith("["):
            return NoRoute(
                failure=Failure.ADDRESS_LITERAL, text=f"Waybill does not deliver to address literals such as {domain}"
            )
        zone = self._zone(domain)
        fixed = self._fixed_route(zone)
        if fixed is not None:
            return fixed
        port = zone.smtp_port if zone is not None else self.config.port
        private = self.config.allow_private or (zone is not None and zone.allow_private)
        answer = await self.resolver.mx(domain)
        if answer.status is AnswerStatus.OK:
            hosts = self._order(answer.hosts, answer.text)
        elif answer.status is AnswerStatus.NODATA:
            # RFC 5321 §5.1: without an MX the domain itself is the host; whether it has an address is seen later.
            hosts = self._order((MxHost(preference=0, host=domain),), answer.text)
        else:
            return NoRoute(failure=_DNS_FAILURES[answer.status], text=answer.text)
        if isinstance(hosts, NoRoute):
            return hosts
        return Route(hosts=hosts, port=port, text=answer.text, allow_private=private)

    async def targets(self, route: Route, host: str) -> tuple[Target, ...] | NoRoute:
        """The host's addresses that we may and can connect to."""
        if route.ip:
            found: tuple[str, ...] = (route.ip,)
        elif is_ip(host):  # a relay may be named by its address
            found = (host,)
        else:
            answer = await self.resolver.addresses(host)
            if answer.status is not AnswerStatus.OK:
                return _no_address(host, answer)
            found = answer.addresses
        public = tuple(ip for ip in found if route.allow_private or is_public(ip))
        if not public:
            text = (
                f"{host} has the address {found[0]}, which is private or reserved; "
                "Waybill delivers there only where delivery.allow_private says so"
            )
            return NoRoute(failure=Failure.PRIVATE_ADDRESS, text=text, host=host)
        targets = tuple(target for ip in public for target in self._target(route, host, ip))
        if not targets:
            text = f"{host} has the address {public[0]}, and none of our source addresses is of that family"
            return NoRoute(failure=Failure.NETWORK_DOWN, text=text, host=host)
        return targets

    def _zone(self, domain: str) -> ZoneRoute | None:
        holding = [zone for zone in self.config.zone_routes if zone.holds(domain)]
        return max(holding, key=lambda zone: len(zone.zone), default=None)

    def _fixed_route(self, zone: ZoneRoute | None) -> Route | None:
        if zone is not None:
            name = zone.host or zone.ip
            what = "All mail" if zone.zone == "." else f"All mail for {zone.zone}"
            text = f"{what} goes to {name}"
            route = Route(hosts=(name,), port=zone.smtp_port, text=text, allow_private=True, ip=zone.ip)
            return route if zone.ip else None
        if self.relay is None:
            return None
        text = f"All mail goes to the relay {self.relay.host}"
        return Route(hosts=(self.relay.host,), port=self.relay.port, text=text, allow_private=True, relay=self.relay)

    def _order(self, records: tuple[MxHost, ...], text: str) -> tuple[str, ...] | NoRoute:
        hosts = [record for record in records if record.host]
        if not hosts:  # RFC 7505
            return NoRoute(failure=Failure.NULL_MX, text=text)
        ours = self.config.hostname.lower().rstrip(".")
        best = min((record.preference for record in hosts if record.host == ours), default=None)
        if best is not None:  # RFC 5321 §5.1: neither ourselves nor any that is not preferred to us
            hosts = [record for record in hosts if record.preference < best]
        if not hosts:
            text = f"The best MX host is {ours}, which is this server, and mail for it is not taken here: {text}"
            return NoRoute(failure=Failure.LOOP, text=text, host=ours)
        ordered: list[MxHost] = []
        for _, group in groupby(hosts, key=lambda record: record.preference):
            equals = list(group)
            self.rng.shuffle(equals)
            ordered += equals
        return tuple(record.host for record in ordered)

    def _target(self, route: Route, host: str, ip: str) -> tuple[Target, ...]:
        sources = self.config.source_addresses
        fitting = [source for source in sources if (":" in source) is (":" in ip)]
        if sources and not fitting and not route.allow_private:
            return ()
        relay = route.relay
        tls, verify = TlsMode.OPPORTUNISTIC, False
        if relay is not None:
            # A password goes to whom we know, or stays near.
            verify = relay.credentials is not None and is_public(ip)
            tls = TlsMode.REQUIRED if verify else tls
            tls = TlsMode.IMPLICIT if relay.implicit_tls else tls
        return (
            Target(
                host=host,
                ip=ip,
                port=route.port,
                source_ip=self.rng.choice(fitting) if fitting and not is_loopback(ip) else None,
                tls=tls,
                credentials=relay.credentials if relay is not None else None,
                verify=verify,
            ),
        )


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
