"""Mail that comes home: every kind is told apart, recipients and words are found, hostile bytes are just ``other``."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.shared_data import SHARED
from waybill.mail.report import Report, ReportedRecipient, read_report

DSN = b"""\
Return-Path: <>
From: MAILER-DAEMON@mx.example.net (Mail Delivery System)
To: b7abc@bounce.example
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="B"

--B
Content-Type: text/plain

<ana@example.net>: host mx.example.net said: 550 5.1.1 User unknown

--B
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net
Arrival-Date: Tue, 24 Nov 2026 02:30:00 +0000

Final-Recipient: rfc822; Ana@Example.NET
Original-Recipient: rfc822;alias@example.org
Action: failed
Status: 5.1.1
Remote-MTA: dns; in.example.net
Diagnostic-Code: smtp; 550 5.1.1 <ana@example.net>:
    User unknown

Final-Recipient: rfc822; bob@example.net
Action: delayed
Status: 4.2.2

--B
Content-Type: message/rfc822

From: shop@example.com
To: ana@example.net
Message-ID: <0100abc@amazonses.example>
Subject: Order

body
--B--
"""

ARF = b"""\
From: abuse@isp.example
Subject: complaint
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="B"

--B
Content-Type: text/plain

This is an abuse report.
--B
Content-Type: message/feedback-report

Feedback-Type: Abuse
User-Agent: SomeISP/1.0
Version: 1
Original-Rcpt-To: <ana@isp.example>
Arrival-Date: Tue, 24 Nov 2026 02:30:00 +0000
Reporting-MTA: dns; fbl.isp.example

--B
Content-Type: message/rfc822

From: shop@example.com
To: ana@isp.example
Message-ID: <0100abc@amazonses.example>

body
--B--
"""

QMAIL = b"""\
Return-Path: <>
From: MAILER-DAEMON@old.example
To: shop@example.com
Subject: failure notice

Hi. This is the qmail-send program at old.example.
I'm afraid I wasn't able to deliver your message to the following addresses.

<carl@old.example>:
192.0.2.1 does not like recipient.
Remote host said: 550 5.2.1 Mailbox disabled

--- Below this line is a copy of the message.

From: shop@example.com
To: carl@old.example
Message-ID: <m1@example.com>
"""


def mail(*fields: str, body: str = "text") -> bytes:
    return "\r\n".join((*fields, "", body, "")).encode()


def test_reads_a_delivery_status() -> None:
    """RFC 3464, each field of each recipient; one failure makes it a bounce."""
    assert read_report(DSN) == Report(
        kind="bounce",
        recipients=(
            ReportedRecipient(
                recipient="Ana@example.net",
                status="5.1.1",
                action="failed",
                diagnostic="smtp; 550 5.1.1 <ana@example.net>: User unknown",
                remote_mta="dns; in.example.net",
            ),
            ReportedRecipient(recipient="bob@example.net", status="4.2.2", action="delayed"),
        ),
        reporting_mta="dns; mx.example.net",
        original_message_id="0100abc@amazonses.example",
        arrival_date=1_795_487_400_000,
        auto_submitted="auto-replied",
        subject="Undelivered Mail Returned to Sender",
    )


@pytest.mark.parametrize(
    ("action", "kind"), [("failed", "bounce"), ("delayed", "delay"), ("delivered", "other"), ("relayed", "other")]
)
def test_the_actions_decide_the_kind(action: str, kind: str) -> None:
    """A delay is no bounce, and a receipt is neither."""
    only = DSN.replace(b"Action: failed", f"Action: {action}".encode()).replace(
        b"Action: delayed", f"Action: {action}".encode()
    )
    assert read_report(only).kind == kind


def test_a_broken_boundary_still_yields_the_status() -> None:
    """The parts of a mail whose boundary does not match are found in its text."""
    broken = read_report(DSN.replace(b'boundary="B"', b'boundary="C"'))
    assert (broken.kind, [each.recipient for each in broken.recipients]) == (
        "bounce",
        ["Ana@example.net", "bob@example.net"],
    )


def test_reads_a_complaint() -> None:
    """RFC 5965, with the recipient that the report names."""
    assert read_report(ARF) == Report(
        kind="complaint",
        recipients=(ReportedRecipient(recipient="ana@isp.example"),),
        reporting_mta="dns; fbl.isp.example",
        original_message_id="0100abc@amazonses.example",
        feedback_type="abuse",
        user_agent="SomeISP/1.0",
        arrival_date=1_795_487_400_000,
        subject="complaint",
    )


@pytest.mark.parametrize(
    ("feedback_type", "kind"), [("not-spam", "other"), ("auth-failure", "dmarc"), ("fraud", "complaint")]
)
def test_not_every_feedback_is_a_complaint(feedback_type: str, kind: str) -> None:
    """Nobody complains in a DMARC failure report, and not-spam is the opposite."""
    assert read_report(ARF.replace(b"Feedback-Type: Abuse", f"Feedback-Type: {feedback_type}".encode())).kind == kind


def test_a_redacted_complaint_falls_back_to_the_returned_mail() -> None:
    """Without Original-Rcpt-To the returned mail's To is the candidate."""
    bare = read_report(ARF.replace(b"Original-Rcpt-To: <ana@isp.example>\n", b""))
    assert [each.recipient for each in bare.recipients] == ["ana@isp.example"]


def test_reads_a_bounce_without_a_standard() -> None:
    """Recipient, status and words come from the text; the copy below it gives the id."""
    assert read_report(QMAIL) == Report(
        kind="bounce",
        recipients=(
            ReportedRecipient(
                recipient="carl@old.example", status="5.2.1", action="failed", diagnostic="550 5.2.1 Mailbox disabled"
            ),
        ),
        original_message_id="m1@example.com",
        subject="failure notice",
        by_words=True,
    )


def test_x_failed_recipients_names_them() -> None:
    """Exim and Gmail say it in a field of their own."""
    data = mail(
        "From: Mail Delivery System <mailer-daemon@x.example>",
        "X-Failed-Recipients: a@b.example, c@d.example",
        "Subject: x",
    )
    assert [each.recipient for each in read_report(data).recipients] == ["a@b.example", "c@d.example"]


@pytest.mark.parametrize(
    "fields",
    [
        ("Auto-Submitted: auto-replied", "Subject: Re: Order"),
        ("Auto-Submitted: auto-generated", "Subject: Ticket opened"),
        ("Precedence: auto_reply", "Subject: Hello"),
        ("X-Autoreply: yes", "Subject: Hello"),
        ("Subject: Out of office: Order",),
        ("Subject: Automatic reply: Order",),
        ("Subject: =?utf-8?q?R=C3=A9ponse_automatique_:_Order?=",),
    ],
)
def test_automatic_replies_are_no_bounces(fields: tuple[str, ...]) -> None:
    """RFC 3834 and the habits before it; the id comes from In-Reply-To."""
    report = read_report(mail("From: ana@example.net", *fields, "In-Reply-To: <0100abc@x.example>", body="I am away."))
    assert (report.kind, report.recipients, report.original_message_id) == ("auto_reply", (), "0100abc@x.example")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (mail("From: ana@example.net", "Subject: Thanks!", body="Great shop."), "other"),
        (mail("Subject: Report Domain: example.com Submitter: isp.example Report-ID: <1>"), "dmarc"),
        (b'<?xml version="1.0"?><feedback><report_metadata></report_metadata></feedback>', "dmarc"),
        (mail("TLS-Report-Domain: example.com", "Subject: x"), "tlsrpt"),
        (mail("Content-Type: multipart/report; report-type=tlsrpt; boundary=x"), "tlsrpt"),
        (b"", "other"),
        (b"\xff\xfe\x00" * 100, "other"),
        (b"Content-Type: multipart/mixed; boundary=a\n\n--a\n" * 3000, "other"),
    ],
)
def test_the_rest(data: bytes, kind: str) -> None:
    """Reports about domains, letters from people, and rubbish."""
    assert read_report(data).kind == kind


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([DSN, ARF, QMAIL]), st.integers(0, 1500), st.binary(max_size=30), st.integers(0, 200))
def test_damaged_mail_never_raises(data: bytes, at: int, noise: bytes, cut: int) -> None:
    """Any bytes put into or cut out of a report still give a report."""
    assert isinstance(read_report(data[:at] + noise + data[at + cut :]), Report)


def _labels() -> list[tuple[Path, set[str], set[str]]]:
    if SHARED is None:
        return []
    folder = SHARED / "data" / "bounces"
    found = []
    for line in (folder / "labels.jsonl").read_text("utf-8").splitlines():
        label = json.loads(line)
        recipients = {each["recipient"].lower() for each in label["expected"] if each["recipient"]}
        found.append((folder / label["file"], recipients, {each["reason"] for each in label["expected"]}))
    return found


@pytest.mark.skipif(SHARED is None, reason="the collection of real bounces is not beside the project")
def test_real_bounces_name_their_recipients() -> None:
    """Of the recipients that real bounces are about, at least 95 of 100 are found, and hardly anybody else."""
    wanted = found = strangers = 0
    for path, recipients, _ in _labels():
        named = {each.recipient.lower() for each in read_report(path.read_bytes()).recipients}
        wanted += len(recipients)
        found += len(recipients & named)
        strangers += len(named - recipients)
    assert found / wanted >= 0.95
    assert strangers / wanted <= 0.06


@pytest.mark.skipif(SHARED is None, reason="the collection of real bounces is not beside the project")
def test_real_bounces_are_told_from_replies_and_complaints() -> None:
    """Vacation replies are never bounces, feedback is never a bounce, and bounces are nearly always seen."""
    missed = []
    for path, _, reasons in _labels():
        kind = read_report(path.read_bytes()).kind
        if reasons == {"vacation"}:
            assert kind == "auto_reply"
        elif reasons == {"feedback"}:
            assert kind not in ("bounce", "delay")
        elif kind not in ("bounce", "delay") and reasons != {"delivered"}:
            missed.append(path.name)
    assert len(missed) <= 2


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("utf-8; ana@example.net", "ana@example.net"),
        ("utf-8; jos\\x{E9}@example.net", "josé@example.net"),
        ("UTF-8;用户@例え.example", "用户@例え.example"),
    ],
)
def test_internationalised_recipients(written: str, address: str) -> None:
    """RFC 6533: the address type utf-8, as it is or with escapes, in a global delivery status."""
    data = DSN.replace(b"message/delivery-status", b"message/global-delivery-status")
    data = data.replace(b"rfc822; Ana@Example.NET", written.encode())
    assert address == read_report(data).recipients[0].recipient


def test_the_receivers_own_code_beats_the_relays() -> None:
    """Some relays write 5.0.0, or a code of their own, into Status, and quote the receiver in the diagnostic."""
    [first, _] = read_report(DSN.replace(b"Status: 5.1.1", b"Status: 5.0.0")).recipients
    assert "5.1.1" == first.status


def test_words_beside_the_address_where_the_report_has_none() -> None:
    """OpenSMTPD puts the receiver's words into the text alone."""
    bare = DSN.replace(b"Status: 5.1.1", b"Status: 5.0.0").replace(
        b"Diagnostic-Code: smtp; 550 5.1.1 <ana@example.net>:\n    User unknown\n", b""
    )
    [first, _] = read_report(bare).recipients
    assert ("5.1.1", "550 5.1.1 User unknown") == (first.status, first.diagnostic)
