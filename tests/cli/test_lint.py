"""``waybill lint``: a message is judged before it is sent."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.mail.lint.messages import HTML, both, plain
from tests.net.filter_daemons import RSPAMD, RULES, rspamd
from waybill.cli import cli
from waybill.mail.header import format_date
from waybill.model.clock import now

TODAY = format_date(now())
PHISHING = both(f'{HTML}<a href="http://evil.example/x">corp.example</a>', Date=TODAY)


def lint(data: bytes, *options: str) -> Result:
    return CliRunner().invoke(cli, ["lint", "-", *options], input=data, catch_exceptions=False)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_nothing_found(folder: Path) -> None:
    """A message with nothing against it ends with 0; the line ends of this machine are as good as those of mail."""
    (folder / "good.eml").write_bytes(both(Date=TODAY).replace(b"\r\n", b"\n"))
    result = CliRunner().invoke(cli, ["lint", "good.eml"])
    assert (0, "waybill   nothing found\n") == (result.exit_code, result.output)


def test_grave() -> None:
    """Something grave ends with 1; each finding has its weight, words, place, rule and source."""
    result = lint(PHISHING)
    assert 1 == result.exit_code
    lines = result.stdout.splitlines()
    assert "waybill   2 found" == lines[0]
    words = 'link text "corp.example" leads to evil.example (a common phishing sign)'
    assert f"  high    {words}   [HTML part 2, line 1]" == lines[1]
    assert lines[2].startswith("          link-text-differs: ")
    assert lines[3].startswith("  low     links to evil.example")


def test_as_json() -> None:
    """The same for programs."""
    (told,) = json.loads(lint(PHISHING, "--json").stdout)
    assert ["link-text-differs", "link-http"] == [finding["id"] for finding in told["findings"]]
    assert ("waybill", None, "high") == (told["by"], told["score"], told["findings"][0]["severity"])


def test_how_it_is_sent() -> None:
    """One of many must offer to unsubscribe, and a free address our signature."""
    assert "unsubscribe-missing" in lint(plain(Date=TODAY), "--bulk").stdout
    assert "from-free-mail" in lint(plain(Date=TODAY, From="a@gmail.com"), "--unsigned").stdout
    assert "nothing found" in lint(plain(Date=TODAY, From="a@gmail.com")).stdout


@pytest.mark.skipif(RSPAMD is None or not RULES.exists(), reason="Rspamd is not installed")
def test_filters(folder: Path) -> None:
    """The filters of the settings are asked, too, where that is wanted."""
    with rspamd(folder) as url:
        (folder / "waybill.toml").write_text(f'[content]\nrspamd = "{url}"\n')
        result = lint(PHISHING, "--filters")
        assert "waybill" == lint(PHISHING).stdout.split()[0]
    assert any(line.startswith("rspamd 3.") and " of 15" in line for line in result.stdout.splitlines())


def test_a_filter_that_is_away(folder: Path) -> None:
    """One line of error, and 3."""
    (folder / "waybill.toml").write_text('[content]\nspamassassin = "127.0.0.1:9"\n')
    result = lint(PHISHING, "--filters")
    assert (3, "waybill: 127.0.0.1:9 could not be asked: Connection refused\n") == (result.exit_code, result.stderr)


def test_no_file() -> None:
    """A file that is not there is a usage error."""
    assert 2 == CliRunner().invoke(cli, ["lint", "missing.eml"]).exit_code
