"""Whether Waybill's own DKIM signatures match a message as it went out: looked at for some messages, not for all."""

from collections.abc import Sequence
from functools import lru_cache

from waybill.mail.dkim import Signer, dns_record
from waybill.mail.dkim_signature import DkimSignatureError, parse_signature
from waybill.mail.dkim_verify import Parts, take_apart, verify_with
from waybill.model.authentication import DkimResult, DkimVerification

EVERY = 16
"""Of so many messages of a domain one is looked at, the first included: a look costs a tenth of a millisecond."""

LARGEST = 256 * 1024
"""Octets of a message up to which it is looked at: hashing a larger one again would hold up others."""

_MOST_DOMAINS = 10_000


class Samples:
    """Which messages are looked at."""

    def __init__(self) -> None:
        self._sent: dict[str, int] = {}

    def takes(self, domain: str, size: int) -> bool:
        """Whether a message of that size from that domain is to be looked at."""
        if size > LARGEST:
            return False
        if len(self._sent) >= _MOST_DOMAINS and domain not in self._sent:
            self._sent.clear()
        sent = self._sent.get(domain, 0)
        self._sent[domain] = sent + 1
        return sent % EVERY == 0


def broken_signatures(content: bytes, signers: Sequence[Signer]) -> tuple[DkimVerification, ...] | None:
    """Those of the signers' signatures at the top of ``content`` that do not match it; None where it carries none of theirs."""
    parts = take_apart(content)
    looked_at = False
    broken = []
    for line in parts.signatures:
        found = _verify(parts, line, signers)
        if found is not None:
            looked_at = True
            if found.result is not DkimResult.PASS:
                broken.append(found)
    return tuple(broken) if looked_at else None


def _verify(parts: Parts, line: bytes, signers: Sequence[Signer]) -> DkimVerification | None:
    try:
        signature = parse_signature(line.partition(b":")[2].decode("ascii", "replace"))
    except DkimSignatureError:
        return None
    for signer in signers:
        if (signer.domain, signer.selector) == (signature.domain, signature.selector):
            record = _record(signer.key.algorithm, signer.key.public)
            return verify_with(parts, line, signature, (record,), None)
    return None


@lru_cache(maxsize=1_024)
def _record(algorithm: str, public: str) -> str:
    return dns_record(algorithm, public)
