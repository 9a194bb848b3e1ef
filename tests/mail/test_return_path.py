"""The return path names its delivery, survives relays, and cannot be forged."""

import base64
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waybill.mail.return_path import decode, encode

SECRET = b"0123456789abcdef"
IDS = st.integers(min_value=0, max_value=2**64 - 1)


@given(IDS)
def test_decode_reverses_encode(delivery_id: int) -> None:
    """Every delivery id comes back, also in capitals and in angle brackets."""
    address = encode(delivery_id, "bounce.example", SECRET)
    assert delivery_id == decode(address, SECRET)
    assert delivery_id == decode(f"<{address.upper()}>", SECRET)


@given(IDS)
def test_local_part_is_short_and_plain(delivery_id: int) -> None:
    """The local part is lower-case letters and digits, at most 30 of them."""
    local, _, domain = encode(delivery_id, "bounce.example", SECRET).partition("@")
    assert domain == "bounce.example"
    assert len(local) <= 30
    assert local.isalnum()
    assert local == local.lower()


@given(IDS, st.integers(min_value=0), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_a_changed_character_is_refused(delivery_id: int, place: int, letter: str) -> None:
    """No single changed character yields another valid address."""
    address = encode(delivery_id, "b.example", SECRET)
    local, _, domain = address.partition("@")
    at = 1 + place % (len(local) - 1)
    changed = f"{local[:at]}{letter}{local[at + 1 :]}@{domain}"
    assert (delivery_id if changed == address else None) == decode(changed, SECRET)


@given(IDS, st.binary(min_size=1, max_size=100))
def test_it_is_an_hmac(delivery_id: int, secret: bytes) -> None:
    """The proof is HMAC-SHA-256 as the standard library computes it, cut to 80 bits, whatever the secret's length."""
    token = encode(delivery_id, "b.example", secret).partition("@")[0][1:].upper()
    octets = base64.b32decode(token + "=" * (-len(token) % 8))
    assert hmac.digest(secret, b"waybill return path 1\0" + octets[:-10], "sha256")[:10] == octets[-10:]


def test_another_secret_is_refused() -> None:
    """A return path of another installation means nothing here."""
    assert None is decode(encode(7, "b.example", b"other"), SECRET)


@given(st.text())
def test_any_text_is_answered_with_none(text: str) -> None:
    """Hostile envelope recipients never raise."""
    assert None is decode(text, SECRET)
    assert None is decode(f"b{text}@b.example", SECRET)


@pytest.mark.parametrize("delivery_id", [-1, 2**64])
def test_ids_beyond_64_bits_are_refused(delivery_id: int) -> None:
    """A number that is no delivery id is a fault of the caller."""
    with pytest.raises(ValueError, match="unsigned 64-bit"):
        encode(delivery_id, "b.example", SECRET)


def test_an_empty_secret_is_refused() -> None:
    """Without a secret anybody could forge bounces."""
    with pytest.raises(ValueError, match="secret"):
        encode(1, "b.example", b"")
