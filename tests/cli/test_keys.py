"""``waybill keys`` and ``account``."""

from tests.cli.conftest import Run, rows
from waybill.submission.password import smtp_password


def test_a_new_key_shows_its_secrets_once(run: Run) -> None:
    """Creating prints all that the clients need; listing prints no secret."""
    key = rows(run("keys", "create", "--label", "web shop", "--json"))
    assert {"access_key_id", "secret_access_key", "smtp_username", "smtp_password", "account"} == set(key)
    assert key["access_key_id"] == key["smtp_username"]
    assert smtp_password(key["secret_access_key"], "us-east-1") == key["smtp_password"]
    listed = run("keys", "list", "--json")
    (row,) = rows(listed)
    assert (key["access_key_id"], "web shop", None) == (row["access_key_id"], row["label"], row["revoked_at"])
    for text in (listed, run("keys", "list")):
        assert key["secret_access_key"] not in text
        assert key["smtp_password"] not in text


def test_a_key_is_made_for_people_too(run: Run) -> None:
    """Without ``--json`` each value stands on a line of its own."""
    text = run("keys", "create", "--account", "000000000042")
    assert [line.split()[0] for line in text.splitlines()] == [
        "access_key_id",
        "secret_access_key",
        "smtp_username",
        "smtp_password",
        "account",
    ]
    assert "000000000042" == rows(run("account", "show", "000000000042", "--json"))["account"]


def test_a_revoked_key_stays_listed_as_such(run: Run) -> None:
    """When it was revoked stays on record, however often it is revoked."""
    key = rows(run("keys", "create", "--json"))["access_key_id"]
    run("keys", "revoke", key)
    (first,) = rows(run("keys", "list", "--json"))
    run("keys", "revoke", key)
    (second,) = rows(run("keys", "list", "--json"))
    assert first["revoked_at"]
    assert first == second
    assert "revoked" in run("keys", "list")
    assert "no key 'AKIANOBODY'" in run("keys", "revoke", "AKIANOBODY", code=4)


def test_an_account_is_twelve_digits(run: Run) -> None:
    """Anything else is named, with what is allowed."""
    assert "--account '42' is not allowed; it must be 12 digits" in run("keys", "create", "--account", "42", code=2)


def test_a_paused_account_says_by_whom_and_why(run: Run) -> None:
    """What the operator wrote stands until the account is resumed."""
    run("keys", "create")
    run("account", "pause", "--reason", "unpaid invoice")
    shown = rows(run("account", "show", "--json"))
    assert ("paused", "operator", "unpaid invoice") == (
        shown["sending"],
        shown["paused_by"],
        shown["paused_because"],
    )
    assert "unpaid invoice" in run("account", "show")
    run("account", "resume")
    assert "enabled" == rows(run("account", "show", "--json"))["sending"]
    assert "no account '000000000000'" in run("account", "resume", "000000000000", code=4)
