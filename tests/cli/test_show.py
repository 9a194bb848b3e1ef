"""How things look: labels in a column, no line broken in a pipe, nothing that steers the terminal."""

import io
import re

import pytest
from rich.console import Console
from rich.text import Text

from tests.explain import stories_content
from tests.explain.life import MESSAGE_ID, START, Life, message
from tests.explain.stories import STORIES
from waybill.cli.show import harmless, show_explanation, show_found, show_ledger
from waybill.deliver.evidence import Failure
from waybill.explain import explain
from waybill.model.message import Status
from waybill.model.outcome import Stage
from waybill.store.protocol import Found, Ledger

LONG_REPLY = "550 5.1.1 " + "no such user here " * 20 + "https://mail.example/why?" + "x" * 90


def shown(life: Life, *, width: int, terminal: bool) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=terminal, color_system="standard" if terminal else None)
    show_explanation(explain(life.facts(), life.now), console)
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("name", sorted(STORIES))
def test_fits_a_terminal(name: str, width: int) -> None:
    """Prose is wrapped to the terminal; only single words, such as ids, commands and DNS records are longer."""
    for styled in shown(STORIES[name](), width=width, terminal=True).splitlines():
        line = Text.from_ansi(styled).plain
        assert len(line) <= width or " " not in line.strip() or "waybill " in line or '. TXT "' in line, line


@pytest.mark.parametrize("name", sorted(STORIES))
def test_a_terminal_loses_nothing(name: str) -> None:
    """The same words stand in a narrow terminal and in a pipe."""
    narrow = Text.from_ansi(shown(STORIES[name](), width=60, terminal=True)).plain
    piped = shown(STORIES[name](), width=60, terminal=False)
    assert narrow.split() == piped.split()


def test_a_pipe_breaks_no_line() -> None:
    """A long reply, an id and a command each stay on one line, without colour."""
    text = shown(Life().answered(LONG_REPLY), width=40, terminal=False)
    assert LONG_REPLY.strip() in text
    assert f"{MESSAGE_ID}   from Shop <orders@shop.example>" in text
    assert "\x1b" not in text


def test_labels_stand_in_a_column() -> None:
    """Every line under the headline has its text in the same column."""
    lines = shown(Life().answered(LONG_REPLY), width=100, terminal=False).splitlines()
    assert all(re.fullmatch(r"  .{13} \S.*| {20}waybill .*", line) for line in lines[1:]), lines


def test_hostile_words_do_nothing() -> None:
    """Escape sequences and reversed text in a reply or subject are written out."""
    life = Life(message=message(subject="\x1b]0;owned\x07\u202eevil")).answered("550 5.1.1 \x1b[2Jgone")
    for text in (shown(life, width=100, terminal=False), shown(life, width=100, terminal=True)):
        plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", plain)
        assert "\\x1b[2Jgone" in plain


def test_harmless_keeps_line_ends_and_letters() -> None:
    """Only what steers is changed."""
    assert "Grüße\nan 北京 \\x9b" == harmless("Grüße\nan\t北京 \x9b")


def test_several_recipients() -> None:
    """Each recipient is told of, the message once."""
    life = Life().answered("550 5.1.1 User unknown")
    facts = life.facts()
    out = io.StringIO()
    told = explain(facts, life.now)
    both = explain(type(facts)(message=facts.message, deliveries=facts.deliveries * 2, events=facts.events), life.now)
    show_explanation(both, Console(file=out, width=100))
    assert 2 == out.getvalue().count(told.recipients[0].telling.headline)
    assert 1 == out.getvalue().count(f"  Message       {MESSAGE_ID}")


def hits() -> list[Found]:
    lives = [Life().answered("550 5.1.1 User unknown"), Life(recipient="a-longer-address@firma.example")]
    return [Found(message=life.message, delivery=life.delivery) for life in lives]


def test_found_in_a_pipe_is_one_line_each() -> None:
    """Time, status, cause, recipient, id and subject, in columns."""
    out = io.StringIO()
    show_found(hits(), Console(file=out, width=80))
    lines = out.getvalue().splitlines()
    assert [MESSAGE_ID, MESSAGE_ID] == [line.split()[4] for line in lines]
    assert 1 == len({line.index(MESSAGE_ID) for line in lines})
    assert lines[0].startswith("2026-11-24T14:03:09.412Z  bounced           user_unknown ")


def test_found_in_a_terminal_keeps_ids_whole() -> None:
    """A narrow terminal gets a second line for the id."""
    out = io.StringIO()
    show_found(hits(), Console(file=out, width=80, force_terminal=True, color_system=None))
    assert 4 == len(out.getvalue().splitlines())
    assert 2 == out.getvalue().count(f"\n    {MESSAGE_ID}  Your order has shipped\n")


def test_nothing_found() -> None:
    """An empty answer is said to be one."""
    out = io.StringIO()
    show_found([], Console(file=out))
    assert "no message matches\n" == out.getvalue()


def test_ledger_without_a_conversation() -> None:
    """Where nobody was talked to, the hosts tried and Waybill's own words are there."""
    life = Life().failed(Failure.CONNECTION_REFUSED, "refused", hosts=("mx1.firma.example [192.0.2.7]:25: refused",))
    ledger = Ledger(message=life.message, deliveries=(life.delivery,), events=tuple(life.events))
    out = io.StringIO()
    show_ledger(ledger, Console(file=out, width=40))
    assert "          host mx1.firma.example [192.0.2.7]:25: refused\n          refused\n" in out.getvalue()


def test_ledger_has_every_line() -> None:
    """All events with their facts, attempts with the whole transcript."""
    life = Life().answered("451 4.7.1 Greylisted").wait_for_retry().answered("250 2.0.0 Ok", Stage.MESSAGE)
    ledger = Ledger(message=life.message, deliveries=(life.delivery,), events=tuple(life.events))
    out = io.StringIO()
    show_ledger(ledger, Console(file=out, width=40))
    text = out.getvalue()
    assert Status.DELIVERED is life.delivery.status
    assert ["accepted", "deferred", "delivered"] == re.findall(r"^ +\d+  \S+Z  (\w+)", text, re.MULTILINE)
    assert "C: RCPT TO:<anna.k@firma.example>\n" in text
    assert "S: 451 4.7.1 Greylisted\n" in text
    assert text.startswith(f"{MESSAGE_ID}   from Shop <orders@shop.example>   4,218 bytes\n")
    assert START == ledger.events[0].at


def test_ledger_has_every_finding() -> None:
    """What was found in the content stands there line by line, with whose rule it is."""
    life = stories_content.LIVES["accepted_by_receiver-risks"]()
    ledger = Ledger(message=life.message, deliveries=(life.delivery,), events=tuple(life.events))
    out = io.StringIO()
    show_ledger(ledger, Console(file=out, width=40))
    text = out.getvalue()
    assert "          content examined by Waybill: 3 risks\n" in text
    assert "          high   link-text-differs: link text" in text
    assert "                 by SpamAssassin, Rspamd PHISHING" in text
