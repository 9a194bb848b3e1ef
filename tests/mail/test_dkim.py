"""DKIM signatures, checked by two independent verifiers: dkimpy and mailauth."""

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path

import dkim
import dkim.canonicalization
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waybill.mail.compose import Composition, compose
from waybill.mail.dkim import (
    DkimKeyError,
    Signer,
    SigningKey,
    canonical_body,
    canonical_field,
    dns_record,
    generate_ed25519,
    generate_rsa,
    load_key,
    sign,
)

AT = 1795487400000
RSA_768 = (  # too short to be used
    "MIIB5AIBADANBgkqhkiG9w0BAQEFAASCAc4wggHKAgEAAmEA1uKIWP/NsUVBFqQiUgOYXsIP/lOjZvf2VIB1aj2Sg+oIO6cLqj7U"
    "RysvWfX0Wcs6DRyONTdmz1PEdtkOdNXFr0ngGHzvpF3gqVBLvDoPRbdO+TUpEZwWt4W5rEaiz0WNAgMBAAECYGhG1/mwcOXUgKh3"
    "D/ySqA9bxx0ZA1OFgvEwwUnEBWSkXkhsYLnF8Ydzym+yblhgyLAFiaW4v5a0REEwf5RSjqAvk/lnb2bH8T+j+qI5bEZRMP48fft/"
    "eyVHbmEtKJJWNQIxAPalvVUe6iYFlwYcoA5BNWVT6pqzI4eq2eXhfO2Vqvsiv0T/68yKImYC+ZCsR4T+7wIxAN8Id5yc8JyOWVCY"
    "nuJ2PcqEwbudFWbM/nnJHyPe0ciRdbNPgNZ9WroNwL0lKDhDQwIwID7a2d4Izp+8dtgXNMXhrTWjXkY9RudXRW6NXqJKkDqituqe"
    "cUc96AhLiFZ9oy2RAjEAxNv+Z5gGsMjcgM0VgKIJTFX9ghHWsBREkU46VDj6ReROVWTZPXkLuakl9E11wKNtAjAjzw33Fsi7smZx"
    "4wcUP+toKHy6qC+QQYcOuk3PkyIySy14x2ytrTbi5AhUwvYQC80="
)
RSA_PEM, RSA_PUBLIC = generate_rsa(1024)  # short, to be quick
ED_PEM, ED_PUBLIC = generate_ed25519()
SIGNERS = (
    Signer(domain="b.example", selector="r", key=load_key(RSA_PEM, "rsa")),
    Signer(domain="waybill.example", selector="e", key=load_key(ED_PEM, "ed25519")),
)
RECORDS = {
    "r._domainkey.b.example": dns_record("rsa", RSA_PUBLIC),
    "e._domainkey.waybill.example": dns_record("ed25519", ED_PUBLIC),
}
HEADER = b"From: Some One <a@b.example>\r\nTo: c@d.example\r\nSubject:  a\r\n\tb  c \r\nMessage-ID: <1@x>\r\n"
BODIES = [
    b"",
    b"\r\n",
    b"\r\n\r\n\r\n",
    b"Hi\r\n",
    b"no final line end",
    b"trailing blank lines\r\n\r\n \r\n\t\r\n\r\n",
    b"runs \t of   white\t\tspace \r\n  indented\t \r\n",
    b" ",
    b" \r\n ",
    b"a\r\n ",
    b"8 bit \xff\xfe\r\n",
    b".\r\n..\r\n",
    b"one line\r\n" * 204 + b"12345\r\n",  # 2,047 octets
    b"one line\r\n" * 500,
    b"one line\r\n" * 4_000,
]


def dkimpy_verdicts(message: bytes) -> list[bool]:
    def txt(name: bytes, timeout: int = 5) -> bytes | None:
        record = RECORDS.get(name.decode().rstrip("."))
        return record.encode() if record else None

    verifier = dkim.DKIM(message)
    verdicts = []
    for index in range(message.count(b"DKIM-Signature: ")):
        try:
            verdicts.append(bool(verifier.verify(idx=index, dnsfunc=txt)))
        except dkim.ValidationError:
            verdicts.append(False)
    return verdicts


@pytest.mark.parametrize("body", BODIES)
def test_dkimpy_verifies(body: bytes) -> None:
    """Both algorithms, whatever the body."""
    content = HEADER + b"\r\n" + body
    assert dkimpy_verdicts(sign(content, SIGNERS, AT) + content) == [True, True]


def test_the_signature_covers_the_message() -> None:
    """A changed body, a changed subject and an added From are noticed."""
    content = HEADER + b"\r\nHi\r\n"
    signed = sign(content, SIGNERS, AT) + content
    for changed in (
        signed.replace(b"Hi\r\n", b"Ho\r\n"),
        signed.replace(b"b  c", b"b  d"),
        b"From: evil@x.example\r\n" + signed,
        signed.replace(b"Message-ID", b"From: evil@x.example\r\nMessage-ID"),
    ):
        assert dkimpy_verdicts(changed) == [False, False]


def test_what_is_signed() -> None:
    """The fields of the list that are there, each as often as it is there, From once more; no l=."""
    content = (
        b"X-Other: x\r\nFeedback-ID: 1\r\nFrom: a@b\r\nTo: c@d\r\nTo: e@f\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: text/plain\r\nContent-Transfer-Encoding: 7bit\r\nList-Unsubscribe: <mailto:x@y>\r\n"
        b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nReferences: <r>\r\nIn-Reply-To: <r>\r\nReply-To: z@b\r\n\r\n"
    )
    header = sign(content, SIGNERS[:1], AT)
    tags = dict(tag.split("=", 1) for tag in "".join(header.decode().partition(":")[2].split()).split(";"))
    expected = (
        "from:from:to:to:reply-to:mime-version:content-type:content-transfer-encoding:"
        "list-unsubscribe:list-unsubscribe-post:feedback-id:in-reply-to:references"
    )
    assert expected == tags["h"]
    assert tuple(tags[name] for name in ("v", "a", "c", "d", "s", "t")) == (
        "1",
        "rsa-sha256",
        "relaxed/relaxed",
        "b.example",
        "r",
        "1795487400",
    )
    assert "l" not in tags
    assert dkimpy_verdicts(header + content) == [True]
    assert header.endswith(b"\r\n")
    assert max(map(len, header.split(b"\r\n"))) <= 78


def test_no_signer_no_header() -> None:
    """Where DKIM is off, nothing is added."""
    assert sign(HEADER + b"\r\n", (), AT) == b""


_BODY = st.lists(st.sampled_from([b" ", b"\t", b"\r\n", b"a", b"bc", b"\xff", b" \r\n", b"\r\n\r\n"]), max_size=30).map(
    b"".join
)


@settings(max_examples=200)
@given(_BODY)
def test_body_canonicalisation_agrees_with_dkimpy(body: bytes) -> None:
    """Relaxed form as dkimpy has it."""
    assert dkim.canonicalization.Relaxed.canonicalize_body(body) == canonical_body(body)


@settings(max_examples=200)
@given(
    st.sampled_from([b"Subject", b"X-A ", b"from\t"]),
    st.lists(st.sampled_from([b" ", b"\t", b"\r\n ", b"\r\n\t", b"a", b"bc", b":", b"\xff"]), max_size=20).map(
        b"".join
    ),
)
def test_field_canonicalisation_agrees_with_dkimpy(name: bytes, value: bytes) -> None:
    """Relaxed form as dkimpy has it."""
    ((their_name, their_value),) = dkim.canonicalization.Relaxed.canonicalize_headers([(name, value + b"\r\n")])
    assert their_name + b":" + their_value == canonical_field(name + b":" + value + b"\r\n")


@settings(max_examples=40)
@given(_BODY, st.text(max_size=60).filter(lambda text: not set(text) & set("\r\n\0")))
def test_any_message_verifies(body: bytes, subject: str) -> None:
    """Composed messages with any subject, and any body behind their header."""
    composed = compose(
        Composition(from_header="a@b.example", subject=subject, message_id="1@x", date=AT, boundary_seed="s")
    )
    content = composed + body
    assert dkimpy_verdicts(sign(content, SIGNERS[1:], AT) + content) == [True]


def test_keys_are_read_back() -> None:
    """PEM, and base64 of DER without armour, give the same key."""
    bare = "".join(RSA_PEM.strip().splitlines()[1:-1])
    assert RSA_PUBLIC == load_key(RSA_PEM, "rsa").public == load_key(bare, "rsa").public
    assert load_key(ED_PEM, "ed25519").public == ED_PUBLIC


@pytest.mark.parametrize(
    ("text", "algorithm", "fault"),
    [
        ("", "rsa", "cannot be read"),
        ("no key", "rsa", "cannot be read"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "rsa", "cannot be read"),
        (ED_PEM, "rsa", "not of the algorithm 'rsa'"),
        (RSA_PEM, "ed25519", "not of the algorithm 'ed25519'"),
        (RSA_768, "rsa", "has 768 bits; allowed are 1024 to 4096"),
        (RSA_PEM, "dsa", "not of the algorithm 'dsa'"),
    ],
)
def test_keys_that_are_refused(text: str, algorithm: str, fault: str) -> None:
    """The fault is named."""
    with pytest.raises(DkimKeyError, match=fault):
        load_key(text, algorithm)


def test_dns_records() -> None:
    """The record to publish."""
    key: SigningKey = SIGNERS[1].key
    assert dns_record("ed25519", key.public) == f"v=DKIM1; k=ed25519; p={ED_PUBLIC}"


def mailauth_folder() -> Path:
    """The verifier with its packages installed, in a folder outside the project."""
    source = Path(__file__).parent / "mailauth"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "waybill-tests" / "mailauth"
    lock = (source / "package-lock.json").read_bytes()
    installed = cache / "installed.lock"
    if not installed.is_file() or installed.read_bytes() != lock:
        cache.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(source / name, cache)
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=cache, check=True, capture_output=True)
        installed.write_bytes(lock)
    shutil.copy(source / "verify.mjs", cache)
    return cache


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not on this machine")
def test_mailauth_verifies() -> None:
    """All odd bodies, both algorithms, by a verifier of other authors."""
    contents = [HEADER + b"\r\n" + body for body in BODIES]
    messages = [base64.b64encode(sign(content, SIGNERS, AT) + content).decode() for content in contents]
    tampered = base64.b64encode(sign(contents[3], SIGNERS, AT) + contents[4]).decode()
    run = subprocess.run(
        ["node", "verify.mjs", json.dumps(RECORDS)],
        cwd=mailauth_folder(),
        input=json.dumps([*messages, tampered]).encode(),
        capture_output=True,
        check=True,
    )
    *verdicts, of_tampered = json.loads(run.stdout)
    passed = [["b.example", "pass", ""], ["waybill.example", "pass", ""]]
    assert [passed] * len(BODIES) == [sorted(results) for results in verdicts]
    assert {"pass"}.isdisjoint(result for _, result, _ in of_tampered)
    assert len(of_tampered) == 2
