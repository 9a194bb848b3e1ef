"""AWS's own test suite for Signature Version 4, every vector of it."""

from pathlib import Path

import pytest

from tests.api.wire import KEY
from tests.shared_data import SHARED
from waybill.api.authorization import Authorization, Fault, Head, NotAuthentic, read_authorization
from waybill.api.sigv4 import canonical_request, check_signature, string_to_sign

VECTORS = sorted((SHARED / "data" / "sigv4").rglob("*.sreq")) if SHARED else []
TAMPERED = "get-vanilla-with-session-token"  # its signature belongs to no request; AWS left it so

pytestmark = pytest.mark.skipif(not VECTORS, reason="the AWS test vectors are not part of the project")


def read_request(path: Path) -> tuple[Head, bytes]:
    head, _, body = path.read_bytes().partition(b"\n\n")
    request_line, *lines = head.split(b"\n")
    method, _, rest = request_line.partition(b" ")
    target = rest.removesuffix(b" HTTP/1.1")
    fields: list[tuple[bytes, bytes]] = []
    for line in lines:
        if line[:1] in b" \t":  # a folded value (RFC 9112 §5.2)
            name, value = fields.pop()
            fields.append((name, value + b"\n" + line))
        else:
            name, _, value = line.partition(b":")
            fields.append((name.lower(), value))
    raw_path, _, query = target.partition(b"?")
    return Head(method=method.decode(), path=raw_path, query=query, fields=fields), body


def without_token(head: Head) -> Head:
    """Waybill refuses session tokens before it looks further; the rest of the vector is as good as any."""
    fields = [(name, value) for name, value in head.fields if name != b"x-amz-security-token"]
    return Head(method=head.method, path=head.path, query=head.query, fields=fields)


def authorization(head: Head) -> Authorization:
    return read_authorization(without_token(head), ("service",))


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_builds_the_canonical_request(path: Path) -> None:
    """The canonical request and the string to sign are the suite's, byte for byte."""
    head, _ = read_request(path)
    canonical = path.with_suffix(".creq").read_bytes()
    body_sha256 = canonical.rpartition(b"\n")[2].decode()
    expected = (canonical, path.with_suffix(".sts").read_bytes())
    actual = canonical_request(head, authorization(head), body_sha256)
    assert expected == (actual, string_to_sign(authorization(head), actual))


@pytest.mark.parametrize("path", [path for path in VECTORS if path.stem != TAMPERED], ids=lambda path: path.stem)
def test_accepts_the_signature(path: Path) -> None:
    """The suite's signature is right."""
    head, _ = read_request(path)
    body_sha256 = path.with_suffix(".creq").read_bytes().rpartition(b"\n")[2].decode()
    check_signature(head, authorization(head), KEY.secret, body_sha256)


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_refuses_another_secret(path: Path) -> None:
    """No vector passes with another key."""
    head, _ = read_request(path)
    body_sha256 = path.with_suffix(".creq").read_bytes().rpartition(b"\n")[2].decode()
    with pytest.raises(NotAuthentic) as refused:
        check_signature(head, authorization(head), KEY.secret + "x", body_sha256)
    assert refused.value.fault == Fault.MISMATCH
