"""The addresses of the mailbox simulator: what each does, in the words that real receivers use, and the cause it shows.

The first five are Amazon SES's own (Developer Guide, "Using the mailbox simulator"); the others are Waybill's.
"""

from dataclasses import dataclass

from waybill.lab.script import AfterEffect, Rule
from waybill.model.cause import Cause
from waybill.model.outcome import Stage
from waybill.model.simulator import SIMULATOR_DOMAIN

ZONE = SIMULATOR_DOMAIN
SLOW_SECONDS = 3.0


@dataclass(frozen=True, kw_only=True, slots=True)
class SimulatedAddress:
    """One address: ``text`` is what happens, for people; the rest is what the receiver does.

    ``cause`` is what the first attempt, or what comes home later, is explained by. Where ``domain`` is not the
    simulator's own, the name of the domain decides and any local part will do.
    """

    local: str
    cause: Cause
    text: str
    domain: str = ZONE
    stage: Stage = Stage.RCPT
    reply: str = ""
    times: int | None = None
    delay: float = 0.0
    disconnect: bool = False
    after: AfterEffect | None = None

    @property
    def address(self) -> str:
        """The address to send to. ``local+label@`` does the same."""
        return f"{self.local}@{self.domain}"

    @property
    def rule(self) -> Rule | None:
        """The receiver's rule for this address; None where it simply takes the message, or DNS decides."""
        if not (self.reply or self.delay or self.disconnect or self.after):
            return None
        return Rule(
            stage=self.stage,
            recipient=self.address,
            reply=self.reply,
            times=self.times,
            delay=self.delay,
            disconnect=self.disconnect,
            after=self.after,
        )


def _refusal(local: str, cause: Cause, reply: str, text: str) -> SimulatedAddress:
    return SimulatedAddress(local=local, cause=cause, reply=reply, text=text)


def _content(local: str, cause: Cause, reply: str, text: str) -> SimulatedAddress:
    return SimulatedAddress(local=local, cause=cause, reply=reply, text=text, stage=Stage.MESSAGE)


SES_ADDRESSES = (
    SimulatedAddress(local="success", cause=Cause.ACCEPTED_BY_RECEIVER, text="The message is taken."),
    _refusal(
        "bounce",
        Cause.USER_UNKNOWN,
        "550 5.1.1 user unknown",
        "The mailbox does not exist.",
    ),
    SimulatedAddress(
        local="complaint",
        cause=Cause.COMPLAINT,
        text="The message is taken, then marked as spam: a complaint comes home.",
        stage=Stage.MESSAGE,
        after=AfterEffect.COMPLAINT,
    ),
    SimulatedAddress(
        local="ooto",
        cause=Cause.ACCEPTED_BY_RECEIVER,
        text="The message is taken, then an out-of-office reply comes home. It is no bounce.",
        stage=Stage.MESSAGE,
        after=AfterEffect.AUTO_REPLY,
    ),
    SimulatedAddress(
        local="suppressionlist",
        cause=Cause.SUPPRESSED_GLOBAL,
        text="Waybill treats the address as if it were on the global suppression list.",
        reply="550 5.1.1 <suppressionlist@simulator.amazonses.com>: no mail is sent to this address",
    ),
)

ADDRESS = (
    _refusal(
        "disabled",
        Cause.MAILBOX_DISABLED,
        "550 5.2.1 The email account that you tried to reach is disabled.",
        "The mailbox is disabled.",
    ),
    _refusal(
        "moved",
        Cause.ADDRESS_MOVED,
        "551 5.1.6 User has moved; please try <new-address@example.com>",
        "The recipient has moved.",
    ),
    _refusal(
        "invalid",
        Cause.ADDRESS_INVALID,
        "553 5.1.3 The recipient address is not a valid RFC 5321 address.",
        "The receiver calls the address malformed.",
    ),
    _refusal(
        "full",
        Cause.MAILBOX_FULL,
        "552 5.2.2 The email account that you tried to reach is over quota.",
        "The mailbox is full.",
    ),
)

RECEIVER = (
    _content(
        "toolarge",
        Cause.MESSAGE_TOO_LARGE,
        "552 5.3.4 Your message exceeded our message size limits.",
        "The message is too large.",
    ),
    _content(
        "attachment",
        Cause.ATTACHMENT_REJECTED,
        "552 5.7.0 Our system detected an illegal attachment on your message.",
        "The type of attachment is not allowed.",
    ),
    _content(
        "malformed",
        Cause.CONTENT_MALFORMED,
        "550 5.7.1 This message is not RFC 5322 compliant because it has duplicate headers.",
        "The message breaks RFC 5322.",
    ),
    _content(
        "policy",
        Cause.POLICY_REJECTED,
        "554 5.7.1 Message rejected due to local policy",
        "A local policy refuses the message and does not say which.",
    ),
    _refusal(
        "restricted",
        Cause.RECIPIENT_RESTRICTED,
        "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required; Delivery restriction check failed because the sender was not authenticated when sending to this group",
        "The group takes mail from its members only.",
    ),
    _refusal(
        "sender",
        Cause.SENDER_INVALID,
        "550 5.1.8 Sender address rejected: Domain not found",
        "The sender's domain is refused.",
    ),
    _refusal(
        "relay",
        Cause.RELAY_DENIED,
        "554 5.7.1 <relay@simulator.amazonses.com>: Relay access denied",
        "The server does not take mail for the domain.",
    ),
    _refusal(
        "authrequired",
        Cause.AUTH_REQUIRED,
        "530 5.7.0 Authentication required",
        "The server wants SMTP authentication.",
    ),
    _refusal(
        "tls",
        Cause.TLS_REQUIRED,
        "530 5.7.0 Must issue a STARTTLS command first",
        "The server wants TLS.",
    ),
    _refusal(
        "toomany",
        Cause.TOO_MANY_RECIPIENTS,
        "452 4.5.3 Your message has too many recipients.",
        "Too many recipients.",
    ),
    _refusal(
        "i18n",
        Cause.I18N_UNSUPPORTED,
        "553 5.6.7 Internationalized address is not supported: SMTPUTF8 required",
        "Internationalised addresses are not supported.",
    ),
    _refusal(
        "protocol",
        Cause.PROTOCOL_ERROR,
        "503 5.5.1 Bad sequence of commands",
        "The server says that the SMTP conversation is out of order.",
    ),
    _content(
        "loop",
        Cause.ROUTING_LOOP,
        "554 5.4.6 Message exceeded 50 hops, this may indicate a mail loop.",
        "The message goes in circles.",
    ),
    _refusal(
        "misconfigured",
        Cause.SERVER_MISCONFIGURED,
        "451 4.3.5 Server configuration error",
        "The receiver is set up wrongly.",
    ),
    _refusal(
        "serverfull",
        Cause.SERVER_FULL,
        "452 4.3.1 Insufficient system storage",
        "The receiver's disk is full.",
    ),
    SimulatedAddress(
        local="disconnect",
        cause=Cause.PROTOCOL_ERROR,
        text="The receiver drops the connection after the message, without an answer.",
        stage=Stage.MESSAGE,
        disconnect=True,
    ),
    _refusal(
        "undetermined",
        Cause.UNDETERMINED,
        "550 The stars are not right for this one",
        "The receiver refuses in words that no rule knows.",
    ),
    SimulatedAddress(
        local="later-bounce",
        cause=Cause.USER_UNKNOWN,
        text="The message is taken, then a bounce mail comes home: user unknown.",
        stage=Stage.MESSAGE,
        after=AfterEffect.BOUNCE,
    ),
)

SPAM = (
    _content(
        "spam",
        Cause.SPAM_CONTENT,
        "550 5.7.1 Our system has detected that this message is likely unsolicited mail. To reduce the amount of spam, this message has been blocked.",
        "The content is judged to be spam.",
    ),
    _content(
        "virus",
        Cause.VIRUS_DETECTED,
        "554 5.7.0 Message rejected: virus found (Eicar-Signature)",
        "A virus is found.",
    ),
    _refusal(
        "blocklisted",
        Cause.IP_BLOCKLISTED,
        "554 5.7.1 Service unavailable; Client host [127.0.0.1] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/127.0.0.1",
        "The sending IP is on a blocklist.",
    ),
    _content(
        "domainblocklisted",
        Cause.DOMAIN_BLOCKLISTED,
        "550 5.7.1 Message contains a URL on a domain listed by Spamhaus DBL; see https://www.spamhaus.org/query/domain/example.com",
        "The sending domain, or a link, is on a blocklist.",
    ),
    _content(
        "reputation",
        Cause.LOW_REPUTATION,
        "550 5.7.1 Our system has detected that this message is likely suspicious due to the very low reputation of the sending IP address.",
        "The reputation is too low.",
    ),
    _content(
        "auth",
        Cause.AUTH_FAILED,
        "550 5.7.26 This mail has been blocked because the sender is unauthenticated. All senders must authenticate with either SPF or DKIM.",
        "The message is not authenticated.",
    ),
    _content(
        "dmarc",
        Cause.AUTH_FAILED,
        "550 5.7.1 Unauthenticated email from this domain is not accepted due to domain's DMARC policy.",
        "DMARC fails, and the domain's policy says to reject.",
    ),
    _refusal(
        "spf",
        Cause.AUTH_FAILED,
        "550 5.7.23 The message was rejected because of Sender Policy Framework violation",
        "SPF fails.",
    ),
    _content(
        "dkim",
        Cause.AUTH_FAILED,
        "550 5.7.20 No passing DKIM signature found",
        "DKIM fails.",
    ),
    _refusal(
        "ptr",
        Cause.PTR_MISSING,
        "550 5.7.25 The IP address sending this message does not have a PTR record setup, or the corresponding forward DNS entry does not point to the sending IP.",
        "The sending IP has no reverse name.",
    ),
)

DELAY = (
    SimulatedAddress(
        local="greylist",
        cause=Cause.GREYLISTED,
        text="Greylisted at the first attempt, taken at the second.",
        reply="451 4.7.1 Greylisting in action, please come back later",
        times=1,
    ),
    _refusal(
        "ratelimited",
        Cause.RATE_LIMITED,
        "421 4.7.28 Our system has detected an unusual rate of mail originating from your IP address. To protect our users, mail from it has been temporarily rate limited.",
        "We send too fast.",
    ),
    _refusal(
        "recipientrate",
        Cause.RECIPIENT_RATE_LIMITED,
        "450 4.2.1 The user you are trying to contact is receiving mail too quickly. Please resend your message at a later time.",
        "This recipient is getting too much mail.",
    ),
    _refusal(
        "unavailable",
        Cause.SERVER_UNAVAILABLE,
        "421 4.3.2 Service not available, closing transmission channel",
        "The receiver cannot take mail now.",
    ),
    SimulatedAddress(
        local="slow",
        cause=Cause.ACCEPTED_BY_RECEIVER,
        text=f"The receiver takes {SLOW_SECONDS:.0f} seconds to answer, then takes the message.",
        stage=Stage.MESSAGE,
        delay=SLOW_SECONDS,
    ),
    SimulatedAddress(
        local="delayed",
        cause=Cause.SERVER_UNAVAILABLE,
        text="Put off twice, taken at the third attempt.",
        reply="451 4.3.2 System not accepting network messages, try again later",
        times=2,
    ),
    _refusal(
        "expired",
        Cause.SERVER_UNAVAILABLE,
        "451 4.3.2 System not accepting network messages, try again later",
        "Put off every time, until the message expires (delivery_expired).",
    ),
)

DNS = (
    SimulatedAddress(
        local="anyone", cause=Cause.DOMAIN_NOT_FOUND, text="The domain does not exist.", domain=f"nodomain.{ZONE}"
    ),
    SimulatedAddress(
        local="anyone", cause=Cause.DOMAIN_NO_MAIL, text="The domain takes no mail: null MX.", domain=f"nullmx.{ZONE}"
    ),
    SimulatedAddress(
        local="anyone",
        cause=Cause.DOMAIN_NOT_FOUND,
        text="The domain exists and has neither MX nor address.",
        domain=f"noroute.{ZONE}",
    ),
    SimulatedAddress(
        local="anyone", cause=Cause.DNS_FAILURE, text="The name servers answer SERVFAIL.", domain=f"dnsfail.{ZONE}"
    ),
    SimulatedAddress(
        local="anyone", cause=Cause.DNS_FAILURE, text="The name servers do not answer.", domain=f"dnstimeout.{ZONE}"
    ),
    SimulatedAddress(
        local="anyone",
        cause=Cause.CONNECTION_FAILED,
        text="Nothing listens where the MX points.",
        domain=f"unreachable.{ZONE}",
    ),
    SimulatedAddress(
        local="anyone",
        cause=Cause.ACCEPTED_BY_RECEIVER,
        text="The receiver offers no STARTTLS: the message goes in clear.",
        domain=f"notls.{ZONE}",
    ),
)

SIMULATED: tuple[SimulatedAddress, ...] = (*SES_ADDRESSES, *ADDRESS, *RECEIVER, *SPAM, *DELAY, *DNS)
