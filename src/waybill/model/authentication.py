"""What SPF, DKIM and DMARC say about a sender: the words that those who evaluate, keep and explain it share."""

from enum import StrEnum

from waybill.model.clock import Instant
from waybill.model.record import record


class SpfResult(StrEnum):
    """The results of RFC 7208 §2.6."""

    NONE = "none"
    NEUTRAL = "neutral"
    PASS = "pass"  # noqa: S105 - a result, no password
    FAIL = "fail"
    SOFTFAIL = "softfail"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


class Verdict(StrEnum):
    """What became of one term of an SPF record."""

    MATCH = "match"
    NO_MATCH = "no match"
    ERROR = "error"
    FOLLOWED = "followed"  # a redirect: what stands there is the answer


@record(frozen=True, kw_only=True, slots=True)
class SpfRecord:
    """An SPF record that was looked at, and the domain that it was found at."""

    domain: str
    text: str


@record(frozen=True, kw_only=True, slots=True)
class SpfTerm:
    """One term that was evaluated, in the record of ``domain``, ``depth`` includes deep. ``detail`` says why it came to that."""

    domain: str
    depth: int
    term: str
    verdict: Verdict
    detail: str


@record(frozen=True, kw_only=True, slots=True)
class SpfEvaluation:
    """What check_host() came to (RFC 7208 §4), and how.

    ``decided_by`` are the terms that led to the result, from the outermost record in: the includes or redirects, then
    the mechanism that matched; empty where none did. ``reason`` is a sentence for people; ``explanation`` is what the
    domain itself says of a failure (``exp=``, RFC 7208 §6.2), or empty. ``terms`` is the trace, in the order of evaluation.
    """

    result: SpfResult
    domain: str
    ip: str
    reason: str
    explanation: str = ""
    decided_by: tuple[str, ...] = ()
    records: tuple[SpfRecord, ...] = ()
    terms: tuple[SpfTerm, ...] = ()
    lookups: int = 0
    void_lookups: int = 0


class DkimResult(StrEnum):
    """The results of RFC 8601 §2.7.1 that a signature can have here."""

    PASS = "pass"  # noqa: S105 - a result, no password
    FAIL = "fail"
    PERMERROR = "permerror"
    TEMPERROR = "temperror"


@record(frozen=True, kw_only=True, slots=True)
class DkimVerification:
    """What one DKIM-Signature field came to. ``reason`` says why, in words; ``key_record`` is the record as published.

    ``key_bits`` is the length of an RSA key. ``testing``: the domain says that it only tests DKIM (``t=y``).
    ``body_length`` is ``l=``: octets after that are not covered.
    """

    result: DkimResult
    domain: str
    selector: str
    reason: str
    algorithm: str = ""
    key_record: str | None = None
    key_bits: int | None = None
    testing: bool = False
    signed_fields: tuple[str, ...] = ()
    body_length: int | None = None
    signed_at: int | None = None
    expires_at: int | None = None


class DmarcPolicy(StrEnum):
    """What a domain asks receivers to do with mail that fails (RFC 9989 §4.7)."""

    NONE = "none"
    QUARANTINE = "quarantine"
    REJECT = "reject"


class DmarcResult(StrEnum):
    """The results of RFC 9989."""

    PASS = "pass"  # noqa: S105 - a result, no password
    FAIL = "fail"
    NONE = "none"  # no record applies: there is no policy to pass or fail
    TEMPERROR = "temperror"
    PERMERROR = "permerror"
    UNKNOWN = "unknown"  # no result of the RFC: what SPF says cannot be told from here, and it decides


@record(frozen=True, kw_only=True, slots=True)
class DmarcRecord:
    """A DMARC record as parsed. ``policy`` is ``p`` with its default; ``notes`` are what its owner should know about it.

    ``adkim`` and ``aspf`` are ``r`` (relaxed) or ``s`` (strict); ``psd`` is ``y``, ``n`` or ``u``; ``testing`` is ``t=y``.
    """

    domain: str
    text: str
    policy: DmarcPolicy
    subdomain_policy: DmarcPolicy | None = None
    absent_policy: DmarcPolicy | None = None
    adkim: str = "r"
    aspf: str = "r"
    psd: str = "u"
    testing: bool = False
    rua: tuple[str, ...] = ()
    ruf: tuple[str, ...] = ()
    fo: str = "0"
    notes: tuple[str, ...] = ()


@record(frozen=True, kw_only=True, slots=True)
class Alignment:
    """Whether a domain that authenticated, or failed to, aligns with the From domain. ``mechanism`` is ``spf`` or ``dkim``.

    ``result`` is the mechanism's own result; ``organizational_domain`` is None where it did not have to be found.
    """

    mechanism: str
    domain: str
    result: str
    aligned: bool
    strict: bool
    organizational_domain: str | None = None
    selector: str = ""

    @property
    def counts(self) -> bool:
        """Whether this alone makes DMARC pass."""
        return self.aligned and self.result == "pass"


@record(frozen=True, kw_only=True, slots=True)
class DmarcEvaluation:
    """What DMARC came to for one From domain.

    ``policy`` is the one that applies, ``policy_tag`` the tag that it is from (``p``, ``sp``, ``np``); ``disposition`` is
    what a receiver that follows it does with the message. ``asked`` are the names that were looked at, in order.
    """

    result: DmarcResult
    from_domain: str
    reason: str
    record: DmarcRecord | None = None
    organizational_domain: str | None = None
    policy: DmarcPolicy | None = None
    policy_tag: str = ""
    disposition: DmarcPolicy = DmarcPolicy.NONE
    alignments: tuple[Alignment, ...] = ()
    asked: tuple[str, ...] = ()


@record(frozen=True, kw_only=True, slots=True)
class DkimKeySeen:
    """What was published at ``selector``._domainkey.``domain`` for a signature that Waybill made.

    ``record`` is None where nothing was. ``expected`` is the record that belongs there; ``reason`` says what is wrong.
    """

    domain: str
    selector: str
    result: DkimResult
    reason: str
    record: str | None = None
    expected: str = ""


@record(frozen=True, kw_only=True, slots=True)
class Sending:
    """Who sends as whom from where: all that authentication depends on, the content apart.

    ``signatures`` are the domain and selector of each DKIM signature. ``via`` names the relay that all mail leaves by;
    ``translated``: ``source_ip`` is a private address, and receivers on the internet see another.
    """

    account: str
    from_domain: str
    mail_from_domain: str
    helo: str
    source_ip: str
    signatures: tuple[tuple[str, str], ...] = ()
    via: str = ""
    translated: bool = False


@record(frozen=True, kw_only=True, slots=True)
class Authentication:
    """What SPF, DKIM and DMARC look like from outside for mail of one Sending. ``spf_unknown`` says why SPF cannot be told."""

    sending: Sending
    spf: SpfEvaluation | None
    spf_unknown: str | None
    dkim: tuple[DkimKeySeen, ...]
    dmarc: DmarcEvaluation

    @property
    def is_certain(self) -> bool:
        """Whether every lookup had an answer."""
        results = [self.dmarc.result, *(key.result for key in self.dkim), *([self.spf.result] if self.spf else [])]
        return not any(result == "temperror" for result in results)


@record(frozen=True, kw_only=True, slots=True)
class SignatureBroken:
    """Waybill's own DKIM signature did not match the message as it went out in attempt ``number``: a fault of ours."""

    number: int
    domain: str
    selector: str
    reason: str


@record(frozen=True, kw_only=True, slots=True)
class AuthenticationSeen:
    """An Authentication with the first and the last time that it was found so. ``sending_id`` is what attempts name it by."""

    sending_id: str
    authentication: Authentication
    first_seen: Instant
    last_seen: Instant
