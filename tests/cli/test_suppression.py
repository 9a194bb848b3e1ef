"""``waybill suppression``: what goes in comes out, and what is wrong is named by its line."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run, rows


@pytest.fixture(autouse=True)
def store(run: Run) -> None:
    run("keys", "create")


def test_an_entry_is_added_listed_and_removed(run: Run) -> None:
    """The account's list and the global list are two; the domain is kept in lower case, the local part as given."""
    run("suppression", "add", "Ada@Reader.Example", "--reason", "complaint")
    run("suppression", "add", "barred@reader.example", "--global")
    (entry,) = rows(run("suppression", "list", "--json"))
    assert ("Ada@reader.example", "COMPLAINT", "operator") == (
        entry["emailAddress"],
        entry["reason"],
        entry["author"],
    )
    assert ["barred@reader.example"] == [
        entry["emailAddress"] for entry in rows(run("suppression", "list", "--global", "--json"))
    ]
    assert run("suppression", "list").startswith("Ada@reader.example  COMPLAINT  ")
    run("suppression", "remove", "Ada@READER.example")
    assert [] == rows(run("suppression", "list", "--json"))
    assert "barred@reader.example is not on the account suppression list" in run(
        "suppression", "remove", "barred@reader.example", code=4
    )


def test_what_is_exported_can_be_imported(run: Run, tmp_path: Path) -> None:
    """CSV and JSON lines both come back the same, with quotes and all."""
    added = {"a@b.example": "BOUNCE", '"x, y"@b.example': "COMPLAINT"}
    for address, reason in added.items():
        run("suppression", "add", address, "--reason", reason)
    for form in ("csv", "json"):
        file = tmp_path / f"list.{form}"
        file.write_text(run("suppression", "export", "--format", form), "utf-8")
        for address in added:
            run("suppression", "remove", address)
        assert "2 addresses added, 0 replaced, 0 kept as they were.\n" == run("suppression", "import", str(file))
        listed = rows(run("suppression", "list", "--json"))
        assert added == {entry["emailAddress"]: entry["reason"] for entry in listed}


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("nobody,BOUNCE", "'nobody' is not an address"),
        ("a@b.example,SPITE", "reason 'SPITE' is not allowed; it must be BOUNCE or COMPLAINT"),
        ("a@b.example", "not of the form address,REASON"),
        ('{"emailAddress": "a@b.example"}', "not of the form {"),
        ("[" * 10_000, "not of the form address,REASON"),
        ("{" + '"a":[' * 10_000, "not of the form {"),
        ('{"emailAddress": [], "reason": null}', "'[]' is not an address"),
        (
            '{"emailAddress": "a@b.example", "reason": "BOUNCE", "colour": 1}',
            "'colour' is not a field of an entry; the ",
        ),
        (
            '{"emailAddress": "a@b.example", "reason": "BOUNCE", "at": "yesterday"}',
            "at 'yesterday' is not allowed; it ",
        ),
        (
            '{"emailAddress": "a@b.example", "reason": "BOUNCE", "expires_at": 9}',
            "expires_at '9' is not allowed; it must",
        ),
        ('{"emailAddress": "a@b.example", "reason": "BOUNCE", "cause": ["x"]}', "cause ['x'] is not allowed; docs/"),
        ('{"emailAddress": "a@b.example", "reason": "BOUNCE", "event": true}', "event True is not allowed; it must be"),
        (
            '{"emailAddress": "a@b.example", "reason": "BOUNCE", "author": ""}',
            "author '' is not allowed; it must be a ",
        ),
        ('{"emailAddress": "a@b.example", "reason": "BOUNCE", "diagnostic": "\\ud800"}', "diagnostic '\\ud800' is not"),
        ('{"emailAddress": "\\ud800@b.example", "reason": "BOUNCE"}', "'\\ud800@b.example' is not an address"),
        ("emailAddress,reason", "'emailAddress' is not an address"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_added(line: str, fault: str, run: Run, tmp_path: Path) -> None:
    """All or none: a file with a fault changes nothing."""
    file = tmp_path / "list.csv"
    file.write_text(f"good@b.example,BOUNCE\n\n{line}\n", "utf-8")
    text = run("suppression", "import", str(file), code=2)
    assert f"line 3: {fault}" in text
    assert [] == rows(run("suppression", "list", "--json"))


def test_a_file_that_is_no_text_is_refused(run: Run, tmp_path: Path) -> None:
    """Bytes that are not UTF-8 are named as such."""
    file = tmp_path / "list.csv"
    file.write_bytes(b"\xff\xfe")
    assert "not UTF-8" in run("suppression", "import", str(file), code=2)


@pytest.mark.parametrize("arguments", [("add", "nobody"), ("remove", "nobody")])
def test_an_address_that_is_none_is_refused(arguments: tuple[str, str], run: Run) -> None:
    """One line says what is wrong with it."""
    assert "'nobody' is not an address" in run("suppression", *arguments, code=2)
