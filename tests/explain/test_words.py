"""Lengths of time, replies, authors and near misses, as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waybill.explain.commands import command
from waybill.explain.near import WELL_KNOWN, distance, near_domain
from waybill.explain.words import author, one_line, quoted, server, span, verbatim
from waybill.model.clock import DAY, HOUR, MINUTE, SECOND
from waybill.model.outcome import Reply


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0.00 s"),
        (30, "0.03 s"),
        (999, "1.00 s"),
        (4_200, "4.2 s"),
        (59 * SECOND, "59 s"),
        (16 * MINUTE + 4 * SECOND, "16 min 4 s"),
        (14 * HOUR, "14 h"),
        (HOUR + 5 * MINUTE, "1 h 5 min"),
        (DAY, "1 day"),
        (3 * DAY + 2 * HOUR, "3 days 2 h"),
    ],
)
def test_span(milliseconds: int, text: str) -> None:
    """Two units at most, none of them zero."""
    assert text == span(milliseconds)


REPLY = Reply(code=550, enhanced="5.7.1", lines=("5.7.1 Our system", "5.7.1 has said", "no"))


def test_verbatim_is_letter_by_letter() -> None:
    """A reply is shown as it came over the wire."""
    assert "550-5.7.1 Our system\n550-5.7.1 has said\n550 no" == verbatim(REPLY)
    assert "550" == verbatim(Reply(code=550, enhanced=None, lines=()))


def test_one_line_leaves_repeated_codes_out() -> None:
    """On one line, the status code stands once."""
    assert "550 5.7.1 Our system has said no" == one_line(REPLY)
    assert "550" == one_line(Reply(code=550, enhanced=None, lines=()))


@pytest.mark.parametrize(
    ("name", "text"),
    [("rule:x", "rule x"), ("api:AKIA1", "API key AKIA1"), ("operator", "the operator"), ("Jo", "Jo"), ("", "")],
)
def test_author(name: str, text: str) -> None:
    """Who did something is told in words."""
    assert text == author(name)


def test_nothing_known_of_the_server() -> None:
    """Without host and address there is still something to call it."""
    assert "the receiving server" == server(None)
    assert "(no words were given)" == quoted(" \n")


def test_command_sets_off_what_looks_like_an_option() -> None:
    """An address that begins with a dash is no option, and a space in a name is no second word."""
    assert "waybill suppression remove a@b.example --global" == command(
        "suppression", "remove", argument="a@b.example", options=("--global",)
    )
    assert "waybill suppression remove --global -- -a@b.example" == command(
        "suppression", "remove", argument="-a@b.example", options=("--global",)
    )
    assert "waybill render 'my template'" == command("render", argument="my template")


@pytest.mark.parametrize(
    ("domain", "meant"),
    [
        ("gmial.com", "gmail.com"),
        ("gmail.con", "gmail.com"),
        ("gmai.com", "gmail.com"),
        ("hotnail.com", "hotmail.com"),
        ("outlok.com", "outlook.com"),
        ("yaho.com", "yahoo.com"),
        ("web.fe", "web.de"),
        ("firma.example", None),
        ("gmail.com", None),
        ("", None),
    ],
)
def test_near_domain(domain: str, meant: str | None) -> None:
    """The domain that was probably meant is offered, and none for one that exists or is far from all."""
    assert meant == near_domain(domain)


def test_no_well_known_domain_is_corrected() -> None:
    """Providers whose names are alike are not mistaken for each other."""
    assert [] == [name for name in WELL_KNOWN if near_domain(name)]
    assert len(WELL_KNOWN) == len(set(WELL_KNOWN))


@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_distance_is_a_measure(left: str, right: str) -> None:
    """It is zero for equals alone, the same both ways, and never more than the bound and one."""
    far = distance(left, right, most=9)
    assert (left == right) is (far == 0)
    assert far == distance(right, left, most=9)
    assert min(far, 3) == distance(left, right, most=2)


@given(st.text("abcd", min_size=2, max_size=8), st.data())
def test_one_slip_is_one_edit(word: str, data: st.DataObject) -> None:
    """A letter left out, doubled or swapped with its neighbour is one edit at most."""
    at = data.draw(st.integers(0, len(word) - 2))
    slips = (
        word[:at] + word[at + 1 :],
        word[:at] + word[at] + word[at:],
        word[:at] + word[at + 1] + word[at] + word[at + 2 :],
    )
    assert all(distance(word, slip, most=3) <= 1 for slip in slips)
