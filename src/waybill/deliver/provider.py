"""The mailbox providers (``providers.toml``), and the site that a domain's mail goes to: a provider, or a host of its own."""

import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any

from waybill.model.record import record

DEFAULT_CONNECTIONS = 20
DEFAULT_MESSAGES = 100
MAX_SITES = 50_000
_KEYS = {"name", "title", "mx", "marks", "connections", "messages_per_connection", "per_second", "source"}
_NUMBERS = ("connections", "messages_per_connection", "per_second")


class ProviderError(ValueError):
    """The providers file has a fault; the text names the provider, the key and what is allowed."""


@record(frozen=True, kw_only=True, slots=True)
class Provider:
    """A mailbox provider: known by the suffixes of its MX hosts, or by marks that its replies bear.

    The numbers are None where nobody published one. ``source`` says where each is from.
    """

    name: str
    title: str
    mx: tuple[str, ...]
    marks: tuple[str, ...] = ()
    connections: int | None = None
    messages_per_connection: int | None = None
    per_second: float | None = None
    source: Mapping[str, str]


@record(frozen=True, kw_only=True, slots=True)
class Site:
    """Where the mail of one or many domains goes: what they share, and what it can bear.

    ``name`` is the provider's; for others the best MX host, the relay's host, or the domain where DNS names no host. The
    numbers are for all workers together.
    """

    name: str
    title: str
    provider: str | None
    connections: int
    per_second: float | None
    messages_per_connection: int

    def share(self, workers: int) -> int:
        """How many of the connections one of so many workers may have."""
        return max(1, self.connections // max(1, workers))


@record(frozen=True, kw_only=True, slots=True)
class Providers:
    """All providers in their order, by name and by the suffixes of their hosts."""

    all: tuple[Provider, ...]
    by_name: Mapping[str, Provider]
    by_suffix: Mapping[str, Provider]

    def of_host(self, host: str) -> Provider | None:
        """The provider whose host this is."""
        rest = host.rstrip(".").lower()
        while rest:
            found = self.by_suffix.get(rest)
            if found is not None:
                return found
            rest = rest.partition(".")[2]
        return None

    def find(self, mx: str | None, text: str) -> str | None:
        """The name of the provider whose server ``mx`` is; where that tells nothing, of the one whose marks ``text`` bears."""
        found = self.of_host(mx) if mx is not None else None
        if found is not None:
            return found.name
        for provider in self.all:
            if any(mark in text for mark in provider.marks):
                return provider.name
        return None

    def site(self, host: str, *, connections: int = DEFAULT_CONNECTIONS, messages: int = DEFAULT_MESSAGES) -> Site:
        """The site whose best MX host is ``host``; the defaults hold where no number is known."""
        provider = self.of_host(host)
        if provider is None:
            return plain_site(host, connections=connections, messages=messages)
        return Site(
            name=provider.name,
            title=provider.title,
            provider=provider.name,
            connections=provider.connections or connections,
            per_second=provider.per_second,
            messages_per_connection=provider.messages_per_connection or messages,
        )


def plain_site(name: str, *, connections: int = DEFAULT_CONNECTIONS, messages: int = DEFAULT_MESSAGES) -> Site:
    """The site of a host that belongs to no provider we know."""
    return Site(
        name=name,
        title=name,
        provider=None,
        connections=connections,
        per_second=None,
        messages_per_connection=messages,
    )


def load_providers(document: str | None = None) -> Providers:
    """The providers of ``document`` in TOML; of the file beside this module where it is None.

    Raises:
        ProviderError: the document is no TOML, or a provider is incomplete, doubtful or said twice.
    """
    if document is None:
        document = resources.files("waybill.deliver").joinpath("providers.toml").read_text("utf-8")
    try:
        table = tomllib.loads(document)
    except tomllib.TOMLDecodeError as error:
        raise ProviderError(f"providers.toml: {error}") from error
    found = tuple(_read_provider(entry) for entry in table.get("provider", ()))
    by_name = {provider.name: provider for provider in found}
    if len(by_name) < len(found):
        twice = next(name for name in by_name if [provider.name for provider in found].count(name) > 1)
        raise ProviderError(f"provider {twice!r}: the name is used twice")
    return Providers(all=found, by_name=by_name, by_suffix=_by_suffix(found))


def _read_provider(entry: Mapping[str, Any]) -> Provider:
    name = str(entry.get("name", ""))
    unknown = sorted(set(entry) - _KEYS)
    if unknown:
        raise ProviderError(f"provider {name!r}: unknown key {unknown[0]!r}; allowed are {', '.join(sorted(_KEYS))}")
    if not (name and entry.get("title") and entry.get("mx")):
        raise ProviderError(f"provider {name!r}: needs a name, a title, and mx with the suffixes of its MX hosts")
    source = dict(entry.get("source", {}))
    for key in _NUMBERS:
        number = entry.get(key)
        if number is not None and (isinstance(number, bool) or not isinstance(number, int | float) or number <= 0):
            raise ProviderError(f"provider {name!r}: {key} = {number!r}; allowed is a number above 0")
        if number is not None and not source.get(key):
            raise ProviderError(f"provider {name!r}: {key} = {number} without source.{key}; say where it is from")
        if number is None and key in source:
            raise ProviderError(f"provider {name!r}: source.{key} without {key}")
    strange = sorted(set(source) - set(_NUMBERS))
    if strange:
        raise ProviderError(f"provider {name!r}: source.{strange[0]}; allowed are {', '.join(_NUMBERS)}")
    return Provider(
        name=name,
        title=str(entry["title"]),
        mx=tuple(suffix.lower().strip(".") for suffix in entry["mx"]),
        marks=tuple(mark.lower() for mark in entry.get("marks", ())),
        connections=entry.get("connections"),
        messages_per_connection=entry.get("messages_per_connection"),
        per_second=entry.get("per_second"),
        source=source,
    )


def _by_suffix(providers: Iterable[Provider]) -> dict[str, Provider]:
    found: dict[str, Provider] = {}
    for provider in providers:
        for suffix in provider.mx:
            if suffix in found:
                raise ProviderError(f"provider {provider.name!r}: mx {suffix!r} is {found[suffix].name!r}'s already")
            found[suffix] = provider
    for suffix, provider in found.items():
        rest = suffix.partition(".")[2]
        while rest:
            if rest in found:
                raise ProviderError(
                    f"provider {provider.name!r}: mx {suffix!r} is inside {rest!r} of {found[rest].name!r}; "
                    "no suffix may be inside another"
                )
            rest = rest.partition(".")[2]
    return found


PROVIDERS = load_providers()


class Sites:
    """The sites that mail goes to: by their hosts, and by the domains whose mail went there last. Bounded: the oldest go first.

    ``connections`` and ``messages`` hold where no number is known.
    """

    def __init__(self, *, connections: int = DEFAULT_CONNECTIONS, messages: int = DEFAULT_MESSAGES) -> None:
        self._connections = connections
        self._messages = messages
        self._by_host: dict[str, Site] = {}
        self._by_domain: dict[str, Site] = {}

    def of_host(self, host: str) -> Site:
        """The site whose best MX host this is."""
        site = self._by_host.get(host)
        if site is None:
            site = PROVIDERS.site(host, connections=self._connections, messages=self._messages)
            _keep(self._by_host, host, site)
        return site

    def remember(self, domain: str, site: Site) -> Site:
        """Keeps where the domain's mail goes, and returns it."""
        if self._by_domain.get(domain) is not site:
            self._by_domain.pop(domain, None)
            _keep(self._by_domain, domain, site)
        return site

    def known(self, domain: str) -> Site | None:
        """Where the domain's mail went last; None where it is not known (any more)."""
        return self._by_domain.get(domain)


def _keep(sites: dict[str, Site], name: str, site: Site) -> None:
    while len(sites) >= MAX_SITES:
        del sites[next(iter(sites))]
    sites[name] = site
