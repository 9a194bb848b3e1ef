"""Every setting once: its key, default and meaning. The documentation is generated from here."""
# ruff: noqa: RUF009, FBT003 - _setting() makes a field, with the default as the file writes it

from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any

from waybill.settings.value import (
    Endpoint,
    one_of,
    parse_blocklists,
    parse_boolean,
    parse_count,
    parse_domain,
    parse_duration,
    parse_durations,
    parse_endpoint,
    parse_filter,
    parse_hostname,
    parse_hosts,
    parse_port,
    parse_rate,
    parse_region,
    parse_relay,
    parse_servers,
    parse_sources,
    parse_store,
    parse_text,
    parse_topics,
    parse_url,
    parse_workers,
)


def _setting(default: Any, parse: Callable[[object], Any], meaning: str) -> Any:
    """A field with its parser and meaning; ``default`` is written as in the TOML file."""
    return field(default_factory=lambda: parse(default), metadata={"toml": default, "parse": parse, "meaning": meaning})


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """The process tree."""

    workers: int = _setting(0, parse_workers, "Worker processes; 0: one for each processor core.")
    simulator: bool = _setting(True, parse_boolean, "Run the mailbox simulator for mail to simulator.amazonses.com.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Http:
    """The HTTP door."""

    listen: Endpoint = _setting("127.0.0.1:8025", parse_endpoint, "Where the SES, SNS and Waybill APIs are served.")
    public_url: str = _setting(
        "",
        parse_url,
        "The URL under which others reach the HTTP door (in SNS messages); empty: http:// and the listening address.",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """SMTP submission."""

    listen: Endpoint = _setting("127.0.0.1:1025", parse_endpoint, "Where mail is submitted over SMTP.")
    tls_cert: str = _setting(
        "", parse_text, "PEM file with the certificate chain for STARTTLS; empty: STARTTLS is not offered."
    )
    tls_key: str = _setting("", parse_text, "PEM file with the private key for STARTTLS.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Inbound:
    """Mail that comes home."""

    listen: Endpoint = _setting(
        "127.0.0.1:2526", parse_endpoint, "Where bounces and complaints come in (port 25 in production)."
    )
    bounce_domain: str = _setting(
        "bounce.localhost", parse_domain, "The domain of the return path; its MX must lead to the inbound door."
    )
    tls_cert: str = _setting(
        "", parse_text, "PEM file with the certificate chain for STARTTLS; empty: STARTTLS is not offered."
    )
    tls_key: str = _setting("", parse_text, "PEM file with the private key for STARTTLS.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Dns:
    """Name resolution."""

    servers: tuple[str, ...] = _setting(
        [], parse_servers, 'Resolvers such as ["127.0.0.1:5353"]; empty: those of the system.'
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """Sending to the receivers."""

    hostname: str = _setting("", parse_hostname, "The name given in EHLO; empty: the machine's.")
    source_addresses: tuple[str, ...] = _setting(
        [],
        parse_sources,
        "Local IP addresses to send from, each with its own EHLO name after a space where it has one; empty: the system's choice.",
    )
    warm_up: bool = _setting(
        False, parse_boolean, "Warm up every source address from the day on which it is first configured."
    )
    port: int = _setting(25, parse_port, "The receivers' SMTP port.")
    allow_private: bool = _setting(False, parse_boolean, "Deliver to loopback and private addresses.")
    relay: str = _setting(
        "", parse_relay, "A smart host that takes all mail, smtp://user:password@host:port; empty: deliver to the MX."
    )
    dane: bool = _setting(
        True,
        parse_boolean,
        "Hold receivers to their TLSA records (RFC 7672), where a resolver on this machine validates DNSSEC.",
    )
    mta_sts: bool = _setting(True, parse_boolean, "Hold receivers to their MTA-STS policies (RFC 8461).")
    ca_file: str = _setting(
        "",
        parse_text,
        "PEM file of the authorities that receivers' and the relay's certificates are verified with; empty: the system's.",
    )
    retry: tuple[int, ...] = _setting(
        ["1m", "5m", "15m", "30m", "1h"], parse_durations, "Waits between attempts; the last one repeats."
    )
    max_lifetime: int = _setting("14h", parse_duration, "How long delivery is tried before the message expires.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Identities:
    """Who may send."""

    verification: str = _setting(
        "dns", one_of("dns", "none"), 'How senders prove their identity; "none": every sender is accepted.'
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """Limits of accounts that have none of their own."""

    region: str = _setting(
        "us-east-1", parse_region, "The AWS region this installation answers as, in ARNs and error texts."
    )
    max_send_rate: float = _setting(0, parse_rate, "Recipients a second; 0: no limit.")
    max_24_hour_send: int = _setting(0, parse_count, "Recipients in 24 hours; 0: no limit.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How we stand with receivers and blocklists."""

    pause: bool = _setting(
        True,
        parse_boolean,
        "Pause an account or configuration set that is surely over 10 % hard bounces or 0.5 % complaints; false: warn alone.",
    )
    blocklists: tuple[str, ...] = _setting(
        ["all"],
        parse_blocklists,
        'Blocklists to ask every half hour about our public source addresses and verified domains: ids, or "all"; empty: none.',
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """Looking at contents, beside the sending."""

    rspamd: str = _setting(
        "", parse_url, "An Rspamd to ask about every message, such as http://127.0.0.1:11333; empty: none is asked."
    )
    spamassassin: str = _setting(
        "", parse_filter, "A spamd to ask about every message, such as 127.0.0.1:783; empty: none is asked."
    )
    link_lists: tuple[str, ...] = _setting(
        [],
        parse_blocklists,
        'Blocklists to ask about the domains that links lead to: ids of lists of domains, or "all"; empty: none is asked.',
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Publish:
    """Events out."""

    allow_private: bool = _setting(False, parse_boolean, "Post to webhooks on loopback and private addresses.")
    ca_file: str = _setting("", parse_text, "PEM file with further authorities that HTTPS endpoints may be signed by.")
    file: str = _setting("", parse_text, "A file to which every SES event is appended as a line of JSON; empty: none.")


@dataclass(frozen=True, kw_only=True, slots=True)
class AmazonSes:
    """Amazon SES's own notifications."""

    topics: tuple[str, ...] = _setting(
        [],
        parse_topics,
        "ARNs of the SNS topics whose messages are taken at /ingest/amazon-ses; empty: none is.",
    )
    hosts: tuple[str, ...] = _setting(
        [],
        parse_hosts,
        "Hosts that SNS's certificates and confirmations may be fetched from, over HTTPS; empty: Amazon's.",
    )
    raw_password: str = _setting(
        "",
        parse_text,
        "The password (HTTP Basic, in the subscription's URL) with which messages of raw delivery are taken, which nobody signs; empty: they are not.",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """All settings of a process, parsed. Durations are milliseconds."""

    store: str = _setting(
        "sqlite:///waybill-data/waybill.db",
        parse_store,
        "Where the ledger lives: sqlite:///PATH (relative to the working folder) or sqlite:////PATH.",
    )
    service: Service = field(default_factory=Service)
    http: Http = field(default_factory=Http)
    submission: Submission = field(default_factory=Submission)
    inbound: Inbound = field(default_factory=Inbound)
    dns: Dns = field(default_factory=Dns)
    delivery: Delivery = field(default_factory=Delivery)
    identities: Identities = field(default_factory=Identities)
    account: Account = field(default_factory=Account)
    standing: Standing = field(default_factory=Standing)
    content: Content = field(default_factory=Content)
    publish: Publish = field(default_factory=Publish)
    amazon_ses: AmazonSes = field(default_factory=AmazonSes)


def sections() -> dict[str, type[Any]]:
    """The sections by name, in the order of the file; the top level is the empty name."""
    found: dict[str, type[Any]] = {"": Settings}
    for item in fields(Settings):
        if item.default_factory is not MISSING and "parse" not in item.metadata:
            found[item.name] = item.type if isinstance(item.type, type) else type(item.default_factory())
    return found


def settings_of(section: type[Any]) -> dict[str, Field[Any]]:
    """The settings of a section by key."""
    return {item.name: item for item in fields(section) if "parse" in item.metadata}
