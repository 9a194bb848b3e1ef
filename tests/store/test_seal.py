"""Sealing: what is encrypted opens again at its own place alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waybill.store.protocol import StoreUnavailable
from waybill.store.seal import Seal


@settings(max_examples=50)
@given(plain=st.text(), place=st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_round_trip(plain: str, place: str) -> None:
    """Any text comes back; it is not readable meanwhile, and sealed twice it looks different."""
    seal = Seal(bytes(32))
    sealed = seal.encrypt(plain, place)
    assert plain == seal.decrypt(sealed, place)
    assert sealed != seal.encrypt(plain, place)
    assert not plain or len(plain) < 8 or plain not in sealed
    with pytest.raises(StoreUnavailable, match="does not open"):
        seal.decrypt(sealed, place + "x")
    with pytest.raises(StoreUnavailable, match="does not open"):
        Seal(bytes(31) + b"x").decrypt(sealed, place)


@settings(max_examples=50)
@given(damaged=st.text())
def test_damage(damaged: str) -> None:
    """Whatever stands where a sealed text belongs is an error of the store, never a crash."""
    with pytest.raises(StoreUnavailable, match="does not open"):
        Seal(bytes(32)).decrypt(damaged, "place")
