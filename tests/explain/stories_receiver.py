"""What receivers, the DNS and the network said, as stories to explain."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.explain.life import START, Life, message
from waybill.deliver.evidence import Failure
from waybill.model.clock import DAY, HOUR, MINUTE, SECOND
from waybill.model.history import DomainHistory
from waybill.model.outcome import Stage

MESSAGE = Stage.MESSAGE

# What is told of a single reply to a single attempt: cause[-variant] -> the reply, and the step it answers.
REPLIES: dict[str, tuple[str, Stage]] = {
    "user_unknown": ("550 5.1.1 <anna.k@firma.example>: Recipient address rejected: User unknown in virtual mailbox table", Stage.RCPT),
    "user_unknown-at-message": ("550 5.1.1 <anna.k@firma.example> User unknown", MESSAGE),
    "mailbox_disabled": ("550 5.2.1 The email account that you tried to reach is disabled.", Stage.RCPT),
    "address_moved": ("551 5.1.6 User has moved; please try <anna.kowalski@firma.example>", Stage.RCPT),
    "address_invalid": ("553 5.1.3 The recipient address is not a valid RFC 5321 address.", Stage.RCPT),
    "domain_not_found-said-by-server": ("550 5.1.2 Host unknown (Name server: firma.example: host not found)", Stage.RCPT),
    "domain_no_mail-said-by-server": ("521 5.3.2 This host does not accept mail", Stage.GREETING),
    "mailbox_full": ("552 5.2.2 The email account that you tried to reach is over quota.", Stage.RCPT),
    "mailbox_full-for-now": ("452 4.2.2 The email account that you tried to reach is over quota.", Stage.RCPT),
    "message_too_large": ("552 5.3.4 Your message exceeded our message size limits.", MESSAGE),
    "attachment_rejected": ("552 5.7.0 Our system detected an illegal attachment on your message.", MESSAGE),
    "content_malformed": ("550 5.7.1 This message is not RFC 5322 compliant because it has duplicate headers.", MESSAGE),
    "policy_rejected": ("554 5.7.1 Message rejected due to local policy", MESSAGE),
    "recipient_restricted": ("550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required; Delivery restriction check failed because the sender was not authenticated when sending to this group", Stage.RCPT),
    "sender_invalid": ("550 5.1.8 <1.abcdef@bounce.shop.example>: Sender address rejected: Domain not found", Stage.RCPT),
    "sender_invalid-at-message": ("550 5.1.8 Sender address rejected: Domain not found", MESSAGE),
    "relay_denied": ("554 5.7.1 <anna.k@firma.example>: Relay access denied", Stage.RCPT),
    "auth_required": ("530 5.7.0 Authentication required", Stage.MAIL),
    "tls_required-said-by-server": ("530 5.7.0 Must issue a STARTTLS command first", Stage.MAIL),
    "too_many_recipients": ("452 4.5.3 Your message has too many recipients.", Stage.RCPT),
    "i18n_unsupported": ("553 5.6.7 Internationalized address is not supported: SMTPUTF8 required", Stage.RCPT),
    "protocol_error": ("503 5.5.1 Bad sequence of commands", Stage.RCPT),
    "routing_loop": ("554 5.4.6 Message exceeded 50 hops, this may indicate a mail loop.", MESSAGE),
    "server_misconfigured": ("451 4.3.5 Server configuration error", Stage.RCPT),
    "server_full": ("452 4.3.1 Insufficient system storage", MESSAGE),
    "spam_content": ("550-5.7.1 Our system has detected that this message is\n550-5.7.1 likely unsolicited mail. To reduce the amount of spam,\n550 5.7.1 this message has been blocked.", MESSAGE),
    "virus_detected-by-receiver": ("554 5.7.0 Message rejected: virus found (Eicar-Signature)", MESSAGE),
    "ip_blocklisted": ("554 5.7.1 Service unavailable; Client host [198.51.100.4] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/198.51.100.4", Stage.RCPT),
    "ip_blocklisted-although-5.1.1": ("550 5.1.1 Mail from 198.51.100.4 refused, your IP is listed in zen.spamhaus.org", Stage.RCPT),
    "ip_blocklisted-for-now": ("421 4.7.1 Client host [198.51.100.4] blocked using zen.spamhaus.org", Stage.GREETING),
    "domain_blocklisted": ("550 5.7.1 Message contains a URL on a domain listed by Spamhaus DBL; see https://www.spamhaus.org/query/domain/example.com", MESSAGE),
    "low_reputation": ("550 5.7.1 Our system has detected that this message is likely suspicious due to the very low reputation of the sending IP address.", MESSAGE),
    "auth_failed": ("550-5.7.26 Unauthenticated email from shop.example is not accepted due to\n550 5.7.26 domain's DMARC policy.", MESSAGE),
    "ptr_missing": ("550 5.7.25 The IP address sending this message does not have a PTR record setup, or the corresponding forward DNS entry does not point to the sending IP.", Stage.RCPT),
    "greylisted": ("451 4.7.1 Greylisting in action, please come back later", Stage.RCPT),
    "rate_limited": ("421 4.7.28 Our system has detected an unusual rate of mail originating from your IP address. To protect our users, mail from it has been temporarily rate limited.", Stage.RCPT),
    "recipient_rate_limited": ("450 4.2.1 The user you are trying to contact is receiving mail too quickly. Please resend your message at a later time.", Stage.RCPT),
    "server_unavailable": ("421 4.3.2 Service not available, closing transmission channel", Stage.GREETING),
    "undetermined": ("550 The stars are not right for this one", Stage.RCPT),
}  # fmt: skip

# What is told of an attempt without a reply: the failure, Waybill's words for it, and the step.
FAILURES: dict[str, tuple[Failure, str, Stage]] = {
    "domain_not_found-no-address": (Failure.NO_ADDRESS, "127.0.0.53:53 answered that firma.example has no A record; 127.0.0.53:53 answered that firma.example has no AAAA record", Stage.ROUTE),
    "domain_not_found-private-address": (Failure.PRIVATE_ADDRESS, "mx1.firma.example has the address 10.0.0.8, which is private or reserved; Waybill delivers there only where delivery.allow_private says so", Stage.ROUTE),
    "domain_no_mail": (Failure.NULL_MX, "127.0.0.53:53 answered for firma.example MX: 0 .", Stage.ROUTE),
    "dns_failure": (Failure.DNS_FAILURE, "127.0.0.53:53 answered SERVFAIL for firma.example MX", Stage.ROUTE),
    "dns_failure-timeout": (Failure.DNS_TIMEOUT, "127.0.0.53:53 did not answer for firma.example MX within 5 s", Stage.ROUTE),
    "address_invalid-literal": (Failure.ADDRESS_LITERAL, "Waybill does not deliver to address literals such as [192.0.2.1]", Stage.ROUTE),
    "routing_loop-to-ourselves": (Failure.LOOP, "The best MX host is mail.shop.example, which is this server, and mail for it is not taken here", Stage.ROUTE),
    "waybill_incident": (Failure.NETWORK_DOWN, "Cannot connect from 198.51.100.4 to mx1.firma.example [192.0.2.7]:25: Network is unreachable", Stage.CONNECT),
    "connection_failed": (Failure.CONNECTION_REFUSED, "mx1.firma.example [192.0.2.7]:25 refused the connection", Stage.CONNECT),
    "connection_failed-no-greeting": (Failure.CONNECTION_LOST, "mx1.firma.example [192.0.2.7]:25 closed the connection", Stage.GREETING),
    "connection_failed-silent": (Failure.TIMEOUT, "mx1.firma.example [192.0.2.7]:25 gave no answer to RCPT TO within 300 s", Stage.RCPT),
    "protocol_error-broken-off": (Failure.CONNECTION_LOST, "mx1.firma.example [192.0.2.7]:25 closed the connection", Stage.RCPT),
    "protocol_error-after-message": (Failure.CONNECTION_LOST, "mx1.firma.example [192.0.2.7]:25 closed the connection. All of it had been sent: whether it was taken is not known, and sending it again may duplicate it", MESSAGE),
    "protocol_error-malformed": (Failure.MALFORMED_REPLY, 'The server answered RCPT TO with "hello", which is no SMTP reply', Stage.RCPT),
    "tls_required": (Failure.TLS_FAILED, "The certificate of mx1.firma.example [192.0.2.7]:25 is not to be trusted: expired on 2026-11-01", Stage.STARTTLS),
    "tls_required-not-offered": (Failure.TLS_NOT_OFFERED, "mx1.firma.example [192.0.2.7]:25 does not offer STARTTLS, and this message must not go without TLS", Stage.STARTTLS),
    "message_too_large-not-tried": (Failure.SIZE_EXCEEDED, "mx1.firma.example [192.0.2.7]:25 takes messages of up to 1000 bytes; this one has 4218", Stage.MAIL),
    "i18n_unsupported-not-offered": (Failure.I18N_UNSUPPORTED, "mx1.firma.example [192.0.2.7]:25 does not offer SMTPUTF8, which an address that is not ASCII needs", Stage.MAIL),
}  # fmt: skip

BUSY = DomainHistory(
    delivered_to_domain=212,
    last_delivered_to_domain=START - HOUR,
    last_delivered_to_address=START - 3 * DAY,
    last_bounced_address=None,
    same_cause_messages=37,
    same_cause_domains=9,
    same_cause_since=START - 82 * MINUTE,
)

QUIET = replace(
    BUSY,
    delivered_to_domain=0,
    last_delivered_to_domain=START - 90 * DAY,
    last_delivered_to_address=None,
    last_bounced_address=START - 2 * DAY,
    same_cause_messages=0,
)


def _reply(reply: str, stage: Stage) -> Callable[[], Life]:
    return lambda: Life().answered(reply, stage)


def _failure(failure: Failure, text: str, stage: Stage) -> Callable[[], Life]:
    return lambda: Life().failed(failure, text, stage)


def _typo(recipient: str) -> Life:
    return Life(recipient=recipient).failed(
        Failure.DOMAIN_NOT_FOUND, f"127.0.0.53:53 answered NXDOMAIN for {recipient.rpartition('@')[2]} MX", Stage.ROUTE
    )


def _greylisted_then_taken() -> Life:
    life = Life(recipient="kim@ngo.example", retry=(16 * MINUTE,)).answered("451 4.7.1 Greylisted, try again later")
    return life.wait_for_retry().answered("250 2.0.0 Ok: queued as 4F5XkQ", MESSAGE).wait(HOUR)


def _expired(*, own_limit: bool) -> Life:
    life = Life(lifetime=5 * MINUTE if own_limit else 14 * HOUR, retry=(2 * MINUTE if own_limit else 5 * HOUR,))
    for _ in range(3):
        life.answered("451 4.3.2 System not accepting network messages, try again later", Stage.RCPT).wait_for_retry()
    return life.expired(own_limit=own_limit)


def _changed_answers() -> Life:
    life = Life().failed(Failure.CONNECTION_TIMEOUT, "Connecting to mx1.firma.example [192.0.2.7]:25 took over 30 s")
    return life.wait_for_retry().answered(*REPLIES["user_unknown"])


def _through_relay() -> Life:
    life = Life(route="All mail goes to the relay smtp.isp.example")
    return life.answered("550 5.1.1 No such user", mx="smtp.isp.example", ip="192.0.2.99", port=587)


def _relay_took_it() -> Life:
    life = Life(route="All mail goes to the relay smtp.isp.example")
    return life.answered("250 2.0.0 Ok: queued", MESSAGE, mx="smtp.isp.example", ip="192.0.2.99", port=587).wait(HOUR)


def _taken(**changes: Any) -> Life:
    return Life(recipient="sam@corp.example").answered(
        "250 2.6.0 <x@shop.example> [InternalId=1, Hostname=corp.example] Queued mail for delivery", MESSAGE, **changes
    )


def _late_start() -> Life:
    life = Life(recipient="sam@corp.example", message=message(client_started_at=START - 20 * MINUTE))
    return life.answered("250 2.0.0 Ok", MESSAGE).wait(HOUR)


def _waited_in_waybill() -> Life:
    life = Life(recipient="sam@corp.example").wait(25 * MINUTE)
    return life.answered("250 2.0.0 Ok", MESSAGE).wait(HOUR)


def _simulated(local: str, reply: str) -> Life:
    life = Life(recipient=f"{local}@simulator.amazonses.com")
    return life.answered(reply, Stage.MESSAGE if reply.startswith("250") else Stage.RCPT, ip="127.0.0.1")


LIVES: dict[str, Callable[[], Life]] = {
    **{name: _reply(*reply) for name, reply in REPLIES.items()},
    **{name: _failure(*failure) for name, failure in FAILURES.items()},
    "domain_not_found": lambda: _typo("jo@university.example"),
    "domain_not_found-typo": lambda: _typo("jo@gmial.com"),
    "user_unknown-typo": lambda: Life(recipient="jo@gmal.com").answered("550 5.1.1 User unknown"),
    "user_unknown-well-known-domain": lambda: Life(history=BUSY).answered(*REPLIES["user_unknown"]),
    "user_unknown-seldom-written-to": lambda: Life(history=QUIET).answered(*REPLIES["user_unknown"]),
    "user_unknown-second-answer": _changed_answers,
    "user_unknown-through-relay": _through_relay,
    "user_unknown-later": lambda: (
        _taken().wait(26 * MINUTE).returned("550 5.1.1 sam@corp.example: no such user here", mta="mx.corp.example")
    ),
    "user_unknown-other-account": lambda: Life(message=message(account="100000000007")).answered(
        *REPLIES["user_unknown"]
    ),
    "user_unknown-dashed-address": lambda: Life(recipient="-anna@firma.example").answered("550 5.1.1 User unknown"),
    "user_unknown-simulator-later": lambda: (
        _simulated("later-bounce", "250 2.6.0 Ok: taken by the mailbox simulator")
        .wait(SECOND)
        .returned("550 5.1.1 User unknown in virtual mailbox table")
    ),
    "user_unknown-simulator": lambda: _simulated("bounce", "550 5.1.1 user unknown"),
    "policy_rejected-later": lambda: _taken().wait(SECOND).returned("554 5.7.1 Message rejected due to local policy"),
    "delivery_expired-elsewhere": lambda: (
        _taken().wait(2 * DAY).returned("551 5.4.7 message expired in the queue", mta="gateway.corp.example")
    ),
    "auth_failed-no-identity": lambda: Life(message=message(identity=None)).answered(
        *REPLIES["auth_failed"], signed_by=()
    ),
    "server_unavailable-last-time": lambda: Life(lifetime=30 * SECOND).answered(*REPLIES["server_unavailable"]),
    "delivery_expired": lambda: _expired(own_limit=False),
    "delivery_expired-by-configuration-set": lambda: _expired(own_limit=True),
    "delivery_expired-without-attempt": lambda: Life(lifetime=HOUR).expired(),
    "ip_blocklisted-behind-a-router": lambda: Life().answered(*REPLIES["ip_blocklisted"], source_ip="192.168.1.9"),
    "ip_blocklisted-nowhere-named": lambda: Life().answered(
        "554 5.7.1 Your IP is on our blocklist", source_ip="127.0.0.1"
    ),
    "ip_blocklisted-widely": lambda: Life(history=BUSY).answered(*REPLIES["ip_blocklisted"]),
    "dns_failure-widely": lambda: Life(history=BUSY).failed(*FAILURES["dns_failure"]),
    "connection_failed-widely": lambda: Life(history=BUSY).failed(*FAILURES["connection_failed"]),
    "accepted_by_receiver": lambda: _taken().wait(26 * HOUR),
    "accepted_by_receiver-in-clear": lambda: Life().answered("250 Ok", MESSAGE, tls=False).wait(MINUTE),
    "accepted_by_receiver-greylisted": _greylisted_then_taken,
    "accepted_by_receiver-slow": lambda: _taken(ended_at=START + 9 * MINUTE).wait(MINUTE),
    "accepted_by_receiver-waited-in-waybill": _waited_in_waybill,
    "accepted_by_receiver-late-start": _late_start,
    "accepted_by_receiver-through-relay": _relay_took_it,
    "accepted_by_receiver-captured": lambda: Life().answered(
        "250 2.0.0 Ok: captured by Waybill, not sent on", MESSAGE, ip="127.0.0.1", port=2525, source_ip="127.0.0.1"
    ),
    "accepted_by_receiver-simulator": lambda: _simulated("success", "250 2.6.0 Ok: taken by the mailbox simulator"),
    "complaint": lambda: Life(recipient="sam@yahoo.example").answered("250 ok", MESSAGE).wait(3 * HOUR).complained(),
    "complaint-unnamed": lambda: Life().answered("250 ok", MESSAGE).wait(3 * HOUR).complained(None, None),
    "complaint-other-type": lambda: Life().answered("250 ok", MESSAGE).wait(3 * HOUR).complained("miscategorized"),
}
