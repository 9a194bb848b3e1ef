"""What one attempt to deliver came to: the SMTP conversation as it was, and the Outcome."""

from enum import StrEnum

from waybill.model.cause import Cause, Responder, Scope
from waybill.model.clock import Instant
from waybill.model.record import record


class Result(StrEnum):
    """The three ends of an attempt."""

    DELIVERED = "delivered"
    DEFERRED = "deferred"
    BOUNCED = "bounced"


class Stage(StrEnum):
    """Where in the attempt the answer came."""

    ROUTE = "route"
    CONNECT = "connect"
    GREETING = "greeting"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    MESSAGE = "message"
    RETURNED = "returned"  # not in the conversation: by a bounce mail that came home later


@record(frozen=True, kw_only=True, slots=True)
class Reply:
    """One SMTP reply (RFC 5321 §4.2), verbatim.

    ``lines`` are the texts after the code, without CRLF; ``enhanced`` is the enhanced status code
    (RFC 3463) that the first line starts with, or None.
    """

    code: int
    enhanced: str | None
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """The whole reply on one line: ``550 5.1.1 User unknown in virtual mailbox table``."""
        return f"{self.code} {' '.join(line for line in self.lines if line)}".rstrip()


class Speaker(StrEnum):
    """Which side a line of the transcript comes from; ``note`` is Waybill's own remark (connected, TLS up)."""

    CLIENT = "client"
    SERVER = "server"
    NOTE = "note"


@record(frozen=True, kw_only=True, slots=True)
class Line:
    """One line of the conversation with the instant it was sent or read. Secrets and message content are left out."""

    at: Instant
    who: Speaker
    text: str


@record(frozen=True, kw_only=True, slots=True)
class Tls:
    """The TLS session of an attempt."""

    version: str
    cipher: str
    peer_subject: str | None
    verified: bool
    why_not_verified: str | None = None


@record(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The verdict on one attempt: both the SES events and the explanation are made from it.

    ``diagnostic`` is the verbatim answer as RFC 3464 writes it (``smtp; 550 5.1.1 …``), or our own words
    for a failure of DNS or network. ``status`` is the enhanced status code (``5.1.1``). ``rule`` is the id of the
    classification rule that matched. ``suppress`` is true only for a certain, permanent refusal of this recipient.

    Raises:
        ValueError: a failure without cause, scope, responder, diagnostic or rule, or a suppression beyond the recipient.
    """

    result: Result
    cause: Cause
    scope: Scope
    responder: Responder
    permanent: bool
    stage: Stage
    status: str
    diagnostic: str
    rule: str
    suppress: bool = False
    confidence: str = "certain"
    reply: Reply | None = None
    command: str | None = None
    host: str | None = None
    ip: str | None = None

    def __post_init__(self) -> None:
        if not (self.diagnostic and self.rule):
            msg = f"an outcome ({self.result}, {self.cause}) needs the words and the rule it rests on"
            raise ValueError(msg)
        if self.suppress and not (
            self.permanent and (self.scope is Scope.RECIPIENT or self.cause is Cause.DOMAIN_NO_MAIL)
        ):
            msg = f"{self.cause} about {self.scope} must not suppress the recipient"
            raise ValueError(msg)


@record(frozen=True, kw_only=True, slots=True)
class Slowed:
    """A delivery that was due waited from ``since`` until its attempt began, since its site is sent to at a rate set by ``by``."""

    by: str
    since: Instant
    text: str


@record(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One attempt: who we talked to, from where, every line both ways, and what it came to.

    ``mx`` is the host name, ``ip`` and ``port`` what we connected to (None where no connection was tried);
    ``hosts`` are all hosts of the route with what became of each, in the order tried; ``signed_by`` the domains of the
    DKIM signatures that the message carried. ``tls_policy`` is what asked for TLS: ``dane``, ``mta-sts enforce``,
    ``mta-sts testing``, ``configuration set``; None: nobody, TLS was used if there was any. ``clear_because`` says why the
    conversation was in clear. ``site`` is what the recipient's domain shares with others (a provider, or the host of its
    own), ``provider`` the provider's name where it is one that Waybill knows. ``authentication`` names the Sending whose
    SPF, DKIM and DMARC the store keeps; ``signature_intact`` is whether Waybill's own signatures matched the octets as they
    went out, None where that was not looked at.
    """

    number: int
    started_at: Instant
    ended_at: Instant
    outcome: Outcome
    mx: str | None = None
    ip: str | None = None
    port: int | None = None
    source_ip: str | None = None
    helo: str | None = None
    tls: Tls | None = None
    transcript: tuple[Line, ...] = ()
    hosts: tuple[str, ...] = ()
    reused_connection: bool = False
    signed_by: tuple[str, ...] = ()
    tls_policy: str | None = None
    clear_because: str | None = None
    site: str = ""
    provider: str | None = None
    slowed: Slowed | None = None
    authentication: str | None = None
    signature_intact: bool | None = None
