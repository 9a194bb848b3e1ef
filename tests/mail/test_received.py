"""Received fields of every system, in any state, and the path that they tell."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.mail.received_samples import SAMPLES
from waybill.mail.header import scan
from waybill.mail.mail_date import parse_mail_date
from waybill.mail.received import parse_received
from waybill.mail.received_path import Path, read_path
from waybill.model.clock import MINUTE, SECOND, rfc3339

_WORDS = st.sampled_from(
    [
        "from",
        "by",
        "with",
        "id",
        "for",
        "via",
        "(",
        ")",
        "[",
        "]",
        ";",
        '"',
        "<",
        ">",
        "a.example",
        "198.51.100.4",
        "2001:db8::1",
        "HELO",
        "helo=",
        "TLS1_3",
        "cipher=",
        "Tue,",
        "24",
        "Nov",
        "2026",
        "14:03:12",
        "+0000",
        "99:99",
        "\\",
    ]
)


@pytest.mark.parametrize(("system", "value", "expected"), SAMPLES, ids=[sample[0] for sample in SAMPLES])
def test_each_system(system: str, value: str, expected: dict[str, object]) -> None:
    """What matters of the field is read, whoever wrote it."""
    hop = parse_received(value)
    found = {name: getattr(hop, name) for name in expected}
    if "at" in expected and hop.at is not None:
        found["at"] = rfc3339(hop.at)
    assert expected == found, system


@settings(deadline=None, max_examples=200)
@given(text=st.lists(_WORDS | st.text(max_size=8), max_size=40).map(" ".join) | st.text())
def test_nothing_breaks_it(text: str) -> None:
    """Any text gives a hop."""
    assert parse_received(text).name == "Received"


@settings(deadline=None, max_examples=100)
@given(data=st.binary(max_size=400), prefix=st.sampled_from([b"", b"Received: ", b"Received: from a by b; "]))
def test_no_octets_break_a_path(data: bytes, prefix: bytes) -> None:
    """Any octets give a path whose measured delays are not negative and add up to the whole."""
    path = read_path(scan(prefix + data)[0])
    delays = [step.delay_ms for step in path.steps if step.delay_ms is not None]
    assert all(delay >= 0 for delay in delays)
    assert (path.total_ms or 0) == sum(delays)


@settings(deadline=None, max_examples=100)
@given(offsets=st.lists(st.none() | st.integers(-7_200, 7_200), max_size=9))
def test_delays_add_up_whatever_the_clocks_say(offsets: list[int | None]) -> None:
    """Clocks that are off, missing dates: the steps that fit add up to the time between the first and the last of them."""
    path = _path([None if offset is None else _date(offset) for offset in offsets])
    timed = path.timed
    delays = [step.delay_ms for step in path.steps if step.delay_ms is not None]
    assert max(0, len(timed) - 1) == len(delays)
    assert all(delay >= 0 for delay in delays)
    assert (path.total_ms or 0) == sum(delays)
    assert all(step.skew_ms != 0 for step in path.steps)


def _date(offset: int) -> str:
    whole = 14 * 3_600 + 3 * 60 + offset
    return f"Tue, 24 Nov 2026 {whole // 3_600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d} +0000"


def _path(dates: list[str | None]) -> Path:
    """A path of hops with these dates, given oldest first."""
    lines = [
        f"Received: from h{number}.example by h{number + 1}.example{f'; {date}' if date else ''}\r\n"
        for number, date in enumerate(dates, 1)
    ]
    return read_path(scan("".join([*reversed(lines), "\r\nbody"]).encode())[0])


def test_a_clock_that_is_behind_is_skew_and_no_time() -> None:
    """A hop that is dated before the one that handed over to it has another clock; the time goes on by the others."""
    path = _path([_date(0), _date(10), _date(-200), _date(70)])
    assert [None, 10_000, None, 60_000] == [step.delay_ms for step in path.steps]
    assert [None, None, -210_000, None] == [step.skew_ms for step in path.steps]
    assert 70 * SECOND == path.total_ms


def test_a_clock_that_is_ahead_takes_no_time_from_the_others() -> None:
    """One wild date does not make all those after it wrong."""
    path = _path([_date(0), _date(3_600), _date(5), _date(9)])
    assert [None, 3_595_000, None, None] == [step.skew_ms for step in path.steps]
    assert 9 * SECOND == path.total_ms


def test_a_hop_without_a_date_leaves_a_gap() -> None:
    """Its time is told together with that of the next."""
    path = _path([_date(0), None, _date(60)])
    assert [None, None, MINUTE] == [step.delay_ms for step in path.steps]


def test_fields_in_the_wrong_order_are_turned() -> None:
    """A program may list the oldest first; the dates and names tell."""
    upside_down = [
        "Received: from h1.example by h2.example; " + _date(0),
        "Received: from h2.example by h3.example; " + _date(30),
    ]
    path = read_path(scan("\r\n".join([*upside_down, "", ""]).encode())[0])
    assert path.reversed_order
    assert ["h2.example", "h3.example"] == [step.hop.by for step in path.steps]
    assert 30 * SECOND == path.total_ms


def test_gmails_double_is_counted_once() -> None:
    """X-Received says again what Received says."""
    value = "by 2002:a05:6402::1 with SMTP id x1csp; Tue, 24 Nov 2026 06:03:12 -0800 (PST)"
    path = read_path(scan(f"Received: {value}\r\nX-Received: {value}\r\n\r\n".encode())[0])
    assert 1 == len(path.steps)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Tue, 24 Nov 2026 14:03:12 +0530", "2026-11-24T08:33:12.000Z"),
        ("Tue, 24 Nov 2026 14:03:12 -0000", "2026-11-24T14:03:12.000Z"),
        ("24-Nov-2026 14:03:12 EDT", "2026-11-24T18:03:12.000Z"),
        ("Tue (a comment (nested)), 24 Nov 126 14:03 UT", "2026-11-24T14:03:00.000Z"),
        ("2026-11-24T14:03:12.5+01:00", "2026-11-24T13:03:12.500Z"),
        ("Fri, 24 Nov 49 00:00:00 Z", "2049-11-24T00:00:00.000Z"),
        ("31 Feb 2026 14:03:12 +0000", None),
        ("24 Foo 2026 14:03:12 +0000", None),
        ("24 Nov 2026 25:03:12 +0000", None),
        ("tomorrow", None),
    ],
)
def test_dates(text: str, expected: str | None) -> None:
    """Standard, obsolete and invented forms; what is no date is none."""
    found = parse_mail_date(text)
    assert expected == (rfc3339(found.at) if found else None)


@settings(deadline=None, max_examples=200)
@given(
    text=st.text()
    | st.from_regex(r"\d{1,2} (Nov|Dec|Xyz) \d{2,4} \d\d?:\d\d(:\d\d)? ([+-]\d{4}|[A-Z]{1,4})", fullmatch=True)
)
def test_no_text_breaks_a_date(text: str) -> None:
    """Any text gives an instant or none."""
    found = parse_mail_date(text)
    assert found is None or isinstance(found.at, int)
