"""Checks an AWS Signature Version 4.

The client's canonical form of the request is rebuilt from the raw bytes of the request line and header fields, as
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html describes for every
service but S3: dot segments and double slashes are removed from the path, which is then URI-encoded once more.
"""

import hmac
import re
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from urllib.parse import quote, unquote_to_bytes

from waybill.api.authorization import ALGORITHM, TERMINATOR, Authorization, Fault, Head, NotAuthentic, field_values
from waybill.model.clock import MINUTE, SECOND, Instant

CLOCK_SKEW = 5 * MINUTE

_SPACES = re.compile(rb"[ \t\r\n]+")
_CLEAN_PATH = re.compile(rb"(?:/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)+/?|/")
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)
_MOST_SHOWN = 4_096


def check_freshness(authorization: Authorization, now: Instant) -> None:
    """A header signature lives five minutes to either side of ``now``, a presigned URL as long as it says.

    Raises:
        NotAuthentic: it is too old, or from the future.
    """
    amz_date, signed_at = authorization.amz_date, authorization.signed_at
    if signed_at > now + CLOCK_SKEW:
        limit = _amz_date(now + CLOCK_SKEW)
        raise NotAuthentic(
            Fault.MISMATCH,
            f"Signature not yet current: {amz_date} is still later than {limit} ({_amz_date(now)} + 5 min.)",
        )
    if authorization.expires_in is not None:
        if signed_at + authorization.expires_in * SECOND < now:
            raise NotAuthentic(Fault.EXPIRED, "Request has expired")
    elif signed_at < now - CLOCK_SKEW:
        limit = _amz_date(now - CLOCK_SKEW)
        raise NotAuthentic(
            Fault.MISMATCH, f"Signature expired: {amz_date} is now earlier than {limit} ({_amz_date(now)} - 5 min.)"
        )


def check_signature(head: Head, authorization: Authorization, secret: str, body_sha256: str) -> None:
    """Compares the signature, in constant time, with the one that ``secret`` gives.

    The body counts as it is: ``body_sha256`` is our own hash of it, so a client that signs ``UNSIGNED-PAYLOAD``
    (which SES does not take either) does not pass.

    Raises:
        NotAuthentic: they differ. The text shows what should have been signed, as AWS does.
    """
    claimed = field_values(head, b"x-amz-content-sha256")
    if claimed and "x-amz-content-sha256" in authorization.signed_headers and claimed[0] != body_sha256.encode():
        raise NotAuthentic(
            Fault.MISMATCH,
            "The provided 'x-amz-content-sha256' header does not match what was computed: it must be the hexadecimal "
            "SHA-256 of the body (UNSIGNED-PAYLOAD is not accepted).",
        )
    canonical = canonical_request(head, authorization, body_sha256)
    to_sign = string_to_sign(authorization, canonical)
    credential = authorization.credential
    key = signing_key(secret, credential.date, credential.region, credential.service)
    expected = hmac.digest(key, to_sign, "sha256").hex()
    if not hmac.compare_digest(expected.encode(), authorization.signature.encode("utf-8", "surrogateescape")):
        raise NotAuthentic(
            Fault.MISMATCH,
            f"{_MISMATCH}\n\nThe Canonical String for this request should have been\n'{_shown(canonical)}'\n\n"
            f"The String-to-Sign should have been\n'{_shown(to_sign)}'\n",
        )


@lru_cache(maxsize=1_024)
def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key that signs for one day, region and service."""
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, TERMINATOR):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def canonical_request(head: Head, authorization: Authorization, body_sha256: str) -> bytes:
    """The canonical form of the request."""
    lines = [
        head.method.encode("utf-8", "surrogateescape"),
        canonical_path(head.path),
        canonical_query(head.query),
        *_canonical_fields(head, authorization.signed_headers),
        b"",
        ";".join(authorization.signed_headers).encode("latin-1"),
        body_sha256.encode(),
    ]
    return b"\n".join(lines)


def string_to_sign(authorization: Authorization, canonical: bytes) -> bytes:
    """What the signing key signs."""
    digest = sha256(canonical).hexdigest()
    return f"{ALGORITHM}\n{authorization.amz_date}\n{authorization.credential.scope}\n{digest}".encode("latin-1")


def path_segments(path: bytes) -> list[bytes]:
    """The segments of a raw path without empty and dot segments (RFC 3986 §5.2.4), not decoded."""
    segments: list[bytes] = []
    for segment in path.split(b"/"):
        if segment == b"..":
            del segments[-1:]
        elif segment not in (b"", b"."):
            segments.append(segment)
    return segments


def canonical_path(path: bytes) -> bytes:
    """The normalised path, URI-encoded once more (``%2B`` becomes ``%252B``)."""
    if _CLEAN_PATH.fullmatch(path):
        return path
    joined = b"/" + b"/".join(path_segments(path))
    if path.endswith(b"/") and joined != b"/":
        joined += b"/"  # of a path that ends in a dot segment AWS's own signers drop the slash
    return quote(joined, safe="/~").encode()


def canonical_query(query: bytes) -> bytes:
    """The parameters but the signature, URI-encoded and sorted."""
    if not query:
        return b""
    pairs = []
    for field in query.split(b"&"):
        name, _, value = field.partition(b"=")
        if field and name != b"X-Amz-Signature":
            pairs.append((_recode(name), _recode(value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs)).encode()


def _recode(text: bytes) -> str:
    return quote(unquote_to_bytes(text), safe="~")


def _canonical_fields(head: Head, signed_headers: tuple[str, ...]) -> list[bytes]:
    wanted: dict[bytes, list[bytes]] = {name.encode("latin-1"): [] for name in signed_headers}
    for name, value in head.fields:
        if name in wanted:
            wanted[name].append(_SPACES.sub(b" ", value.strip()))
    return [name + b":" + b",".join(values) for name, values in wanted.items()]


def _amz_date(at: Instant) -> str:
    return f"{datetime.fromtimestamp(at // SECOND, UTC):%Y%m%dT%H%M%SZ}"


def _shown(text: bytes) -> str:
    return text[:_MOST_SHOWN].decode("utf-8", "replace")
