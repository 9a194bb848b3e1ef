"""The catalogue and its enumeration say the same."""

import json

import pytest

from tests.shared_data import SHARED
from waybill.model.cause import CATALOGUE, Cause, Scope


def test_every_code_has_its_entry() -> None:
    """And every entry its code, in the same order."""
    assert list(Cause) == list(CATALOGUE)
    assert all(code is entry.code for code, entry in CATALOGUE.items())


@pytest.mark.parametrize("cause", Cause)
def test_an_entry_is_whole(cause: Cause) -> None:
    """It has words, and suppresses only where it is permanent and about the recipient."""
    entry = CATALOGUE[cause]
    assert entry.meaning
    assert entry.remedy
    if entry.suppress:
        assert entry.permanent
        assert entry.scope is Scope.RECIPIENT or cause is Cause.DOMAIN_NO_MAIL
    assert entry.ses is None or 2 == len(entry.ses)


@pytest.mark.skipif(SHARED is None, reason="the contract is not here")
def test_the_catalogue_is_the_contract() -> None:
    """What the outside relies on."""
    assert SHARED is not None
    contract = json.loads((SHARED / "contract/causes.json").read_text("utf-8"))["causes"]
    assert {
        entry["code"]: (entry["branch"], entry["scope"], entry["permanent"], entry["suppress"]) for entry in contract
    } == {
        code.value: (entry.branch.value, entry.scope.value, entry.permanent, entry.suppress)
        for code, entry in CATALOGUE.items()
    }
