"""What a setting may be: parsers from TOML values (or texts of the environment). What they raise says what is allowed."""

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from waybill.deliver.config import parse_relay as parse_relay_url
from waybill.deliver.config import parse_source
from waybill.model.clock import DAY, HOUR, MINUTE, SECOND
from waybill.net.resolver import parse_server
from waybill.standing.blocklists import blocklists
from waybill.store.open import sqlite_path

MOST_WORKERS = 256
EVERY_BLOCKLIST = "all"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address to listen on."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


_UNITS = {"ms": 1, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_LONGEST = 365 * DAY
_DOMAIN = re.compile(r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.?)+")
_TOPIC = re.compile(r"arn:[a-z0-9-]+:sns:[a-z0-9-]+:[0-9]+:[A-Za-z0-9_-]{1,256}(?:\.fifo)?")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?(?::[0-9]{1,5})?")
_REGION = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def parse_duration(value: object) -> int:
    """Milliseconds of ``"30s"``, ``"5m"``, ``"14h"``. Raises: ValueError."""
    match = re.fullmatch(r"([0-9]{1,9})(ms|s|m|h|d)", value) if isinstance(value, str) else None
    duration = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 0 < duration <= _LONGEST:
        raise ValueError('a duration such as "30s", "5m" or "14h", at most "365d"')
    return duration


def parse_text(value: object) -> str:
    if not isinstance(value, str) or not (value.isprintable() or not value):
        raise ValueError("a text on one line")
    return value


def parse_boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if value not in ("true", "1", "yes", "false", "0", "no"):
        raise ValueError("true or false")
    return value in ("true", "1", "yes")


def parse_count(value: object) -> int:
    if isinstance(value, str) and re.fullmatch("[0-9]{1,12}", value):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**12:
        return value
    raise ValueError("a whole number, 0 or more")


def parse_workers(value: object) -> int:
    try:
        number = parse_count(value)
    except ValueError:
        number = -1
    if not 0 <= number <= MOST_WORKERS:
        raise ValueError(f"a whole number from 0 to {MOST_WORKERS}")
    return number


def parse_rate(value: object) -> float:
    try:
        rate = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else -1.0
    except (ValueError, OverflowError):
        rate = -1.0
    if not 0 <= rate < float("inf"):
        raise ValueError("a number, 0 or more")
    return rate


def parse_port(value: object) -> int:
    try:
        number = parse_count(value)
    except ValueError:
        number = 0
    if not 1 <= number <= 65_535:
        raise ValueError("a port from 1 to 65535")
    return number


def parse_endpoint(value: object) -> Endpoint:
    match = (
        re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})", value)
        if isinstance(value, str)
        else None
    )
    if match is None or int(match[3]) > 65_535:
        raise ValueError('an address and port such as "127.0.0.1:8025" or "[::1]:8025" (port 0: any free one)')
    return Endpoint(match[1] or match[2], int(match[3]))


def _texts(value: object) -> tuple[str, ...]:
    """A list; as text (in the environment) a TOML list, or items with commas between them."""
    if isinstance(value, str):
        value = _toml_list(value) or [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError('a list of texts such as ["1m", "5m"]')
    return tuple(value)


def _toml_list(text: str) -> object:
    if not text.startswith("["):
        return None
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return None


def parse_servers(value: object) -> tuple[str, ...]:
    servers = _all_of(value, parse_server)
    if servers is None:
        raise ValueError('a list of IP addresses, with a port where it is not 53, such as ["127.0.0.1:5353"]')
    return servers


def _matching(pattern: re.Pattern[str]) -> Callable[[str], object]:
    def parse(text: str) -> object:
        if not pattern.fullmatch(text):
            raise ValueError(text)
        return text

    return parse


def parse_topics(value: object) -> tuple[str, ...]:
    """ARNs of SNS topics. Raises: ValueError."""
    topics = _all_of(value, _matching(_TOPIC))
    if topics is None:
        raise ValueError('a list of ARNs of SNS topics, such as ["arn:aws:sns:us-east-1:123456789012:ses-events"]')
    return topics


def parse_hosts(value: object) -> tuple[str, ...]:
    """Names of hosts, with a port where it is not 443. Raises: ValueError."""
    hosts = _all_of(value, _matching(_HOST))
    if hosts is None:
        raise ValueError('a list of host names, with a port where it is not 443, such as ["sns.waybill.example:8443"]')
    return tuple(host.lower() for host in hosts)


def parse_sources(value: object) -> tuple[str, ...]:
    sources = _all_of(value, parse_source)
    if sources is None or len({parse_source(source).ip for source in sources}) < len(sources):
        raise ValueError(
            'a list of different IP addresses, with an EHLO name or without: ["192.0.2.7", "192.0.2.8 m8.example.com"]'
        )
    return sources


def _all_of(value: object, parse: Callable[[str], object]) -> tuple[str, ...] | None:
    """The list, if each of its items can be parsed."""
    try:
        texts = _texts(value)
        for text in texts:
            parse(text)
    except ValueError:
        return None
    return texts


def parse_blocklists(value: object) -> tuple[str, ...]:
    known = tuple(blocklist.id for blocklist in blocklists())
    try:
        ids = _texts(value)
    except ValueError:
        ids = ("",)
    if ids == (EVERY_BLOCKLIST,):
        return known
    if not set(ids) <= set(known):
        raise ValueError(f'["{EVERY_BLOCKLIST}"], or a list of ids such as "{known[0]}" (docs/checks.md has them)')
    return ids


def parse_durations(value: object) -> tuple[int, ...]:
    try:
        parsed = tuple(parse_duration(item) for item in _texts(value))
    except ValueError:
        parsed = ()
    if not parsed:
        raise ValueError('a list of at least one duration such as ["1m", "5m"]')
    return parsed


def parse_domain(value: object) -> str:
    if not isinstance(value, str) or len(value) > 253 or not _DOMAIN.fullmatch(value):
        raise ValueError("a domain name such as bounce.example.com")
    return value.lower().rstrip(".")


def parse_hostname(value: object) -> str:
    try:
        return parse_domain(value) if value else parse_text(value)
    except ValueError:
        raise ValueError("a host name such as mail.example.com, or empty") from None


def parse_region(value: object) -> str:
    if not isinstance(value, str) or not _REGION.fullmatch(value):
        raise ValueError("a region such as us-east-1")
    return value


def parse_store(value: object) -> str:
    text = value if isinstance(value, str) and value.isprintable() else ""
    if not text.startswith("postgresql://"):  # which the store refuses in words of its own
        try:
            sqlite_path(text)
        except ValueError:
            raise ValueError("sqlite:///PATH (relative to the working folder) or sqlite:////PATH (absolute)") from None
    return text


def parse_url(value: object) -> str:
    text = value.rstrip("/") if isinstance(value, str) else "none"
    if text and not _is_http_url(text):
        raise ValueError("an http:// or https:// URL, or empty")
    return text


def parse_filter(value: object) -> str:
    """``host:port``, or empty. Raises: ValueError."""
    if value == "":
        return ""
    try:
        return str(parse_endpoint(value))
    except ValueError:
        raise ValueError("host:port, such as 127.0.0.1:783, or empty") from None


def parse_relay(value: object) -> str:
    text = value if isinstance(value, str) and value.isprintable() else "none"
    try:
        parse_relay_url(text)
    except ValueError:
        raise ValueError("smtp://user:password@host:port (or smtps://), or empty") from None
    return text


def _is_http_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        return text.isprintable() and url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:  # a port that is none, half of an IPv6 address
        return False


def one_of(*allowed: str) -> Callable[[object], str]:
    def parse(value: object) -> str:
        if value not in allowed:
            raise ValueError(" or ".join(f'"{word}"' for word in allowed))
        return str(value)

    return parse
