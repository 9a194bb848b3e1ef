"""Which addresses are on the public internet, and which are this machine's own."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waybill.model.ip import is_ip, is_loopback, is_public


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("192.0.2.1", False),
        ("224.0.0.1", False),
        ("0.0.0.0", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::808:808", True),
        ("2002:7f00:1::", False),
        ("::7f00:1", False),
        ("::ffff:0:127.0.0.1", False),
        ("64:ff9b:1::7f00:1", False),
        ("fec0::1", False),
        ("2606:4700:4700::1111", True),
        ("2002:0a00:0001::1", False),
        ("::ffff:10.0.0.1", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    """An address is judged by what it leads to, however it is written."""
    assert is_public(address) is public


@given(st.ip_addresses(v=4))
def test_mapped_addresses(address: ipaddress.IPv4Address) -> None:
    """An IPv4 address in IPv6 clothes is judged as itself."""
    assert is_public(f"::ffff:{address}") == is_public(str(address))


@pytest.mark.parametrize(
    ("text", "loopback"),
    [
        ("127.0.0.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("192.0.2.7", False),
        ("localhost", False),
        ("", False),
    ],
)
def test_this_machines_own(text: str, loopback: bool) -> None:
    """Loopback in either family is this machine; a name is no address."""
    assert is_loopback(text) is loopback


def test_what_is_an_address() -> None:
    """Names and ports are none."""
    assert [True, True, False, False] == [
        is_ip(text) for text in ("192.0.2.7", "2001:db8::1", "mx.example", "[::1]:25")
    ]
