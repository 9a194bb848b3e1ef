"""The DKIM-Signature header field (RFC 6376 §3.5), read."""

import binascii
from dataclasses import dataclass

from waybill.mail.dkim_tags import TagListError, parse_tags, without_space

ALGORITHMS = ("rsa-sha256", "ed25519-sha256")
_FORMS = ("simple", "relaxed")
_REQUIRED = ("v", "a", "b", "bh", "d", "h", "s")


class DkimSignatureError(ValueError):
    """A field that is no valid signature, whatever the key; the text says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    """A DKIM-Signature field. ``header_form`` and ``body_form`` are ``simple`` or ``relaxed``; times are in Unix seconds."""

    algorithm: str
    domain: str
    selector: str
    agent_domain: str
    header_form: str
    body_form: str
    fields: tuple[str, ...]
    body_hash: bytes
    signature: bytes
    body_length: int | None
    signed_at: int | None
    expires_at: int | None

    @property
    def key_name(self) -> str:
        """Where the key is published."""
        return f"{self.selector}._domainkey.{self.domain}"


def parse_signature(value: str) -> Signature:
    """The signature in the field's value.

    Raises:
        DkimSignatureError: a tag is missing, damaged, or says what no verifier takes (RFC 6376 §6.1.1, RFC 8301).
    """
    try:
        tags = parse_tags(value)
    except TagListError as error:
        raise DkimSignatureError(f"the DKIM-Signature field is damaged: {error}") from None
    missing = [name for name in _REQUIRED if name not in tags]
    if missing:
        raise DkimSignatureError(f"the DKIM-Signature field lacks {', '.join(f'{name}=' for name in missing)}")
    _refuse(tags)
    header_form, _, body_form = tags.get("c", "simple/simple").lower().partition("/")
    body_form = body_form or "simple"
    for form in (header_form, body_form):
        if form not in _FORMS:
            raise DkimSignatureError(f"the canonicalization c={tags['c']} is none of simple and relaxed")
    domain = tags["d"].lower().removesuffix(".")
    agent = tags.get("i", f"@{domain}").rpartition("@")[2].lower()
    if agent != domain and not agent.endswith(f".{domain}"):
        raise DkimSignatureError(f"i={tags['i']} is not within d={domain}")
    fields = tuple(name.strip().lower() for name in tags["h"].split(":"))
    if "from" not in fields:
        raise DkimSignatureError("the From field is not signed (h= does not name it)")
    signed_at, expires_at = _number(tags, "t"), _number(tags, "x")
    if signed_at is not None and expires_at is not None and expires_at < signed_at:
        raise DkimSignatureError("the signature expires before it was made (x= is before t=)")
    return Signature(
        algorithm=tags["a"].lower(),
        domain=domain,
        selector=tags["s"].lower(),
        agent_domain=agent,
        header_form=header_form,
        body_form=body_form,
        fields=fields,
        body_hash=_decoded(tags, "bh"),
        signature=_decoded(tags, "b"),
        body_length=_number(tags, "l"),
        signed_at=signed_at,
        expires_at=expires_at,
    )


def _refuse(tags: dict[str, str]) -> None:
    if tags["v"] != "1":
        raise DkimSignatureError(f"the version v={tags['v']} is not 1")
    algorithm = tags["a"].lower()
    if algorithm == "rsa-sha1":
        raise DkimSignatureError("rsa-sha1 signatures are no longer taken (RFC 8301)")
    if algorithm not in ALGORITHMS:
        raise DkimSignatureError(f"the algorithm a={tags['a']} is none of {' and '.join(ALGORITHMS)}")
    if "dns/txt" not in tags.get("q", "dns/txt").lower().split(":"):
        raise DkimSignatureError(f"the key cannot be had in a known way: q={tags['q']}")
    for name in ("d", "s"):
        if not tags[name] or not tags[name].isascii() or len(tags[name].split()) != 1:
            raise DkimSignatureError(f"{name}={tags[name]} is no domain name")


def _number(tags: dict[str, str], name: str) -> int | None:
    text = tags.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 76):
        raise DkimSignatureError(f"{name}={text} is no number")
    return int(text)


def _decoded(tags: dict[str, str], name: str) -> bytes:
    text = without_space(tags[name])
    try:
        decoded = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except (ValueError, binascii.Error):
        raise DkimSignatureError(f"{name}= is no base64") from None
    if not decoded:
        raise DkimSignatureError(f"{name}= is empty")
    return decoded
