"""People write about bounces, and quote them: their words alone make none."""

import pytest

from waybill.mail.report import Report, ReportedRecipient, read_report

WORDS = "550 5.1.1 User unknown"


def mail(*fields: str, body: str) -> bytes:
    return "\r\n".join((*fields, "", body, "")).encode()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (
            mail(
                "From: Joe <joe@y.example>",
                "Subject: Re: t",
                body="the address bob@x.example gave me 550 5.1.1 user unknown, can you help?",
            ),
            "other",
        ),
        (
            mail(
                "From: joe@y.example",
                "Subject: your mail",
                "In-Reply-To: <m@shop.example>",
                body=f"What is this?\r\n\r\n> <bob@x.example>: {WORDS}",
            ),
            "other",
        ),
        (
            mail(
                "From: joe@y.example",
                "Subject: Undelivered Mail Returned to Sender",
                "References: <m@shop.example>",
                body=f"My mail could not be delivered:\r\n<bob@x.example>: {WORDS}",
            ),
            "other",
        ),
        (
            mail("From: joe@y.example", "Subject: delivery failed", body=f"Hm?\r\n> bob@x.example: {WORDS}"),
            "other",
        ),
        (
            mail(
                "From: The postmaster <postmaster@y.example>",
                "Subject: your question",
                "In-Reply-To: <m@shop.example>",
                body=f"That is well known.\r\n> bob@x.example: {WORDS}",
            ),
            "other",
        ),
        (
            mail(
                "From: joe@y.example",
                "Subject: Fwd: look at this",
                body=f"Final-Recipient: rfc822; bob@x.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n{WORDS}",
            ),
            "other",
        ),
        (
            mail(
                "From: Help desk <help@y.example>",
                "Subject: Undeliverable issues: ticket 4711 is open",
                body="We look into undeliverable mail within a day.\r\nYour contact: desk@y.example\r\n",
            ),
            "other",
        ),
        (
            mail(
                "From: Help desk <help@y.example>",
                "Subject: Undeliverable issues: ticket 4711 is open",
                "Auto-Submitted: auto-replied",
                body="We look into undeliverable mail within a day.\r\nYour contact: desk@y.example\r\n",
            ),
            "auto_reply",
        ),
    ],
)
def test_people_do_not_bounce(data: bytes, kind: str) -> None:
    """A reply, a forwarded or quoted bounce and a ticket's receipt have the words of a bounce, and are none."""
    report = read_report(data)
    assert (kind, ()) == (report.kind, report.recipients)


@pytest.mark.parametrize(
    "fields",
    [
        ("From: Mail Delivery Subsystem <mailer-daemon@x.example>", "In-Reply-To: <m@shop.example>"),
        ("From: post_master@x.example", "Subject: Re: Order", "In-Reply-To: <m@shop.example>"),
        ("From: gateway@x.example", "Subject: Delivery failure"),
        ("From: gateway@x.example", "X-Failed-Recipients: bob@x.example", "References: <m@shop.example>"),
        ("Return-Path: <>", "From: gateway@x.example", "References: <m@shop.example>"),
    ],
)
def test_mailers_without_a_standard_still_do(fields: tuple[str, ...]) -> None:
    """Some mailers answer in the thread of the mail that failed; the report says that it rests on words alone."""
    report = read_report(mail(*fields, body=f"Your mail could not be delivered.\r\n\r\n<bob@x.example>:\r\n{WORDS}"))
    failed = ReportedRecipient(recipient="bob@x.example", status="5.1.1", action="failed", diagnostic=WORDS)
    assert ("bounce", (failed,), True) == (report.kind, report.recipients, report.by_words)


def test_a_machine_readable_part_is_more_than_words() -> None:
    """RFC 3464, whoever it is from and whatever it answers."""
    data = mail(
        "From: joe@y.example",
        "In-Reply-To: <m@shop.example>",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="B"',
        body="--B\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x.example\r\n\r\n"
        "Final-Recipient: rfc822; bob@x.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--B--",
    )
    report = read_report(data)
    assert isinstance(report, Report)
    assert ("bounce", False, ["bob@x.example"]) == (
        report.kind,
        report.by_words,
        [r.recipient for r in report.recipients],
    )
