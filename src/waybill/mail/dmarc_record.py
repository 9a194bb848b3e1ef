"""DMARC policy records (RFC 9989 §4.7): parsed, with what their owner should know about them."""

import re
from collections.abc import Sequence

from waybill.model.authentication import DmarcPolicy, DmarcRecord

_VERSION = re.compile(r"\s*v\s*=\s*DMARC1\s*(?:;|\Z)", re.ASCII)
_TAG_NAME = re.compile(r"[a-z][a-z0-9_]*", re.IGNORECASE | re.ASCII)
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s,;]+", re.ASCII)
_REMOVED = {
    "pct": "receivers that follow RFC 9989 apply the policy to all mail (t=y asks for one level less)",
    "rf": "RFC 9989 knows no choice of report formats",
    "ri": "aggregate reports come daily",
}
_KNOWN = frozenset({"v", "p", "sp", "np", "adkim", "aspf", "rua", "ruf", "fo", "psd", "t"})


class DmarcRecordError(ValueError):
    """A record that receivers take for none; the text says why."""


def select(records: Sequence[str]) -> list[str]:
    """Those of the TXT records that are DMARC records. Where there are several, receivers take none (RFC 9989 §4.10)."""
    return [text for text in records if _VERSION.match(text)]


def parse_record(domain: str, text: str) -> DmarcRecord:
    """The record found at _dmarc.``domain``. Tags that RFC 9989 does not know have no effect.

    Raises:
        DmarcRecordError: it is no DMARC record, or its policy is none of the three and nobody asks for reports.
    """
    if _VERSION.match(text) is None:
        raise DmarcRecordError(f"{text!r} does not begin with v=DMARC1")
    tags, notes = _tags(text)
    rua, ruf = _uris(tags.get("rua", "")), _uris(tags.get("ruf", ""))
    policies = {name: _policy(tags[name]) for name in ("p", "sp", "np") if name in tags}
    wrong = [name for name, policy in policies.items() if policy is None]
    if wrong:
        named = ", ".join(f"{name}={tags[name]}" for name in wrong)
        if not rua:
            raise DmarcRecordError(
                f"{named}: a policy is none, quarantine or reject; without rua the record has no effect"
            )
        notes.append(f"{named}: a policy is none, quarantine or reject; receivers take the record for p=none")
        policies = {}
    elif "p" not in tags:
        notes.append("p is missing: receivers take it for p=none")
    for name in ("rua", "ruf"):
        if tags.get(name) and not _uris(tags[name]):
            notes.append(f"{name}={tags[name]} has no URI that could be used, such as mailto:dmarc@{domain}")
    return DmarcRecord(
        domain=domain,
        text=text,
        policy=policies.get("p") or DmarcPolicy.NONE,
        subdomain_policy=policies.get("sp"),
        absent_policy=policies.get("np"),
        adkim=_one_of("adkim", tags, ("r", "s"), notes),
        aspf=_one_of("aspf", tags, ("r", "s"), notes),
        psd=_one_of("psd", tags, ("u", "y", "n"), notes),
        testing=_one_of("t", tags, ("n", "y"), notes) == "y",
        rua=rua,
        ruf=ruf,
        fo=tags.get("fo", "0"),
        notes=tuple(notes),
    )


def _tags(text: str) -> tuple[dict[str, str], list[str]]:
    tags: dict[str, str] = {}
    notes: list[str] = []
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        name = name.strip().lower()
        if not name and not equals:
            continue
        if not equals or _TAG_NAME.fullmatch(name) is None:
            notes.append(f"{part.strip()!r} is no tag, and is passed over")
        elif name in tags:
            notes.append(f"{name} occurs twice; the first counts")
        else:
            tags[name] = value.strip()
            if name in _REMOVED:
                notes.append(f"{name} is no longer used: {_REMOVED[name]}")
            elif name not in _KNOWN:
                notes.append(f"{name} is no tag of DMARC, and is passed over")
    return tags, notes


def _policy(value: str) -> DmarcPolicy | None:
    try:
        return DmarcPolicy(value.lower())
    except ValueError:
        return None


def _uris(value: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in value.split(",") if _URI.fullmatch(each.strip()))


def _one_of(name: str, tags: dict[str, str], allowed: tuple[str, ...], notes: list[str]) -> str:
    """The value of a tag of one letter; the first allowed is the default, and what another value is taken for."""
    value = tags.get(name, allowed[0]).lower()
    if value in allowed:
        return value
    notes.append(f"{name}={tags[name]} is none of {', '.join(allowed)}; receivers take it for {name}={allowed[0]}")
    return allowed[0]
