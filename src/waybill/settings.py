"""Every setting once: its key, default and meaning. The documentation is generated from here."""

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from waybill.model.clock import DAY, HOUR, MINUTE, SECOND

ENVIRONMENT_PREFIX = "WAYBILL__"
DEFAULT_FILE = Path("waybill.toml")


class SettingsError(Exception):
    """A setting is wrong: one line that names the file (or variable), the key and what is allowed."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address to listen on."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


_UNITS = {"ms": 1, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}


def parse_duration(value: object) -> int:
    """Milliseconds of ``"30s"``, ``"5m"``, ``"14h"``. Raises: ValueError."""
    match = re.fullmatch(r"(\d+)(ms|s|m|h|d)", value) if isinstance(value, str) else None
    if match is None or int(match[1]) == 0:
        raise ValueError('a duration such as "30s", "5m" or "14h"')
    return int(match[1]) * _UNITS[match[2]]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("a text")  # noqa: TRY004 - every parser here raises ValueError
    return value


def _boolean(value: object) -> bool:
    if value in (True, "true", "1", "yes"):
        return True
    if value in (False, "false", "0", "no"):
        return False
    raise ValueError("true or false")


def _count(value: object) -> int:
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError("a whole number, 0 or more")


def _rate(value: object) -> float:
    try:
        rate = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else -1.0
    except ValueError:
        rate = -1.0
    if not 0 <= rate < float("inf"):
        raise ValueError("a number, 0 or more")
    return rate


def _port(value: object) -> int:
    number = _count(value)
    if not 1 <= number <= 65_535:
        raise ValueError("a port from 1 to 65535")
    return number


def _endpoint(value: object) -> Endpoint:
    host, _, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise ValueError('an address and port such as "127.0.0.1:8025" (port 0: any free one)')
    return Endpoint(host.strip("[]"), int(port))


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError('a list of texts such as ["127.0.0.1:5353"]')
    return tuple(value)


def _durations(value: object) -> tuple[int, ...]:
    parsed = tuple(parse_duration(item) for item in _texts(value))
    if not parsed:
        raise ValueError('a list of at least one duration such as ["1m", "5m"]')
    return parsed


def _store(value: object) -> str:
    text = _text(value)
    if not text.startswith(("sqlite:///", "postgresql://")):
        raise ValueError("sqlite:///PATH or postgresql://…")
    return text


def _url(value: object) -> str:
    text = _text(value).rstrip("/")
    if text and (urlsplit(text).scheme not in {"http", "https"} or not urlsplit(text).netloc):
        raise ValueError("an http:// or https:// URL, or empty")
    return text


def _relay(value: object) -> str:
    text = _text(value)
    if text and (urlsplit(text).scheme not in {"smtp", "smtps"} or not urlsplit(text).hostname):
        raise ValueError("smtp://user:password@host:port (or smtps://), or empty")
    return text


def _one_of(*allowed: str) -> Callable[[object], str]:
    def parse(value: object) -> str:
        if value not in allowed:
            raise ValueError(" or ".join(f'"{word}"' for word in allowed))
        return str(value)

    return parse


def _setting(default: Any, parse: Callable[[object], Any], meaning: str) -> Any:
    """A field with its parser and meaning; ``default`` is written as in the TOML file."""
    return field(default_factory=lambda: parse(default), metadata={"toml": default, "parse": parse, "meaning": meaning})


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """The process tree."""

    workers: int = _setting(0, _count, "Worker processes; 0: one for each processor core.")
    simulator: bool = _setting(True, _boolean, "Run the mailbox simulator for mail to simulator.amazonses.com.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Http:
    """The HTTP door."""

    listen: Endpoint = _setting("127.0.0.1:8025", _endpoint, "Where the SES, SNS and Waybill APIs are served.")
    public_url: str = _setting(
        "",
        _url,
        "The URL under which others reach the HTTP door (in SNS messages); empty: http:// and the listening address.",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """SMTP submission."""

    listen: Endpoint = _setting("127.0.0.1:1025", _endpoint, "Where mail is submitted over SMTP.")
    tls_cert: str = _setting(
        "", _text, "PEM file with the certificate chain for STARTTLS; empty: STARTTLS is not offered."
    )
    tls_key: str = _setting("", _text, "PEM file with the private key for STARTTLS.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Inbound:
    """Mail that comes home."""

    listen: Endpoint = _setting(
        "127.0.0.1:2526", _endpoint, "Where bounces and complaints come in (port 25 in production)."
    )
    bounce_domain: str = _setting(
        "bounce.localhost", _text, "The domain of the return path; its MX must lead to the inbound door."
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Dns:
    """Name resolution."""

    servers: tuple[str, ...] = _setting([], _texts, 'Resolvers such as ["127.0.0.1:5353"]; empty: those of the system.')


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """Sending to the receivers."""

    hostname: str = _setting("", _text, "The name given in EHLO; empty: the machine's.")
    source_addresses: tuple[str, ...] = _setting(
        [], _texts, "Local IP addresses to send from; empty: the system's choice."
    )
    port: int = _setting(25, _port, "The receivers' SMTP port.")
    allow_private: bool = _setting(False, _boolean, "Deliver to loopback and private addresses.")
    relay: str = _setting(
        "", _relay, "A smart host that takes all mail, smtp://user:password@host:port; empty: deliver to the MX."
    )
    retry: tuple[int, ...] = _setting(
        ["1m", "5m", "15m", "30m", "1h"], _durations, "Waits between attempts; the last one repeats."
    )
    max_lifetime: int = _setting("14h", parse_duration, "How long delivery is tried before the message expires.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Identities:
    """Who may send."""

    verification: str = _setting(
        "dns", _one_of("dns", "none"), 'How senders prove their identity; "none": every sender is accepted.'
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """Limits of accounts that have none of their own."""

    region: str = _setting("us-east-1", _text, "The AWS region this installation answers as, in ARNs and error texts.")
    max_send_rate: float = _setting(0, _rate, "Recipients a second; 0: no limit.")
    max_24_hour_send: int = _setting(0, _count, "Recipients in 24 hours; 0: no limit.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Publish:
    """Events out."""

    allow_private: bool = _setting(False, _boolean, "Post to webhooks on loopback and private addresses.")
    ca_file: str = _setting("", _text, "PEM file with further authorities that HTTPS endpoints may be signed by.")
    file: str = _setting("", _text, "A file to which every SES event is appended as a line of JSON; empty: none.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """All settings of a process, parsed. Durations are milliseconds."""

    store: str = _setting(
        "sqlite:///waybill-data/waybill.db",
        _store,
        "Where the ledger lives: sqlite:///PATH (relative to the working folder) or postgresql://…",
    )
    service: Service = field(default_factory=Service)
    http: Http = field(default_factory=Http)
    submission: Submission = field(default_factory=Submission)
    inbound: Inbound = field(default_factory=Inbound)
    dns: Dns = field(default_factory=Dns)
    delivery: Delivery = field(default_factory=Delivery)
    identities: Identities = field(default_factory=Identities)
    account: Account = field(default_factory=Account)
    publish: Publish = field(default_factory=Publish)


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


def _parse_section(name: str, section: type[Any], values: Mapping[str, object], where: str) -> dict[str, Any]:
    known = settings_of(section)
    parsed: dict[str, Any] = {}
    for key, value in values.items():
        full = f"{name}.{key}" if name else key
        if key not in known:
            allowed = ", ".join([*known, *(() if name else [s for s in sections() if s])])
            raise SettingsError(f"{where}: unknown setting {full!r}; allowed: {allowed}")
        try:
            parsed[key] = known[key].metadata["parse"](value)
        except ValueError as error:
            raise SettingsError(f"{where}: {full} = {value!r} is not allowed; it must be {error}") from None
    return parsed


def _apply(settings: Settings, document: Mapping[str, Any], where: str) -> Settings:
    known_sections = {name: cls for name, cls in sections().items() if name}
    top = {key: value for key, value in document.items() if key not in known_sections}
    settings = replace(settings, **_parse_section("", Settings, top, where))
    for name, section in known_sections.items():
        values = document.get(name, {})
        if not isinstance(values, Mapping):
            raise SettingsError(f"{where}: {name} = {values!r} is not allowed; it must be a table, [{name}]")
        changed = _parse_section(name, section, values, where)
        settings = replace(settings, **{name: replace(getattr(settings, name), **changed)})
    return settings


def _from_environment(environment: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Each variable ``WAYBILL__SECTION__KEY`` as a document of its own, so that errors can name it."""
    documents: dict[str, dict[str, Any]] = {}
    for variable, text in sorted(environment.items()):
        if not variable.startswith(ENVIRONMENT_PREFIX):
            continue
        path = variable.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
        value: object = text
        if text.startswith("["):
            try:
                value = tomllib.loads(f"value = {text}")["value"]
            except tomllib.TOMLDecodeError as error:
                raise SettingsError(f"{variable}: not a TOML list: {error}") from None
        documents[variable] = {path[0]: value} if len(path) == 1 else {path[0]: {"__".join(path[1:]): value}}
    return documents


def _check_together(settings: Settings, where: str) -> None:
    submission = settings.submission
    if bool(submission.tls_cert) != bool(submission.tls_key):
        missing = "tls_key" if submission.tls_cert else "tls_cert"
        raise SettingsError(f"{where}: submission.{missing} is missing; STARTTLS needs both tls_cert and tls_key")
    for key, path in (
        ("submission.tls_cert", submission.tls_cert),
        ("submission.tls_key", submission.tls_key),
        ("publish.ca_file", settings.publish.ca_file),
    ):
        if path and not Path(path).is_file():
            raise SettingsError(f"{where}: {key} = {path!r} is not allowed; it must be a file that exists")


def load_settings(file: Path | None, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of a file (else ``WAYBILL_CONFIG``, else ./waybill.toml where it exists) and of the environment, which wins.

    Raises:
        SettingsError: a file that cannot be read, an unknown key, a value that is not allowed.
    """
    if file is None and environment.get("WAYBILL_CONFIG"):
        file = Path(environment["WAYBILL_CONFIG"])
    if file is None and DEFAULT_FILE.exists():
        file = DEFAULT_FILE
    settings = Settings()
    where = str(file) if file is not None else "the defaults"
    if file is not None:
        try:
            document = tomllib.loads(file.read_text("utf-8"))
        except OSError as error:
            raise SettingsError(f"{file}: cannot be read: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"{file}: not a TOML file: {error}") from None
        settings = _apply(settings, document, str(file))
    for variable, values in _from_environment(environment).items():
        settings = _apply(settings, values, variable)
    _check_together(settings, where)
    return settings
