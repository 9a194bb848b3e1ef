"""``waybill classify`` and ``read-report``."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.cli.conftest import Run, rows
from tests.shared_data import SHARED
from waybill.cli import cli

needs_data = pytest.mark.skipif(SHARED is None, reason="the test data is not here")


def test_one_reply_is_told_to_people_and_programs(run: Run) -> None:
    """Cause, scope, SES pair and rule, and whether it suppresses."""
    told = rows(run("classify", "550 5.1.1 user unknown", "--json"))
    assert ("user_unknown", "recipient", True, True) == (
        told["cause"],
        told["scope"],
        told["permanent"],
        told["suppress"],
    )
    assert ["Permanent", "General"] == told["ses"]
    text = run("classify", "550 5.1.1 user unknown")
    assert "suppress     yes\n" in text
    assert "ses          Permanent / General\n" in text


def test_unknown_words_show_what_they_are_counted_by(run: Run) -> None:
    """A reply that its code alone decided has a fingerprint; one whose words are known has none."""
    told = rows(run("classify", "550 5.7.1 Go away, 4XyZ12ab99", "--json"))
    assert ("x.7.1", "550 5.7.1 go away, <id>") == (told["rule"], told["unknown"])
    assert rows(run("classify", "550 5.1.1 user unknown", "--json"))["unknown"] is None


def test_many_replies_are_read_from_standard_input(run: Run) -> None:
    """Plain lines and JSON lines, one object a line; empty lines at the end are none."""
    given = (
        '421 4.3.2 busy\r\n{"reply": "550 5.1.1 no such user", "mx": "mx.b.example"}\n{"reply": "x", "mx": null}\n\n \n'
    )
    told = [json.loads(line) for line in run("classify", given=given).splitlines()]
    assert ["421 4.3.2 busy", "550 5.1.1 no such user", "x"] == [row["reply"] for row in told]
    assert [False, True] == [row["permanent"] for row in told[:2]]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("", "the line is blank"),
        (" \t", "the line is blank"),
        ('{"reply"', 'not of the form {"reply": "550 …", "mx": "host or null"}'),
        ('{"mx": "a"}', 'not of the form {"reply": "550 …", "mx": "host or null"}'),
        ('{"a":[' * 9_999, 'not of the form {"reply": "550 …", "mx": "host or null"}'),
        ('{"reply": 550}', "reply must be a text, and mx a text or null"),
        ('{"reply": "550", "mx": 1}', "reply must be a text, and mx a text or null"),
        ('{"reply": " "}', "reply is blank"),
    ],
)
def test_a_line_without_a_reply_is_answered_and_the_rest_read(line: str, fault: str) -> None:
    """One object a line, so that lines and objects can be put side by side; the exit code tells that one was wrong."""
    result = CliRunner().invoke(cli, ["classify"], input=f"550 first\n{line}\n550 last\n", catch_exceptions=False)
    told = [json.loads(each) for each in result.stdout.splitlines()]
    assert ["550 first", line, "550 last"] == [row["reply"] for row in told]
    assert [None, fault, None] == [row.get("error") for row in told]
    assert {"reply", "error"} == told[1].keys()
    assert 2 == result.exit_code
    assert "waybill: line 2: no reply; the objects of these lines have the field error\n" == result.stderr


def test_many_wrong_lines_are_counted() -> None:
    """One line of error for all of them."""
    result = CliRunner().invoke(cli, ["classify"], input="\n{\n\n550 x\n\n", catch_exceptions=False)
    assert (2, 4) == (result.exit_code, len(result.stdout.splitlines()))
    assert result.stderr.startswith("waybill: line 1, and 2 more: no reply")


def test_bytes_that_are_no_text_are_read_as_such(run: Run) -> None:
    """A reply in an old character set is classified by what can be read of it."""
    result = CliRunner().invoke(cli, ["classify"], input=b"550 5.1.1 utilisateur inconnu \xe9\xff\n")
    assert (0, "user_unknown") == (result.exit_code, json.loads(result.stdout)["cause"])


@needs_data
def test_every_mail_that_came_home_is_told(run: Run) -> None:
    """Each real bounce is read into the form that is published, or said to be something else."""
    assert SHARED is not None
    files = sorted((SHARED / "data" / "bounces").glob("*.eml"))[:20]
    told = [json.loads(line) for line in run("read-report", "--json", *map(str, files)).splitlines()]
    assert [str(file) for file in files] == [row["file"] for row in told]
    kinds = {"bounce", "delay", "complaint", "auto_reply", "dmarc", "tlsrpt", "other"}
    fields = {"recipient", "status", "action", "diagnostic", "cause", "permanent"}
    assert {row["kind"] for row in told} <= kinds
    assert "bounce" in {row["kind"] for row in told}
    assert {frozenset(fields)} == {frozenset(recipient) for row in told for recipient in row["recipients"]}


def test_a_mail_that_is_no_report_is_something_else(run: Run, tmp_path: Path) -> None:
    """Any bytes at all are read."""
    file = tmp_path / "mail.eml"
    file.write_bytes(bytes(range(256)))
    assert f"{file}: other\n" == run("read-report", str(file))
