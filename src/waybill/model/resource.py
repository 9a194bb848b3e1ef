"""What an account owns: keys, identities, templates, configuration sets, topics and subscriptions.

Every resource has an ``account`` and a ``name``, unique together for its type. Fields marked ``sealed``
are encrypted by the store before they touch the disk.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from waybill.model.clock import Instant
from waybill.model.event import SesEvent
from waybill.model.standing import Recommendation
from waybill.model.suppression import Reason

SEALED = {"sealed": True}

INSTALLATION = ""
"""The ``account`` of resources that belong to the whole installation (access keys, the SNS signing certificate)."""

DEFAULT_ACCOUNT = "100000000001"

EVERY_SITE = "*"
"""The ``name`` of a Probe of all sites."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pause:
    """Sending is paused: by whom (``api:<key>``, ``operator``, ``rule:<id>``), why, since when."""

    by: str
    reason: str
    at: Instant


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """An account: ``name`` is its 12-digit id; ``account`` is INSTALLATION, so that it is got as ``get(Account, INSTALLATION, id)``. Limits of None are those of the settings.

    ``last_fresh_start``: rates are counted from then on, since sending was resumed.
    """

    account: str
    name: str
    created_at: Instant
    paused: Pause | None = None
    suppressed_reasons: tuple[Reason, ...] = (Reason.BOUNCE, Reason.COMPLAINT)
    production_access: bool = True
    last_fresh_start: Instant | None = None
    max_send_rate: float | None = None
    max_24_hour_send: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessKey:
    """An API key; its account is ``INSTALLATION`` and ``owner`` the account it acts for, so that it is found by its id."""

    account: str
    name: str
    owner: str
    label: str
    secret: str = field(metadata=SEALED)
    created_at: Instant
    revoked_at: Instant | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DkimKey:
    """A DKIM key: ``algorithm`` is ``rsa`` or ``ed25519``; ``private_pem`` PKCS#8 PEM; ``public`` the record's ``p=``."""

    selector: str
    algorithm: str
    private_pem: str = field(metadata=SEALED)
    public: str
    created_at: Instant


class Verification(StrEnum):
    """SES's VerificationStatus."""

    PENDING = "PENDING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    TEMPORARY_FAILURE = "TEMPORARY_FAILURE"
    NOT_STARTED = "NOT_STARTED"


@dataclass(frozen=True, kw_only=True, slots=True)
class FeedbackTopics:
    """The legacy notification topics of an identity (ARNs), and whether each includes the headers."""

    bounce: str | None = None
    complaint: str | None = None
    delivery: str | None = None
    bounce_headers: bool = False
    complaint_headers: bool = False
    delivery_headers: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """An email address or a domain that may send. ``token`` proves it (TXT record, or link mailed at ``link_sent_at``); ``vouched_by`` names who verified it by hand."""

    account: str
    name: str
    created_at: Instant
    token: str
    verification: Verification = Verification.PENDING
    verified_at: Instant | None = None
    checked_at: Instant | None = None
    check_error: str | None = None
    link_sent_at: Instant | None = None
    vouched_by: str | None = None
    dkim_keys: tuple[DkimKey, ...] = ()
    dkim_enabled: bool = True
    dkim_origin: str = "AWS_SES"
    dkim_verification: Verification = Verification.PENDING
    mail_from_domain: str | None = None
    mail_from_verification: Verification = Verification.PENDING
    mail_from_required: bool = False
    configuration_set: str | None = None
    feedback_forwarding: bool = True
    topics: FeedbackTopics = FeedbackTopics()
    tags: tuple[tuple[str, str], ...] = ()
    policies: dict[str, str] = field(default_factory=dict)

    @property
    def is_domain(self) -> bool:
        """Whether this identity is a whole domain."""
        return "@" not in self.name


@dataclass(frozen=True, kw_only=True, slots=True)
class Template:
    """An email template. ``version`` grows with every update."""

    account: str
    name: str
    subject: str
    text: str | None
    html: str | None
    created_at: Instant
    updated_at: Instant
    version: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class EventDestination:
    """Where a configuration set's events go. ``topic_arn`` for SNS; other destinations are kept, and not published."""

    name: str
    enabled: bool
    event_types: tuple[SesEvent, ...]
    topic_arn: str | None = None
    other: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfigurationSet:
    """A configuration set. ``suppressed_reasons`` None: the account's; empty: no suppression at all."""

    account: str
    name: str
    created_at: Instant
    sending_enabled: bool = True
    paused: Pause | None = None
    suppressed_reasons: tuple[Reason, ...] | None = None
    tls_required: bool = False
    max_delivery_seconds: int | None = None
    sending_pool: str | None = None
    reputation_metrics_enabled: bool = False
    last_fresh_start: Instant | None = None
    custom_redirect_domain: str | None = None
    https_policy: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    event_destinations: tuple[EventDestination, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Topic:
    """An SNS topic; ``name`` is its ARN. ``signature_version`` is ``1`` (SHA1withRSA) or ``2`` (SHA256withRSA)."""

    account: str
    name: str
    created_at: Instant
    signature_version: str = "1"
    display_name: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Subscription:
    """A subscription; ``name`` is its ARN, which starts with its topic's ARN."""

    account: str
    name: str
    topic_arn: str
    protocol: str
    endpoint: str = field(metadata=SEALED)
    token: str
    created_at: Instant
    confirmed_at: Instant | None = None
    raw_delivery: bool = False
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class SigningCertificate:
    """The key and X.509 certificate that sign SNS messages; ``name`` is the hex id in its URL."""

    account: str
    name: str
    private_pem: str = field(metadata=SEALED)
    certificate_pem: str
    created_at: Instant


@dataclass(frozen=True, kw_only=True, slots=True)
class Suspension:
    """Mail to a site is held back: ``name`` is the site (``google``, ``mx.customer.example``), ``account`` INSTALLATION.

    ``per_minute`` is what still goes, 0: nothing. ``by`` is ``rule:<id>`` or ``operator``; ``message_id`` and ``reply`` are
    what the rule saw. ``until`` None: until somebody resumes it.
    """

    account: str
    name: str
    by: str
    reason: str
    at: Instant
    until: Instant | None = None
    per_minute: float = 0
    message_id: str | None = None
    reply: str | None = None

    def holds(self, now: Instant) -> bool:
        """Whether it is in force."""
        return self.until is None or now < self.until


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """Somebody wants a site to be tried at once: a rest that it had before ``at``, since nobody answered there, ends.

    ``name`` is the site, or EVERY_SITE; ``account`` INSTALLATION; ``by`` who wants it.
    """

    account: str
    name: str
    by: str
    at: Instant


@dataclass(frozen=True, kw_only=True, slots=True)
class MtaStsPolicy:
    """The MTA-STS policy of a domain, ``name``, as it was fetched (RFC 8461 §3.2); ``account`` is INSTALLATION.

    ``id`` is that of the TXT record at that time. ``mode`` is ``enforce``, ``testing`` or ``none``; ``mx`` are the names
    that its MX hosts may have; ``max_age`` is in seconds.
    """

    account: str
    name: str
    id: str
    mode: str
    mx: tuple[str, ...]
    max_age: int
    fetched_at: Instant

    @property
    def expires_at(self) -> Instant:
        """When it no longer counts."""
        return self.fetched_at + self.max_age * 1_000

    def lists(self, host: str) -> bool:
        """Whether the host is among ``mx``; the asterisk of ``*.example.com`` is exactly one label (RFC 8461 §4.1)."""
        host = host.rstrip(".").lower()
        return host in self.mx or f"*.{host.partition('.')[2]}" in self.mx


@dataclass(frozen=True, kw_only=True, slots=True)
class DedicatedIpPool:
    """A pool of source addresses: a configuration set that names it sends from no other."""

    account: str
    name: str
    created_at: Instant
    scaling_mode: str = "STANDARD"
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class DedicatedIp:
    """One of the installation's source addresses: ``name`` is the address, ``account`` INSTALLATION.

    ``pool`` is the name of the pool of the account ``owner``; without one it sends what no pool does. ``warm_up_from`` is
    the (virtual) instant at which its warm-up began; None: it needs none. ``configured`` is false once the settings do not
    name it any more.
    """

    account: str
    name: str
    owner: str = ""
    pool: str | None = None
    warm_up_from: Instant | None = None
    configured: bool = True


Resource: TypeAlias = (
    Account
    | AccessKey
    | Identity
    | Template
    | ConfigurationSet
    | Topic
    | Subscription
    | SigningCertificate
    | Suspension
    | Probe
    | MtaStsPolicy
    | DedicatedIpPool
    | DedicatedIp
    | Recommendation
)
