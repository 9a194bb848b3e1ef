"""What the large receivers say, as their own pages and many logs have it, and what it must be taken for."""

from typing import NamedTuple

import pytest

from waybill.deliver.classify import classify
from waybill.deliver.evidence import Evidence
from waybill.mail.reply import parse_reply
from waybill.model.cause import CATALOGUE, Cause, Scope
from waybill.model.outcome import Outcome, Result, Stage

GOOGLE = "gmail-smtp-in.l.google.com"
YAHOO = "mta5.am0.yahoodns.net"
CONSUMER = "outlook-com.olc.protection.outlook.com"
TENANT = "b-example.mail.protection.outlook.com"
APPLE = "mx01.mail.icloud.com"
OTHER = "mx.b.example"


# By host: the causes that are right, the scope, whether the recipient is listed for it, and the words.
SAYS = {
    GOOGLE: """
auth_failed sender_domain free | 421 4.7.27 Your email has been rate limited because SPF authentication didn't pass for this message.
auth_failed sender_domain free | 550 5.7.27 Your email has been blocked because SPF authentication didn't pass for this message.
auth_failed sender_domain free | 421 4.7.30 Your email has been rate limited because DKIM authentication didn't pass for this message.
auth_failed sender_domain free | 550 5.7.30 Your email has been blocked because DKIM authentication didn't pass for this message.
auth_failed sender_domain free | 421 4.7.40 Your email has been rate limited because the sending domain doesn't have a DMARC record.
auth_failed sender_domain free | 550 5.7.40 Your email has been blocked because the sending domain doesn't have a DMARC record.
auth_failed sender_domain free | 421 4.7.32 Your email has been rate limited because the From: header (RFC5322) isn't aligned with either the authenticated SPF or DKIM organizational domain.
auth_failed sender_domain free | 550 5.7.26 This mail has been blocked because the sender is unauthenticated. Gmail requires all senders to authenticate with either SPF or DKIM.
ptr_missing source_ip free | 421 4.7.23 Your email has been rate limited because the sending IP address doesn't have a PTR record, or the PTR record's forward DNS entry doesn't match.
ptr_missing source_ip free | 550 5.7.25 The sending IP does not have a PTR record setup.
tls_required - free | 421 4.7.29 Your email has been rate limited because this message wasn't sent over a TLS connection.
tls_required - free | 550 5.7.29 Your email has been blocked because this message wasn't sent over a TLS connection.
low_reputation/rate_limited - free | 421 4.7.28 Gmail has detected an unusual rate of unsolicited mail originating from your IP address. To protect our users, mail has been temporarily rate limited.
recipient_rate_limited - free | 450 4.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages from being delivered.
recipient_rate_limited - free | 550 5.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages from being delivered.
recipient_restricted recipient_domain free | 550 5.7.1 The message was blocked by the administrator of the domain. x12-20020a17.123 - gcdp
user_unknown - listed | 550 5.1.1 The email account that you tried to reach does not exist. Please try double-checking the recipient's email address for typos.
mailbox_disabled - listed | 550 5.2.1 The email account that you tried to reach is inactive.
mailbox_full - free | 552 5.2.2 The email account that you tried to reach is over quota and inactive.
message_too_large - free | 552 5.2.3 Your message exceeded Google's message size limits.
attachment_rejected - free | 552 5.7.0 This message was blocked because its content presents a potential security issue.
""",
    YAHOO: """
low_reputation/rate_limited source_ip free | 421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints - 4.16.55.1
low_reputation/rate_limited source_ip free | 421 4.7.0 [TSS05] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints
low_reputation/rate_limited source_ip free | 421 4.7.0 [IPTS04] Messages from 192.0.2.1 temporarily deferred due to user complaints
low_reputation/rate_limited source_ip free | 421 4.7.0 [TS01] Messages from 192.0.2.1 temporarily deferred due to user complaints - 4.16.55.1
ip_blocklisted source_ip free | 553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.1, because the ip is in Spamhaus's list
ip_blocklisted source_ip free | 553 5.7.1 [BL23] Connections not accepted from IP addresses on Spamhaus XBL
spam_content content free | 554 Message not allowed - [PH01] Email not accepted for policy reasons.
auth_failed/policy_rejected - free | 554 5.7.9 Message not accepted for policy reasons. See https://postmaster.yahooinc.com/error-codes
mailbox_disabled - listed | 554 30 Sorry, your message to u@yahoo.com cannot be delivered. This mailbox is disabled (554.30).
user_unknown - listed | 552 1 Requested mail action aborted, mailbox not found
""",
    CONSUMER: """
auth_failed sender_domain free | 550 5.7.515 Access denied, sending domain SENDER.EXAMPLE does not meet the required authentication level.
auth_failed sender_domain free | 550 5.7.15 Access denied, sending domain SENDER.EXAMPLE doesn't meet the required authentication level.
ip_blocklisted source_ip free | 550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3140).
ip_blocklisted source_ip free | 550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. (S3150)
domain_blocklisted sender_domain free | 550 5.7.1 Service unavailable, MailFrom domain is listed in Spamhaus. To request removal from this list see https://www.spamhaus.org/query/lookup/ (S8002)
low_reputation/rate_limited source_ip free | 451 4.7.650 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation. (S843)
low_reputation/rate_limited source_ip free | 451 4.7.651 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation. (S3114)
rate_limited/server_unavailable - free | 451 4.7.500 Server busy. Please try again later from [192.0.2.1]. (S77719)
user_unknown - listed | 550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302).
""",
    TENANT: """
ip_blocklisted source_ip free | 550 5.7.606 Access denied, banned sending IP [192.0.2.1]. To request removal from this list please visit https://sender.office.com/
ip_blocklisted source_ip free | 550 5.7.649 Access denied, banned sending IP [192.0.2.1]
policy_rejected/recipient_restricted - free | 550 5.7.513 Service unavailable, Client host [192.0.2.1] blocked by recipient using Customer Block list.
user_unknown - free | 550 5.4.1 Recipient address rejected: Access denied. [DB5EUR01FT010.eop-EUR01.prod.protection.outlook.com]
""",
    APPLE: """
policy_rejected - free | 554 5.7.1 [CS01] Message rejected due to local policy. Please visit https://support.apple.com/en-us/HT204137
domain_blocklisted sender_domain free | 550 5.7.1 Your email was rejected because the domain sender.example is listed in the DBL
low_reputation/rate_limited - free | 421 4.7.1 Messages from 192.0.2.1 temporarily deferred due to unexpected volume
""",
    OTHER: """
auth_failed sender_domain free | 550 5.7.1 Unauthenticated email from sender.example is not accepted due to domain's DMARC policy.
ip_blocklisted source_ip free | 553 5.3.0 DNSBL:zen.spamhaus.org 192.0.2.1
user_unknown - listed | 550 No user found
domain_no_mail - listed | 556 5.1.10 Recipient address has null MX
address_invalid/i18n_unsupported - free | 553 5.1.2 The address specified is not a valid RFC-5321 address: non-ASCII domain needs SMTPUTF8
mailbox_full - free | 452 4.2.2 The email account that you tried to reach is over quota.
""",
}


class Words(NamedTuple):
    """A reply of a host, and what is right for it."""

    host: str
    reply: str
    causes: frozenset[Cause] = frozenset()
    scope: Scope | None = None
    suppress: bool = False


def table() -> list[Words]:
    """The lines above."""
    found = []
    for host, lines in SAYS.items():
        for line in lines.strip().splitlines():
            right, _, reply = line.partition(" | ")
            causes, scope, fate = right.split()
            found.append(
                Words(
                    host=host,
                    reply=reply,
                    causes=frozenset(map(Cause, causes.split("/"))),
                    scope=None if scope == "-" else Scope(scope),
                    suppress=fate == "listed",
                )
            )
    return found


SAID = table()


def said(words: Words) -> Outcome:
    return classify(
        Evidence(stage=Stage.RCPT, recipient="u@b.example", reply=parse_reply(words.reply), host=words.host)
    )


@pytest.mark.parametrize("words", SAID, ids=[f"{words.host.split('.')[-2]}-{words.reply[:22]}" for words in SAID])
def test_what_a_large_receiver_means(words: Words) -> None:
    """The published wording of each large receiver has the right cause and scope, and only a dead mailbox suppresses."""
    outcome = said(words)
    assert outcome.cause in words.causes, outcome
    assert words.scope in (None, outcome.scope), outcome
    assert words.suppress is outcome.suppress, outcome
    assert (Result.BOUNCED if words.reply.startswith("5") else Result.DEFERRED) is outcome.result


@pytest.mark.parametrize("words", [each for each in SAID if each.host != OTHER], ids=lambda words: words.reply[:30])
def test_it_is_known_without_the_host_as_well(words: Words) -> None:
    """In a bounce mail of a forwarder nobody says whose server spoke: then too nobody is suppressed by mistake."""
    outcome = classify(Evidence(stage=Stage.RETURNED, recipient="u@b.example", reply=parse_reply(words.reply)))
    assert words.suppress or not outcome.suppress


def test_every_cause_has_an_event_of_its_kind() -> None:
    """Whatever is refused for good has a bounce type of SES's, whatever is put off a delay type: no event is without its reason."""
    for words in SAID:
        entry = CATALOGUE[said(words).cause]
        assert entry.ses is not None, entry.code
        if words.reply.startswith("4"):
            assert entry.delay_type is not None, entry.code


def test_permanent_is_not_the_same_as_refused() -> None:
    """A 5xx about reputation has ended this message; the address may take the next, and the outcome says so."""
    for reply in (
        "550 5.7.1 very low reputation of the sending domain",
        "553 5.3.0 listed in a DNSBL",
        "552 5.2.2 Mailbox full",
    ):
        outcome = said(Words(OTHER, reply))
        assert (Result.BOUNCED, False, False) == (outcome.result, outcome.permanent, outcome.suppress)
