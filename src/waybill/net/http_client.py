"""Posting to webhooks: public addresses only unless allowed, bounded in time and size, errors as values."""

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from waybill.model.ip import is_ip, is_public

READ_AT_MOST = 4_096

BODY_AT_MOST = 16_384
"""Of what is fetched; a certificate has two or three thousand octets."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpAnswer:
    """What came back: a status, or the error in words. ``challenge`` is the WWW-Authenticate field, ``body`` what GET read."""

    status: int | None
    error: str | None = None
    challenge: str | None = None
    body: bytes = b""

    @property
    def ok(self) -> bool:
        """Whether it was taken (2xx)."""
        return self.status is not None and 200 <= self.status < 300


class PrivateAddress(OSError):  # noqa: N818 - aiohttp wants an OSError, and the name says what it is
    """The host leads to an address that webhooks must not reach."""


class _PublicOnly(AbstractResolver):
    """Resolves once; the connection is made to the addresses checked here, so a second answer cannot redirect it."""

    def __init__(self, *, allow_private: bool) -> None:
        self._inner = ThreadedResolver()
        self._allow_private = allow_private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        usable = [entry for entry in found if self._allow_private or is_public(entry["host"])]
        if not usable:
            leads = f" leads to {found[0]['host']}, which" if found else " has no address that"
            raise PrivateAddress(f"{host}{leads} is not a public address (publish.allow_private is off)")
        return usable

    async def close(self) -> None:
        await self._inner.close()


class HttpClient:
    """A pool of connections to webhooks.

    Redirects are not followed, cookies not kept and answers read up to 4 KB, so that an endpoint can neither send us
    elsewhere nor keep us. Whoever posts bounds how much is under way: the pool itself makes nobody wait.
    """

    def __init__(self, *, allow_private: bool, ca_file: str | None = None) -> None:
        self._allow_private = allow_private
        self._tls = ssl.create_default_context()
        if ca_file:
            self._tls.load_verify_locations(ca_file)
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], *, seconds: float) -> HttpAnswer:
        """Posts once and gives the answer; whatever goes wrong is an answer without a status."""
        return await self._ask("POST", url, seconds=seconds, body=body, headers=headers)

    async def get(self, url: str, *, seconds: float) -> HttpAnswer:
        """Fetches once and gives the answer with the first 16 KB of it; whatever goes wrong is an answer without a status."""
        return await self._ask("GET", url, seconds=seconds)

    async def _ask(
        self,
        method: str,
        url: str,
        *,
        seconds: float,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> HttpAnswer:
        try:
            target = URL(url)
            if not self._allow_private:
                _check_literal(target.host or "")
            timeout = aiohttp.ClientTimeout(total=seconds)
            async with self._open().request(
                method, target, data=body, headers=headers, allow_redirects=False, timeout=timeout
            ) as answer:
                came = await _read(answer.content) if method == "GET" else await answer.content.read(READ_AT_MOST)
                challenge = answer.headers.get("WWW-Authenticate")
                return HttpAnswer(status=answer.status, challenge=challenge, body=came if method == "GET" else b"")
        except TimeoutError:
            return HttpAnswer(status=None, error=f"no answer in {seconds:g} s")
        except PrivateAddress as error:
            return HttpAnswer(status=None, error=str(error))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return HttpAnswer(status=None, error=f"{type(error).__name__}: {error}")

    async def close(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                ssl=self._tls, resolver=_PublicOnly(allow_private=self._allow_private), limit=0
            )
            self._session = aiohttp.ClientSession(
                connector=connector, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session


async def _read(content: aiohttp.StreamReader) -> bytes:
    """The beginning of a body, however many pieces it comes in."""
    came = b""
    while len(came) < BODY_AT_MOST and (more := await content.read(BODY_AT_MOST - len(came))):
        came += more
    return came


def _check_literal(host: str) -> None:
    """An address in place of a name is not resolved, so it is judged here; names are judged when they are.

    Raises:
        PrivateAddress: it is a private address, or one in a form that ``inet_aton`` takes and nobody else (``127.1``).
    """
    if not (":" in host or host.replace(".", "").isdigit()):
        return
    if not (is_ip(host) and is_public(host)):
        raise PrivateAddress(f"{host} is not a public address (publish.allow_private is off)")
