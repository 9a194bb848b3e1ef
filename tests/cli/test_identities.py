"""``waybill identities``."""

import pytest

from tests.cli.conftest import Run, rows


def test_a_domain_is_created_and_shown(run: Run) -> None:
    """The records to publish: the token and the key; a second creation is refused."""
    made = run("identities", "create", "Shop.Example")
    assert made.startswith("shop.example: PENDING\n  publish  _amazonses.shop.example. TXT ")
    shown = rows(run("identities", "show", "shop.example", "--json"))
    assert ["_amazonses.shop.example", f"{_selectors(run)[0]}._domainkey.shop.example"] == [
        record["name"] for record in shown["records"]
    ]
    assert "already" in run("identities", "create", "shop.example", code=1)
    assert "shop.example" in run("identities", "list")


@pytest.mark.parametrize("name", ["shop", "a@shop.example", "shop .example", ""])
def test_a_wrong_domain_is_named(run: Run, name: str) -> None:
    """With what is allowed."""
    assert "it must be a domain such as shop.example" in run("identities", "create", name, code=2)


def test_a_second_key_beside_the_first(run: Run) -> None:
    """Ed25519 beside RSA, each with its record; the verification of the keys begins anew; then one is removed."""
    run("identities", "create", "shop.example")
    assert "v=DKIM1; k=ed25519; p=" in run("identities", "add-key", "shop.example")
    first, second = _selectors(run)
    assert "has no key with the selector" in run("identities", "remove-key", "shop.example", "gone", code=4)
    run("identities", "remove-key", "shop.example", first)
    assert [second] == _selectors(run)


def test_the_operator_vouches(run: Run) -> None:
    """And the identity says who did."""
    run("identities", "create", "shop.example")
    assert "shop.example may send.\n" == run("identities", "verify", "shop.example")
    shown = rows(run("identities", "show", "shop.example", "--json"))
    assert ("SUCCESS", "operator") == (shown["verification"], shown["vouched_by"])


@pytest.mark.parametrize("command", [("show",), ("verify",), ("add-key",), ("remove-key", "s")])
def test_an_unknown_identity(run: Run, command: tuple[str, ...]) -> None:
    """Exit 4."""
    run("keys", "create")
    assert "no identity 'gone.example'" in run("identities", command[0], "gone.example", *command[1:], code=4)


def _selectors(run: Run) -> list[str]:
    shown = rows(run("identities", "show", "shop.example", "--json"))
    return [record["name"].partition(".")[0] for record in shown["records"][1:]]
