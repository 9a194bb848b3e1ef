"""Verifies the DKIM signatures of a message (RFC 6376 §6, RFC 8301, RFC 8463), with a reason in words for each result."""

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from waybill.mail.dkim import canonical_body, canonical_field
from waybill.mail.dkim_key_record import DkimKeyRecordError, KeyRecord, parse_key_record
from waybill.mail.dkim_signature import DkimSignatureError, Signature, parse_signature
from waybill.mail.dkim_tags import TagListError, parse_tags
from waybill.mail.header import find_body
from waybill.mail.lookup import LookupFailed, Lookups
from waybill.model.authentication import DkimResult, DkimVerification
from waybill.model.clock import Instant, rfc3339

MOST_SIGNATURES = 20
"""Of a message with more, the first ones are verified: each costs a lookup."""

_FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:[^\n]*(?:\n[ \t][^\n]*)*\n?", re.MULTILINE)
_SIGNATURE_VALUE = re.compile(rb"((?:^|;)\s*b\s*=)[^;]*")
_BARE_LF = re.compile(rb"(?<!\r)\n")
_RSA_PADDING = padding.PKCS1v15()
_PREHASHED = Prehashed(hashes.SHA256())


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """A message taken apart for verifying: its fields with their line ends, names in lower case, and its body; CRLF line ends."""

    fields: tuple[tuple[str, bytes], ...]
    body: bytes

    @property
    def signatures(self) -> tuple[bytes, ...]:
        """The DKIM-Signature fields, from the top."""
        return tuple(line for name, line in self.fields if name == "dkim-signature")[:MOST_SIGNATURES]


def take_apart(content: bytes) -> Parts:
    """The message's fields and body; line ends that are LF alone become CRLF, as they were on the wire."""
    end, body = find_body(content)
    header, rest = content[:end], content[body:]
    if content.count(b"\n") != content.count(b"\r\n"):
        header, rest = _BARE_LF.sub(b"\r\n", header), _BARE_LF.sub(b"\r\n", rest)
    fields = tuple((match[1].decode("ascii").lower(), match[0]) for match in _FIELD.finditer(header))
    return Parts(fields=fields, body=rest)


async def verify(content: bytes, lookups: Lookups, now: Instant) -> tuple[DkimVerification, ...]:
    """What each DKIM signature of the message came to, from the top; empty where it has none. Never raises for its content."""
    parts = take_apart(content)
    results = []
    for line in parts.signatures:
        try:
            signature = parse_signature(_value_of(line))
        except DkimSignatureError as error:
            results.append(_unreadable(line, str(error)))
            continue
        try:
            records = await lookups.txt(signature.key_name)
        except LookupFailed as error:
            reason = f"the key at {signature.key_name} could not be looked up: {error}"
            results.append(_result(signature, DkimResult.TEMPERROR, reason))
            continue
        results.append(verify_with(parts, line, signature, records, now))
    return tuple(results)


def verify_with(
    parts: Parts, line: bytes, signature: Signature, records: Sequence[str], now: Instant | None
) -> DkimVerification:
    """What one signature came to, with the TXT records at its key's name. ``line`` is its field. ``now`` None: never expired."""
    if not records:
        return _result(signature, DkimResult.PERMERROR, f"no key is published at {signature.key_name}")
    refusals = []
    for text in records:  # RFC 6376 §6.1.2: where there are several records, what to do is the verifier's choice
        try:
            key = parse_key_record(text)
        except DkimKeyRecordError as error:
            reason = f"at {signature.key_name}, {error}"
            refusals.append(_result(signature, DkimResult.PERMERROR, reason, key_record=text))
            continue
        found = _verify_with_key(parts, line, signature, key, now)
        if found.result is DkimResult.PASS or len(records) == 1:
            return found
        refusals.append(found)
    return refusals[0]


def _verify_with_key(
    parts: Parts, line: bytes, signature: Signature, key: KeyRecord, now: Instant | None
) -> DkimVerification:
    unfit = _unfit(signature, key)
    if unfit is not None:
        return _result(signature, DkimResult.PERMERROR, unfit, key=key)
    if now is not None and signature.expires_at is not None and signature.expires_at * 1000 < now:
        at = signature.expires_at * 1000
        when = rfc3339(at) if at < 253_402_300_800_000 else str(signature.expires_at)
        return _result(signature, DkimResult.FAIL, f"the signature expired at {when} (x=)", key=key)
    body = canonical_body(parts.body) if signature.body_form == "relaxed" else _simple_body(parts.body)
    if signature.body_length is not None:
        if signature.body_length > len(body):
            reason = f"l= says that {signature.body_length} octets of the body are signed, and it has {len(body)}"
            return _result(signature, DkimResult.PERMERROR, reason, key=key)
        body = body[: signature.body_length]
    if not hmac.compare_digest(hashlib.sha256(body).digest(), signature.body_hash):
        reason = "the body hash differs: the body was changed after signing"
        return _result(signature, DkimResult.FAIL, reason, key=key)
    if not _is_signed_with(key, signature.signature, _header_hash(parts, line, signature)):
        reason = (
            "the body is as it was signed, and the signature does not match: a signed header field "
            f"({', '.join(dict.fromkeys(signature.fields))}) was changed after signing, or another key has signed"
        )
        return _result(signature, DkimResult.FAIL, reason, key=key)
    tested = ", and the domain says that it only tests DKIM (t=y)" if key.testing else ""
    return _result(signature, DkimResult.PASS, f"the signature matches the published key{tested}", key=key)


def _unfit(signature: Signature, key: KeyRecord) -> str | None:
    """Why the key is not for this signature; None where it is."""
    algorithm, _, digest = signature.algorithm.partition("-")
    if algorithm != key.algorithm:
        return f"the signature is {signature.algorithm}, and the key at {signature.key_name} is {key.algorithm}"
    if key.hashes and digest not in key.hashes:
        return f"the key at {signature.key_name} is not for {digest} (h={':'.join(key.hashes)})"
    if key.exact and signature.agent_domain != signature.domain:
        return f"the key at {signature.key_name} is not for subdomains (t=s), and i= is in {signature.agent_domain}"
    return None


def _header_hash(parts: Parts, line: bytes, signature: Signature) -> bytes:
    """RFC 6376 §3.7. Fields are taken from the bottom up; one that is not there counts as nothing (§5.4.2)."""
    canonical = canonical_field if signature.header_form == "relaxed" else _simple_field
    left: dict[str, list[bytes]] = {}
    for name, field in parts.fields:
        left.setdefault(name, []).append(field)
    hashed = hashlib.sha256()
    for name in signature.fields:
        if left.get(name):
            hashed.update(canonical(left[name].pop()))
    title, _, value = line.partition(b":")
    unsigned = _SIGNATURE_VALUE.sub(rb"\1", value, count=1)
    hashed.update(canonical(title + b":" + unsigned).removesuffix(b"\r\n"))
    return hashed.digest()


def _is_signed_with(key: KeyRecord, signature: bytes, digest: bytes) -> bool:
    try:
        if isinstance(key.key, rsa.RSAPublicKey):
            key.key.verify(signature, digest, _RSA_PADDING, _PREHASHED)
        else:
            key.key.verify(signature, digest)
    except InvalidSignature:
        return False
    return True


def _simple_field(line: bytes) -> bytes:
    return line


def _simple_body(body: bytes) -> bytes:
    """RFC 6376 §3.4.3: empty lines at the end are none; an empty body is one empty line."""
    end = len(body)
    while body.endswith(b"\r\n\r\n", 0, end):
        end -= 2
    body = body[:end]
    if body in (b"", b"\r\n"):
        return b"\r\n"
    return body if body.endswith(b"\r\n") else body + b"\r\n"


def _value_of(line: bytes) -> str:
    return line.partition(b":")[2].decode("utf-8", "replace")


def _unreadable(line: bytes, reason: str) -> DkimVerification:
    try:
        tags = parse_tags(_value_of(line))
    except TagListError:
        tags = {}
    return DkimVerification(
        result=DkimResult.PERMERROR, domain=tags.get("d", "").lower(), selector=tags.get("s", ""), reason=reason
    )


def _result(
    signature: Signature,
    result: DkimResult,
    reason: str,
    *,
    key: KeyRecord | None = None,
    key_record: str | None = None,
) -> DkimVerification:
    return DkimVerification(
        result=result,
        domain=signature.domain,
        selector=signature.selector,
        reason=reason,
        algorithm=signature.algorithm,
        key_record=key.text if key is not None else key_record,
        key_bits=key.bits if key is not None else None,
        testing=key is not None and key.testing,
        signed_fields=tuple(dict.fromkeys(signature.fields)),
        body_length=signature.body_length,
        signed_at=signature.signed_at,
        expires_at=signature.expires_at,
    )
