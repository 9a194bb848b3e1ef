"""Near misses: names that were probably meant, and none where nothing is near."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waybill.explain.near import LONGEST_GUESSED, distance, near_address, one_slip_away

DOMAIN = st.from_regex(r"[a-z0-9]{1,6}(\.[a-z]{1,4})?\.(com|example)", fullmatch=True)


@settings(max_examples=30, deadline=None)
@given(DOMAIN, st.data())
def test_one_slip_away(domain: str, data: st.DataObject) -> None:
    """Each name differs by one slip, and every such slip in the name is among them."""
    names = one_slip_away(domain)
    assert domain not in names
    assert {1} == {distance(domain, name, most=2) for name in names}
    name, _, top = domain.rpartition(".")
    at = data.draw(st.integers(0, len(name) - 1))
    swapped = name[:at] + name[at + 1 : at + 2] + name[at] + name[at + 2 :]
    for slip in (name[:at] + "x" + name[at + 1 :], name[:at] + "x" + name[at:], swapped):
        assert slip in {name, ""} or slip.strip("-.") != slip or f"{slip}.{top}" in names


def test_slips_in_the_last_label() -> None:
    """Those that people make, and no others."""
    assert "firma.com" in one_slip_away("firma.con")
    assert "firma.de" not in one_slip_away("firma.dee")
    assert frozenset() == one_slip_away("localhost")
    assert frozenset() == one_slip_away("x" * LONGEST_GUESSED + ".com")


@pytest.mark.parametrize(
    ("address", "known", "meant"),
    [
        ("anna.k@f.example", ["bob@f.example", "anna.kowalski@f.example"], "anna.kowalski@f.example"),
        ("anna.kowalski@f.example", ["anna.k@f.example"], "anna.k@f.example"),
        ("a.kowalski@f.example", ["anna.kowalski@f.example"], "anna.kowalski@f.example"),
        ("anna.kowalsky@f.example", ["anna.k@f.example", "anna.kowalski@f.example"], "anna.kowalski@f.example"),
        ("marai@f.example", ["maria@f.example"], "maria@f.example"),
        ("mariaa@f.example", ["MARIA@f.example"], "MARIA@f.example"),
        ("jo@f.example", ["bo@f.example"], None),
        ("a.k@f.example", ["anna.kowalski@f.example"], None),
        ("anna@f.example", ["anna.kowalski@f.example"], None),
        ("anna.k@gmail.com", ["anna.kowalski@gmail.com"], None),
        ("ANNA@f.example", ["anna@f.example"], None),
        ("anna@f.example", [], None),
    ],
)
def test_near_address(address: str, known: list[str], meant: str | None) -> None:
    """One or two slips, or one name short of the other; where millions live, a slip alone."""
    assert meant == near_address(address, known)
