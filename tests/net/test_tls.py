"""What a certificate is worth, and what is said where it is worth nothing."""

import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from waybill.model.clock import Instant, now
from waybill.model.outcome import Tls
from waybill.net.tls import ClientTls


def shake_hands(client: ClientTls, leaf: trustme.LeafCert, host: str) -> Tls:
    """A handshake in memory, described by the client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.context.wrap_bio(back, there, server_hostname=host)
    theirs = context.wrap_bio(there, back, server_side=True)
    done: set[ssl.SSLObject] = set()
    while len(done) < 2:
        for side in (ours, theirs):
            try:
                side.do_handshake()
                done.add(side)
            except ssl.SSLWantReadError:
                continue
    return client.describe(ours, host)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def client(authority: trustme.CA, tmp_path: Path) -> Callable[[Callable[[], Instant]], ClientTls]:
    """A client that trusts the authority only."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return lambda clock: ClientTls(clock=clock, ca_file=str(tmp_path / "ca.pem"))


def test_verified_by_name_and_by_address(
    authority: trustme.CA, client: Callable[[Callable[[], Instant]], ClientTls]
) -> None:
    """A chain to the trusted root, for the name or the address that was asked for."""
    tls = client(now)
    leaf = authority.create_child_ca().issue_cert("mx.test", "192.0.2.1")
    for host, verified in (("mx.test", True), ("192.0.2.1", True), ("other.test", False), ("192.0.2.2", False)):
        assert shake_hands(tls, leaf, host).verified is verified


def test_why_not(authority: trustme.CA, client: Callable[[Callable[[], Instant]], ClientTls]) -> None:
    """A stranger's root, a certificate of the past: each is said in words."""
    stranger = trustme.CA().issue_cert("mx.test")
    assert shake_hands(client(now), stranger, "mx.test").why_not_verified == "no chain to a known root certificate"
    past = authority.issue_cert("mx.test", not_after=datetime(2025, 1, 31, tzinfo=UTC))
    assert shake_hands(client(now), past, "mx.test").why_not_verified == "expired on 2025-01-31"
    january = datetime(2025, 1, 15, tzinfo=UTC).timestamp() * 1000
    assert shake_hands(client(lambda: int(january)), past, "mx.test").verified


@pytest.mark.parametrize("words", [None, b"no certificate here"])
def test_an_unusable_ca_file_is_named(tmp_path: Path, words: bytes | None) -> None:
    """The setting and the file are in the error."""
    path = tmp_path / "ca.pem"
    if words is not None:
        path.write_bytes(words)
    with pytest.raises(ValueError, match=r"^ca_file '.*ca\.pem'"):
        ClientTls(clock=now, ca_file=str(path))
