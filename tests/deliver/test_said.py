"""What the rules see of a reply, and the fingerprints by which unknown replies are counted."""

import hashlib
import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waybill.deliver.classify import classify, classify_text, unknown_fingerprint
from waybill.deliver.evidence import Evidence, Failure
from waybill.deliver.said import FINGERPRINT_LENGTH, fingerprint, read_words
from waybill.model.outcome import Stage

_LABEL = st.from_regex(r"[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,4})?", fullmatch=True)
_HOST = st.builds("{}.{}.{}".format, _LABEL, _LABEL, st.sampled_from(["example", "com", "co.jp", "museum"]))
_ADDRESS = st.builds(
    "{}@{}".format,
    st.one_of(st.from_regex(r"[a-z0-9_+=-]{1,12}(\.[A-Z0-9]{1,5})?", fullmatch=True), st.just('"a b"')),
    _HOST,
)
_TIME = st.datetimes(datetime(2001, 1, 1), datetime(2099, 12, 31)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001 - made aware
_STAMP = st.one_of(
    _TIME.map(lambda at: at.strftime("%Y-%m-%dT%H:%M:%SZ")),
    _TIME.map(lambda at: at.strftime("%Y-%m-%d %H:%M:%S.%f")),
    _TIME.map(lambda at: at.strftime("%a, %d %b %Y %H:%M:%S +0000 (UTC)")),
    _TIME.map(lambda at: at.strftime("%d/%m/%Y %H:%M")),
)
_ID = st.one_of(
    st.uuids().map(str),
    st.binary(min_size=1).map(lambda octets: hashlib.sha256(octets).hexdigest()),
    st.from_regex(r"[0-9][A-Z][a-z0-9]{8,12}", fullmatch=True),
    st.from_regex(r"[a-f0-9]{6}[0-9][a-f][0-9]-[0-9][a-f0-9]{12}\.[0-9]{1,4}", fullmatch=True),
)
_LINK = st.builds("https://{}/help?ip={}&id={}".format, _HOST, st.ip_addresses(v=4), _ID)
_VARYING = st.fixed_dictionaries(
    {
        "address": _ADDRESS,
        "four": st.ip_addresses(v=4),
        "six": st.ip_addresses(v=6).filter(int),  # nobody connects from ::
        "stamp": _STAMP,
        "id": _ID,
        "host": _HOST,
        "link": _LINK,
        "number": st.integers(0, 10**6),
    }
)
TEMPLATE = "550 5.7.1 <{address}> of [{four}] and [IPv6:{six}] or {six}: odd at {stamp}; {host} ({id}) said {number}, see {link}"
EXPECTED = "550 5.7.1 <address> of [<ip>] and [<ip>] or <ip>: odd at <time>; <host> (<id>) said <n>, see <link>"


@settings(max_examples=80, deadline=None)
@given(_VARYING)
def test_replies_that_differ_in_what_varies_count_as_one(parts: dict[str, object]) -> None:
    """Addresses, IPs, times, hosts, ids, hashes, links and numbers leave no trace in the fingerprint."""
    assert EXPECTED == fingerprint(TEMPLATE.format_map(parts))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from(["mailbox", "refused", "we", "dislike", "never", "odd", "weather", "here"]),
        min_size=1,
        max_size=12,
    )
)
def test_words_stay(words: list[str]) -> None:
    """Plain words are the fingerprint, in lower case and with single spaces."""
    text = " ".join(words)
    assert f"550 {text}" == fingerprint(f"550  {text.upper()} ")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=2_000))
def test_any_words_have_a_fingerprint_of_bounded_length(text: str) -> None:
    """Whatever a server says, the fingerprint is short, on one line, and that of itself."""
    first = fingerprint(text)
    assert len(first) <= FINGERPRINT_LENGTH
    assert "\n" not in first
    assert first == fingerprint(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("550 x Session ID: AbCdEf", "550 x session id: <id>"),
        ("451 done (queue=lAO7V1) 4F5E.", "451 done (queue=<id>) <id>."),
        ("421 ::ffff:192.0.2.1 and ::1", "421 <ip> and <ip>"),
        ("550 S3140 and TSS04 stay", "550 s3140 and tss04 stay"),
        ("452-4.9.9 Jan 5 10:11:12 size 12345678.5", "452-4.9.9 <time> size <n>"),
    ],
)
def test_short_ids_and_times(text: str, expected: str) -> None:
    """Ids that say so and such as mix digits into letters go; a provider's own codes, letters then digits, stay."""
    assert expected == fingerprint(text)


@pytest.mark.parametrize("text", ["at 10:11:12 it was", "score 12:30", "std::x"])
def test_a_time_is_no_ip_address(text: str) -> None:
    """The rules see the colons of a time as they are."""
    assert text == read_words(text, Stage.RETURNED).text


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("550 Whatever comes next", "550 whatever comes next"),
        ("550 5.7.1 Go away 4XyZ12ab99", "550 5.7.1 go away <id>"),
        ("550 Recipient amiss", "550 recipient amiss"),
        ("421 mx1.b.example", "421 <host>"),
        ("550-5.9.9 One\n550 5.9.9 two", "550 5.9.9 one two"),
        ("words of a report alone", "words of a report alone"),
        ("550 5.1.1 User unknown", None),
        ("250 2.0.0 Ok", None),
    ],
)
def test_unknown_replies_are_those_whose_words_no_rule_knows(reply: str, expected: str | None) -> None:
    """What codes alone or a guess decided counts as unknown as well."""
    assert expected == unknown_fingerprint(classify_text(reply))


def test_our_own_failures_are_not_unknown_replies() -> None:
    """No server has said a word."""
    assert (
        unknown_fingerprint(classify(Evidence(stage=Stage.ROUTE, recipient="a@b.example", failure=Failure.DNS_TIMEOUT)))
        is None
    )


def test_ids_of_every_version_are_ids() -> None:
    """UUIDs are cut as one word."""
    assert "550 <id>" == fingerprint(f"550 {uuid.UUID(int=2**127 + 5)}")
