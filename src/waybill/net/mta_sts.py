"""MTA-STS (RFC 8461): the TXT record and the policy as they are written, and the policy's HTTPS fetch."""

import asyncio
import errno
import re
import socket
import ssl
from collections.abc import Sequence
from dataclasses import replace

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from waybill.model.clock import Clock
from waybill.model.ip import is_public
from waybill.model.record import record
from waybill.model.resource import INSTALLATION, MtaStsPolicy
from waybill.net.resolver import Resolver

MAX_POLICY = 65_536  # octets; RFC 8461 §3.3
MAX_AGE = 31_557_600  # seconds; RFC 8461 §3.2
MAX_MX = 500  # names in a policy; no domain has so many, and each costs memory
FETCH_WITHIN = 60.0  # seconds; RFC 8461 §3.3
WELL_KNOWN = "/.well-known/mta-sts.txt"
MODES = ("enforce", "testing", "none")

_RECORD = re.compile(r"v=STSv1[ \t]*;")
_ID = re.compile(r"[A-Za-z0-9]{1,32}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_MX = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")
_WSP = " \t"


def parse_record(records: Sequence[str]) -> str | None:
    """The id in the TXT records of ``_mta-sts.<domain>``; None where there is no policy (RFC 8461 §3.1).

    Records of other kinds do not count; of MTA-STS records there must be exactly one.
    """
    ours = [text for text in records if _RECORD.match(text)]
    if len(ours) != 1:
        return None
    for part in ours[0].split(";")[1:]:
        key, _, value = part.strip(_WSP).partition("=")
        if key == "id":
            return value if _ID.fullmatch(value) else None
    return None


def parse_policy(domain: str, body: bytes) -> MtaStsPolicy:
    """The policy in the file (RFC 8461 §3.2); its ``id`` and ``fetched_at`` are for the caller to fill in.

    Fields that nobody knows are passed over, and of one that is there twice the first counts, ``mx`` excepted.

    Raises:
        ValueError: it is no policy; the text names the field.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"the policy is not UTF-8 at octet {error.start}") from None
    fields: dict[str, str] = {}
    mx: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r").rstrip(_WSP)  # noqa: PLW2901 - what remains is the line
        if not line:
            continue
        key, colon, value = line.partition(":")
        value = value.strip(_WSP)
        if not (colon and _NAME.fullmatch(key)):
            raise ValueError(f"line {number} of the policy, {line[:60]!r}, is not written 'name: value'")
        if key == "mx":
            mx.append(_read_mx(value))
        else:
            fields.setdefault(key, value)
    if fields.get("version") != "STSv1":
        raise ValueError(f"version is {fields.get('version', '')[:60]!r}, and only STSv1 is known")
    mode, max_age = fields.get("mode", ""), fields.get("max_age", "")
    if mode not in MODES:
        raise ValueError(f"mode is {mode[:60]!r}; it may be {', '.join(MODES)}")
    if not (max_age.isascii() and max_age.isdigit() and len(max_age) <= 10):
        raise ValueError(f"max_age is {max_age[:60]!r}, which is no number of seconds")
    if mode != "none" and not mx:
        raise ValueError(f"the policy lists no mx, and its mode is {mode}")
    if len(mx) > MAX_MX:
        raise ValueError(f"the policy lists {len(mx)} mx; up to {MAX_MX} are read")
    return MtaStsPolicy(
        account=INSTALLATION,
        name=domain,
        id="",
        mode=mode,
        mx=tuple(dict.fromkeys(mx)),
        max_age=min(int(max_age), MAX_AGE),
        fetched_at=0,
    )


def _read_mx(value: str) -> str:
    name = value.rstrip(".").lower()
    if not _MX.fullmatch(name):
        raise ValueError(f"mx is {value[:60]!r}, which is neither a host name nor '*.' and one")
    return name


@record(frozen=True, kw_only=True, slots=True)
class Fetched:
    """What came of a fetch: the policy, or why there is none."""

    policy: MtaStsPolicy | None
    fault: str = ""


class PolicyFetcher:
    """Fetches policies over HTTPS, from a server whose certificate is good for ``mta-sts.<domain>``.

    Args:
        resolver: finds the policy hosts.
        allow_private: whether a policy host may be on a private or loopback address.
        ca_file: replaces the machine's root certificates.
        port: where policy hosts listen; the standard knows only 443.

    Raises:
        OSError: ``ca_file`` cannot be read.
    """

    def __init__(
        self, *, resolver: Resolver, clock: Clock, allow_private: bool = False, ca_file: str = "", port: int = 443
    ) -> None:
        self._addresses = _Addresses(resolver, allow_private=allow_private)
        self._clock = clock
        self._port = port
        self._tls = ssl.create_default_context(cafile=ca_file or None)

    async def fetch(self, domain: str, policy_id: str) -> Fetched:
        """The domain's policy now, ``policy_id`` being what its TXT record says."""
        host = f"mta-sts.{domain}"
        try:
            url = URL.build(scheme="https", host=host, port=self._port, path=WELL_KNOWN)
            async with asyncio.timeout(FETCH_WITHIN):
                policy = parse_policy(domain, await self._get(url))
        except TimeoutError:
            return Fetched(policy=None, fault=f"{host} did not give it within {FETCH_WITHIN:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Fetched(policy=None, fault=f"{host}: {_words(error)}")
        return Fetched(policy=replace(policy, id=policy_id, fetched_at=self._clock()))

    async def _get(self, url: URL) -> bytes:
        """The policy file. Neither a redirect nor a cache nor another type of content will do (RFC 8461 §3.3)."""
        connector = aiohttp.TCPConnector(ssl=self._tls, resolver=self._addresses, force_close=True)
        async with (
            aiohttp.ClientSession(
                connector=connector, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
            ) as session,
            session.get(url, allow_redirects=False, headers={"Accept-Encoding": "identity"}) as answer,
        ):
            if answer.status != 200:
                raise ValueError(f"the answer is {answer.status}, and only 200 counts")
            if answer.content_type != "text/plain":
                raise ValueError(f"the answer is of type {answer.content_type[:60]!r}, and not text/plain")
            body = bytearray()
            async for piece in answer.content.iter_any():
                body += piece
                if len(body) > MAX_POLICY:
                    raise ValueError(f"the policy is longer than {MAX_POLICY} octets")
            return bytes(body)


def _words(error: Exception) -> str:
    """What went wrong, without the wrapping that says where."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        inner = error.certificate_error
        fault = inner.verify_message if isinstance(inner, ssl.SSLCertVerificationError) else str(inner)
        return f"its certificate is not to be trusted: {fault}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return error.os_error.strerror or str(error.os_error)
    return str(error) or type(error).__name__


class _Addresses(AbstractResolver):
    """Our resolver for aiohttp; addresses that are not public are left out unless they are allowed."""

    def __init__(self, resolver: Resolver, *, allow_private: bool) -> None:
        self._resolver = resolver
        self._allow_private = allow_private

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002 - aiohttp's signature; both families will do
    ) -> list[ResolveResult]:
        answer = await self._resolver.addresses(host)
        if not answer.addresses:
            raise OSError(errno.EADDRNOTAVAIL, answer.text)
        usable = [ip for ip in answer.addresses if self._allow_private or is_public(ip)]
        if not usable:
            text = f"{host} has the address {answer.addresses[0]}, which is not public"
            raise OSError(errno.EADDRNOTAVAIL, text)
        return [
            ResolveResult(
                hostname=host,
                host=ip,
                port=port,
                family=socket.AF_INET6 if ":" in ip else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for ip in usable
        ]

    async def close(self) -> None:
        """The resolver belongs to others."""
