"""An attempt under way: what it carries, what has happened so far, and what of that is evidence."""

from dataclasses import dataclass, field, replace

from waybill.deliver.config import Source
from waybill.deliver.evidence import Evidence, Failure
from waybill.deliver.provider import Site
from waybill.deliver.route import NoRoute
from waybill.deliver.tls_policy import OPPORTUNISTIC, HostPolicy
from waybill.model.cause import CATALOGUE, Cause, Responder
from waybill.model.clock import Instant
from waybill.model.outcome import Line, Outcome, Reply, Result, Stage, Tls
from waybill.model.record import record
from waybill.net.smtp_client import SmtpConnection
from waybill.net.smtp_target import Fault, SmtpError, Target

BEFORE_MAIL = frozenset({Stage.CONNECT, Stage.GREETING, Stage.EHLO, Stage.STARTTLS, Stage.AUTH})


@record(frozen=True, kw_only=True, slots=True)
class Parcel:
    """One message for one recipient: ``content`` is sent as it is, and ends in CRLF. ``number`` counts attempts from 1.

    ``signed_by`` are the domains of the DKIM signatures in ``content``, for the record. ``pool`` is the pool of addresses that
    it may go from (``sources.pool_of``); None: those that are in no pool.
    """

    delivery_id: int
    message_id: str
    recipient: str
    mail_from: str
    content: bytes
    number: int
    tls_required: bool = False
    signed_by: tuple[str, ...] = ()
    pool: str | None = None


@dataclass(kw_only=True, slots=True)
class Course:
    """What has happened so far in an attempt under way."""

    parcel: Parcel
    started_at: Instant
    site: Site
    senders: tuple[Source, ...] = ()
    transcript: list[Line] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    target: Target | None = None
    source_ip: str | None = None
    tls: Tls | None = None
    reused: bool = False
    policy: HostPolicy = OPPORTUNISTIC
    policy_host: str | None = None
    clear_because: str | None = None

    def without_target(self) -> "Course":
        """The course as it stands where no connection to the host in question was tried."""
        return replace(self, target=None, source_ip=None, tls=None, reused=False, clear_because=None)

    def tell_of(self, then: "Course") -> None:
        """Of several hosts that failed, the record is about the one whose failure tells the story."""
        self.target, self.source_ip, self.tls, self.reused = then.target, then.source_ip, then.tls, then.reused
        self.policy, self.clear_because = then.policy, then.clear_because


def delivered(target: Target, reply: Reply) -> Outcome:
    """The outcome of a message that the server took."""
    return Outcome(
        result=Result.DELIVERED,
        cause=Cause.ACCEPTED_BY_RECEIVER,
        scope=CATALOGUE[Cause.ACCEPTED_BY_RECEIVER].scope,
        responder=Responder.REMOTE,
        permanent=False,
        stage=Stage.MESSAGE,
        status=reply.enhanced or "2.0.0",
        diagnostic=f"smtp; {reply.text}",
        rule="accepted",
        reply=reply,
        command=".",
        host=target.host,
        ip=target.ip,
    )


def no_route_evidence(course: Course, route: NoRoute) -> Evidence:
    """There is no way to the domain or a host of it, or none of our addresses may take it."""
    return Evidence(
        stage=Stage.ROUTE,
        recipient=course.parcel.recipient,
        failure=route.failure,
        text=route.text,
        host=route.host,
        tls_required=course.parcel.tls_required,
    )


def barred_evidence(course: Course, host: str) -> Evidence:
    """A host that its domain's policy keeps us from."""
    return Evidence(
        stage=Stage.ROUTE,
        recipient=course.parcel.recipient,
        failure=course.policy.refusal,
        text=course.policy.because,
        host=host,
        tls_required=True,
    )


def failure_evidence(course: Course, error: SmtpError) -> Evidence:
    """The conversation with the target failed."""
    target = course.target
    return Evidence(
        stage=error.stage,
        recipient=course.parcel.recipient,
        reply=error.reply,
        failure=course.policy.failure(error.fault) if error.fault is not None else None,
        text=course.policy.explain(error.fault, error.text),
        command=error.command,
        host=target.host if target is not None else None,
        ip=target.ip if target is not None else None,
        tls_required=course.parcel.tls_required or course.policy.required,
    )


def is_unreachable(error: SmtpError) -> bool:
    """Whether the address gave no connection or no greeting, through no fault of ours, and another may serve."""
    if error.stage not in (Stage.CONNECT, Stage.GREETING) or error.fault is Fault.NETWORK_DOWN:
        return False
    return next_may_differ(error)


def next_may_differ(error: SmtpError) -> bool:
    """Whether another host is worth trying: this one could not be spoken to, or turned us away before it heard of the message.

    A host that greets with a refusal (RFC 5321 §3.1, RFC 7504) speaks for itself; so does one that puts off MAIL. Our own
    relay's answer to a login is its last word.
    """
    if error.reply is not None:
        if error.stage is Stage.AUTH:
            return error.reply.code < 500
        return error.stage in BEFORE_MAIL or (error.stage is Stage.MAIL and error.reply.code < 500)
    if error.fault in (Fault.SIZE_EXCEEDED, Fault.I18N_UNSUPPORTED):
        return False
    return not error.content_sent


def was_stale(connection: SmtpConnection, error: SmtpError) -> bool:
    """Whether an open connection turned out to be closed already: nothing was answered, and no content was sent."""
    lost = error.fault is Fault.CONNECTION_LOST or (error.reply is not None and error.reply.code == 421)
    return lost and not connection.answered and not error.content_sent


_LASTING = frozenset({Failure.NO_ADDRESS, Failure.PRIVATE_ADDRESS, Failure.LOOP})


def weight(evidence: Evidence) -> int:
    """Which of several failures tells the story: a server's words first, then what may pass, then the rest."""
    if evidence.reply is not None:
        return 0
    if evidence.failure is Failure.NETWORK_DOWN:
        return 2
    return 3 if evidence.failure in _LASTING else 1
