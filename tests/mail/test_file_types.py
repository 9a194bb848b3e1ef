"""Attachments of the types that SES refuses are found however their names are written."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waybill.mail.file_types import REFUSED_EXTENSIONS, find_refused, is_refused
from waybill.mail.header import scan


def found(content: bytes) -> str | None:
    return find_refused(content, [(field.name, field.value) for field in scan(content)[0]])


def multipart(part: bytes) -> bytes:
    return (
        b"From: a@b\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
        b"--x\r\n\r\nname=innocent.exe\r\n--x\r\n" + part + b"\r\n\r\nAAAA\r\n--x--\r\n"
    )


@pytest.mark.parametrize("name", ["a.exe", "a.pdf.EXE", "a.js", "a.exe.", "a.exe ", "exe", ".lnk"])
def test_names_that_are_refused(name: str) -> None:
    """The last extension decides, in any case."""
    assert is_refused(name)


@pytest.mark.parametrize("name", ["a.pdf", "a.exe.pdf", "a", "", "a.json", "a.docx", "a.zip", "exe.d"])
def test_names_that_are_taken(name: str) -> None:
    """Documents, archives and names without an extension."""
    assert not is_refused(name)


def test_types_that_business_mail_needs() -> None:
    """They are not on the list."""
    assert not REFUSED_EXTENSIONS & {
        "pdf",
        "doc",
        "docx",
        "xls",
        "csv",
        "zip",
        "png",
        "jpg",
        "ics",
        "html",
        "txt",
        "eml",
    }


@pytest.mark.parametrize(
    ("part", "name"),
    [
        (b'Content-Disposition: attachment; filename="x y.exe"', "x y.exe"),
        (b"content-disposition: ATTACHMENT;\r\n\tFileName=x.vbs", "x.vbs"),
        (b"Content-Type: application/x; name=x.bat", "x.bat"),
        (b"Content-Disposition: attachment; filename*=UTF-8''%C3%BC.scr", "ü.scr"),
        (b'Content-Disposition: attachment; filename="=?utf-8?q?=C3=BC.scr?="', "ü.scr"),
        (b"Content-Disposition: attachment; filename=x.pdf", None),
        (b"X-Comment: filename=x.exe", None),
    ],
)
def test_parts(part: bytes, name: str | None) -> None:
    """Only what names the part counts, not what its text says."""
    assert name == found(multipart(part))


def test_a_message_that_is_one_attachment() -> None:
    """The name stands in the message's own header."""
    assert "a.com" == found(b"From: a@b\r\nContent-Type: application/x-com; name=a.com\r\n\r\nAAAA")
    assert None is found(b"From: a@b\r\n\r\n--x\r\nContent-Type: a/b; name=a.com\r\n\r\n")


@given(st.binary(max_size=200))
@settings(max_examples=100)
def test_any_octets(octets: bytes) -> None:
    """Nothing crashes."""
    found(multipart(octets))
    found(octets)
