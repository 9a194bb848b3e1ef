"""What MAIL and RCPT say, and which message cannot go to which server."""

import pytest

from waybill.model.outcome import Stage
from waybill.net.smtp_envelope import Commands, Envelope, write_commands
from waybill.net.smtp_target import Fault, SmtpError, Target

TARGET = Target(host="mx.test", ip="192.0.2.1", port=25)
PLAIN = b"Subject: x\r\n\r\nhello\r\n"
EIGHT_BIT = "Subject: x\r\n\r\nhellö\r\n".encode()
UTF8_HEADER = "Subject: ü\r\n\r\nhello\r\n".encode()
LATIN1_HEADER = "Subject: ü\r\n\r\nhello\r\n".encode("latin-1")
ALL = {"SIZE": "1000", "8BITMIME": "", "SMTPUTF8": ""}
NOT_EIGHT = "8BITMIME is not offered; the message holds 8-bit octets and goes as it is"
NOT_UTF8 = "SMTPUTF8 is not offered; the message has UTF-8 in its header and goes as it is"


def write(
    content: bytes = PLAIN,
    extensions: dict[str, str] | None = None,
    *,
    sender: str = "a@b",
    recipient: str = "b@mx.test",
) -> Commands:
    envelope = Envelope(mail_from=sender, recipient=recipient, content=content)
    return write_commands(envelope, extensions or {}, TARGET)


@pytest.mark.parametrize(
    ("content", "extensions", "parameters", "remarks"),
    [
        (PLAIN, {}, "", ()),
        (PLAIN, ALL, f" SIZE={len(PLAIN)}", ()),
        (EIGHT_BIT, ALL, f" SIZE={len(EIGHT_BIT)} BODY=8BITMIME", ()),
        (EIGHT_BIT, {"8BITMIME": ""}, " BODY=8BITMIME", ()),
        (EIGHT_BIT, {"SMTPUTF8": ""}, "", (NOT_EIGHT,)),
        (UTF8_HEADER, ALL, f" SIZE={len(UTF8_HEADER)} BODY=8BITMIME SMTPUTF8", ()),
        (UTF8_HEADER, {"8BITMIME": ""}, " BODY=8BITMIME", (NOT_UTF8,)),
        (UTF8_HEADER, {}, "", (NOT_EIGHT, NOT_UTF8)),
        (LATIN1_HEADER, {"8BITMIME": "", "SMTPUTF8": ""}, " BODY=8BITMIME", ()),
        (LATIN1_HEADER, {"8BITMIME": ""}, " BODY=8BITMIME", ()),
        ("\r\nSubject: ü\r\n\r\n".encode(), {"SMTPUTF8": "", "8BITMIME": ""}, " BODY=8BITMIME", ()),
        ("ü\r\n".encode(), {"SMTPUTF8": "", "8BITMIME": ""}, " BODY=8BITMIME SMTPUTF8", ()),
    ],
)
def test_parameters_follow_from_content_and_offer(
    content: bytes, extensions: dict[str, str], parameters: str, remarks: tuple[str, ...]
) -> None:
    """RFC 1870, 6152, 6531: a parameter where it is needed and offered; where it is not offered, a remark."""
    expected = Commands(mail=f"MAIL FROM:<a@b>{parameters}", rcpt="RCPT TO:<b@mx.test>", remarks=remarks)
    assert expected == write(content, extensions)


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("b@mx.test", "b@mx.test"),
        ("b@bücher.example", "b@xn--bcher-kva.example"),
        ("b@BÜCHER.example", "b@xn--bcher-kva.example"),
        ('"a@ b"@bücher.example', '"a@ b"@xn--bcher-kva.example'),
        ("", ""),
    ],
)
def test_an_international_domain_alone_needs_no_smtputf8(address: str, written: str) -> None:
    """A-labels say the same in ASCII (RFC 5891), in RCPT as in MAIL."""
    commands = write(recipient=address, sender=address)
    assert (commands.mail, commands.rcpt) == (f"MAIL FROM:<{written}>", f"RCPT TO:<{written}>")


@pytest.mark.parametrize("address", ["ü@mx.test", "ü@bücher.example", "b@ü\u2028.example"])
def test_other_addresses_need_smtputf8(address: str) -> None:
    """RFC 6531 §3.4: as it stands where SMTPUTF8 is offered, and else not at all."""
    assert write(recipient=address, extensions={"SMTPUTF8": ""}) == Commands(
        mail="MAIL FROM:<a@b> SMTPUTF8", rcpt=f"RCPT TO:<{address}>"
    )
    for sender, recipient in ((address, "b@mx.test"), ("a@b", address)):
        with pytest.raises(SmtpError) as caught:
            write(extensions={"8BITMIME": ""}, sender=sender, recipient=recipient)
        assert (caught.value.stage, caught.value.fault) == (Stage.MAIL, Fault.I18N_UNSUPPORTED)


@pytest.mark.parametrize("limit", ["", "0", "lots", "-5", "٣", str(len(PLAIN)), "9" * 30])
def test_a_size_that_is_no_obstacle(limit: str) -> None:
    """RFC 1870 §4: 0 and no number are no limit, and a message may be as large as the limit."""
    assert write(extensions={"SIZE": limit}).mail == f"MAIL FROM:<a@b> SIZE={len(PLAIN)}"


def test_a_message_that_is_too_large() -> None:
    """One octet over the limit is not tried."""
    with pytest.raises(SmtpError) as caught:
        write(extensions={"SIZE": str(len(PLAIN) - 1)})
    assert (caught.value.stage, caught.value.fault) == (Stage.MAIL, Fault.SIZE_EXCEEDED)
    assert caught.value.text == f"{TARGET} takes messages of up to {len(PLAIN) - 1} bytes; this one has {len(PLAIN)}"


@pytest.mark.parametrize("octet", ["\r", "\n", "\0", "\x7f"])
def test_control_characters_never_reach_a_command(octet: str) -> None:
    """They are a bug of the caller, at either place and before any refusal."""
    for sender, recipient in ((f"a{octet}@b", "b@b"), ("a@b", f"b@b{octet}"), ("a@b", f"b@ü{octet}")):
        with pytest.raises(ValueError, match="control character"):
            write(sender=sender, recipient=recipient)
