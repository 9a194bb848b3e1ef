"""A live probe: the way to a recipient's server, walked because somebody asked, and what was said at each stage."""

from enum import StrEnum

from waybill.model.authentication import Authentication
from waybill.model.cause import Cause
from waybill.model.clock import Instant
from waybill.model.outcome import Reply, Stage, Tls
from waybill.model.record import record
from waybill.model.standing import ListingState


class Step(StrEnum):
    """The stages of a walk, in their order. There is no DATA: no walk ever sends a message."""

    MX = "mx"
    MTA_STS = "mta_sts"
    ADDRESS = "address"
    TLSA = "tlsa"
    CONNECT = "connect"
    GREETING = "greeting"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    BLOCKLIST = "blocklist"


@record(frozen=True, kw_only=True, slots=True)
class ProbeStep:
    """One stage: when it began, how long it took, and what was said, or what went wrong (``ok`` false)."""

    step: Step
    at: Instant
    ms: int
    ok: bool
    text: str
    host: str | None = None
    ip: str | None = None


@record(frozen=True, kw_only=True, slots=True)
class ProbedHost:
    """How far the walk came at one host: ``reply`` decided it at ``stage``, or nothing did and ``text`` says why.

    ``cause`` is what the refusal means by the classification rules; None where there was none. ``source_ip`` is the address
    that we spoke from. ``clear_because`` says why the conversation went on in clear.
    """

    host: str
    stage: Stage
    text: str
    ip: str | None = None
    port: int | None = None
    reply: Reply | None = None
    cause: Cause | None = None
    tls: Tls | None = None
    source_ip: str | None = None
    clear_because: str | None = None

    @property
    def accepts(self) -> bool:
        """Whether it said yes to the recipient."""
        return self.stage is Stage.RCPT and self.reply is not None and self.reply.code // 100 == 2


@record(frozen=True, kw_only=True, slots=True)
class ProbedListing:
    """What a blocklist that the receiver had named says now of our address."""

    name: str
    subject: str
    state: ListingState
    text: str


@record(frozen=True, kw_only=True, slots=True)
class Probed:
    """A walk. ``mx`` are all MX hosts that DNS names now, as ``10 mx1.b.example``; ``hosts`` those that were walked to.

    ``remarks`` say what of the walk was not as it would be for a message (another source address, for instance).
    ``authentication`` is what SPF, DKIM and DMARC look like now, where it is on record what they looked like then.
    """

    started_at: Instant
    ended_at: Instant
    helo: str
    mail_from: str
    mx: tuple[str, ...] = ()
    steps: tuple[ProbeStep, ...] = ()
    hosts: tuple[ProbedHost, ...] = ()
    remarks: tuple[str, ...] = ()
    listings: tuple[ProbedListing, ...] = ()
    authentication: Authentication | None = None


@record(frozen=True, kw_only=True, slots=True)
class NotProbed:
    """Nobody walked there, and why."""

    at: Instant
    why: str
