"""MTA-STS as it is written (RFC 8461 §3.1, §3.2), and the fetch of policies from a real HTTPS server (§3.3)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.net.certificates import issue
from tests.net.policy_host import POLICY, PolicyHost, page, policy_host
from waybill.lab.dns import LabDns
from waybill.net import mta_sts
from waybill.net.mta_sts import MAX_AGE, MAX_POLICY, MODES, Fetched, PolicyFetcher, parse_policy, parse_record
from waybill.net.resolver import Resolver

ROOT = issue("Root", authority=True)
ZONES = {"mta-sts.b.test": ["A 127.0.0.1"], "mta-sts.none.test": []}


@pytest.mark.parametrize(
    ("records", "policy_id"),
    [
        (["v=STSv1; id=20160831085700Z;"], "20160831085700Z"),
        (["v=STSv1;id=1"], "1"),
        (["v=STSv1 ; \tx=y; id=1 ;"], "1"),
        (["v=spf1 -all", "v=STSv1; id=1"], "1"),
        (["v=STSv1; id=1; id=2"], "1"),
        ([], None),
        (["v=STSv1; id=1", "v=STSv1; id=1"], None),
        (["v=STSv1"], None),
        (["v=STSv1; id="], None),
        (["v=STSv1; id=a-b"], None),
        ([f"v=STSv1; id={'a' * 33}"], None),
        (["V=STSV1; id=1"], None),
        ([" v=STSv1; id=1"], None),
        (["v=STSv12; id=1"], None),
    ],
)
def test_record(records: list[str], policy_id: str | None) -> None:
    """One record of this version with an id of letters and digits; anything else is no policy."""
    assert parse_record(records) == policy_id


def test_policy() -> None:
    """The example of RFC 8461 §3.2, with fields that nobody knows and either kind of line end."""
    text = (
        "version: STSv1\nmode: testing\r\nmx: mx1.example.com\nmx:*.Example.net.\nnew_field: x:y\nmax_age:123456 \n\n"
    )
    policy = parse_policy("example.com", text.encode())
    assert (policy.name, policy.mode, policy.mx, policy.max_age) == (
        "example.com",
        "testing",
        ("mx1.example.com", "*.example.net"),
        123_456,
    )


def test_the_first_of_a_kind_counts() -> None:
    """A second mode or max_age is passed over; a time beyond the longest is the longest."""
    text = "version: STSv1\nmode: none\nmode: enforce\nmax_age: 9999999999\nmax_age: 1\n"
    policy = parse_policy("b.test", text.encode())
    assert (policy.mode, policy.max_age, policy.mx) == ("none", MAX_AGE, ())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "version is ''"),
        ("version: STSv2\nmode: none\nmax_age: 1\n", "version is 'STSv2'"),
        (
            "version: STSv1\nmode: Enforce\nmax_age: 1\nmx: a.test\n",
            "mode is 'Enforce'; it may be enforce, testing, none",
        ),
        ("version: STSv1\nmode: enforce\nmx: a.test\n", "max_age is ''"),
        ("version: STSv1\nmode: enforce\nmax_age: -1\nmx: a.test\n", "max_age is '-1'"),
        ("version: STSv1\nmode: enforce\nmax_age: 12345678901\nmx: a.test\n", "max_age is '12345678901'"),
        ("version: STSv1\nmode: enforce\nmax_age: 1\n", "the policy lists no mx"),
        ("version: STSv1\nmode: enforce\nmax_age: 1\nmx: *.*.test\n", r"mx is '\*\.\*\.test'"),
        ("version: STSv1\nmode: enforce\nmax_age: 1\nmx: a_b.test\n", "mx is 'a_b.test'"),
        ("version: STSv1\n<html>\n", "line 2 of the policy, '<html>', is not written"),
        ("version: STSv1\nmode: enforce\nmax_age: 1\n" + "mx: a.test\n" * 501, "lists 501 mx"),
    ],
)
def test_no_policy(text: str, words: str) -> None:
    """The error names the field and what is wrong with it."""
    with pytest.raises(ValueError, match=words):
        parse_policy("b.test", text.encode())


@settings(max_examples=100)
@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode) | st.just(POLICY.encode() + b"\xff"))
def test_hostile_policies(body: bytes) -> None:
    """Whatever a web server says is a policy or a ValueError."""
    try:
        policy = parse_policy("b.test", POLICY.encode() + body)
    except ValueError:
        return
    assert policy.mode == "enforce"
    assert policy.mx[0] == "mx.b.test"


LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
HOST = st.lists(LABEL, min_size=2, max_size=4).map(".".join)


@settings(max_examples=100)
@given(
    mode=st.sampled_from(MODES),
    hosts=st.lists(HOST, min_size=1, max_size=5),
    max_age=st.integers(0, MAX_AGE),
    end=st.sampled_from(["\n", "\r\n"]),
    label=LABEL,
)
def test_what_is_written_is_read(mode: str, hosts: list[str], max_age: int, end: str, label: str) -> None:
    """Any policy by the grammar; each name lists itself, and its wildcard exactly the hosts one label below."""
    lines = ["version: STSv1", f"mode: {mode}", *(f"mx: {host}" for host in hosts), f"max_age: {max_age}"]
    policy = parse_policy("b.test", end.join(lines).encode())
    assert (policy.mode, policy.mx, policy.max_age) == (mode, tuple(dict.fromkeys(hosts)), max_age)
    assert all(policy.lists(host) for host in hosts)
    lines[2] = f"mx: *.{hosts[0]}"
    wild = parse_policy("b.test", end.join(lines).encode())
    assert wild.lists(f"{label}.{hosts[0]}".upper() + ".")
    others = {f"{label}.{label}.{hosts[0]}", hosts[0]} - set(hosts[1:])
    assert not any(wild.lists(other) for other in others)


@asynccontextmanager
async def fetching(
    tmp_path: Path, *names: str, allow_private: bool = True
) -> AsyncIterator[tuple[PolicyHost, PolicyFetcher]]:
    """A policy host whose certificate holds for the names, and a fetcher that knows its authority."""
    (tmp_path / "ca.pem").write_bytes(ROOT.certificate.public_bytes(Encoding.PEM))
    async with policy_host(issue(*names, by=ROOT)) as host, LabDns(ZONES) as dns:
        resolver = Resolver([dns.address])
        yield (
            host,
            PolicyFetcher(
                resolver=resolver,
                clock=lambda: 1_000,
                allow_private=allow_private,
                ca_file=str(tmp_path / "ca.pem"),
                port=host.port,
            ),
        )
        await resolver.close()


async def test_fetched(tmp_path: Path) -> None:
    """By the name and the path of RFC 8461 §3.3, with the id and the time of the fetch."""
    async with fetching(tmp_path, "mta-sts.b.test") as (host, fetcher):
        fetched = await fetcher.fetch("b.test", "id1")
    assert fetched.policy is not None
    assert (fetched.policy.id, fetched.policy.fetched_at, fetched.policy.expires_at) == ("id1", 1_000, 604_801_000)
    assert host.asked == ["GET /.well-known/mta-sts.txt HTTP/1.1 mta-sts.b.test"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (page(POLICY, status="404 Not Found"), "the answer is 404"),
        (page(POLICY, status="301 Moved", more="Location: https://mta-sts.b.test/other\r\n"), "the answer is 301"),
        (page(POLICY, status="203 Other"), "the answer is 203"),
        (page(POLICY, kind="text/html"), "type 'text/html'"),
        (page(POLICY + f"x: {'y' * MAX_POLICY}\n"), "longer than 65536 octets"),
        (page("Hello"), "line 1 of the policy"),
        (b"no HTTP at all\r\n\r\n", "mta-sts.b.test: "),
        (b"", "mta-sts.b.test: "),
        (page(POLICY)[:-20], "mta-sts.b.test: "),
    ],
)
async def test_what_does_not_count(tmp_path: Path, answer: bytes, words: str) -> None:
    """Only 200, text/plain, whole and short enough; never where a redirect leads. Why not is said in words."""
    async with fetching(tmp_path, "mta-sts.b.test") as (host, fetcher):
        host.answer = answer
        fetched = await fetcher.fetch("b.test", "id1")
    assert fetched.policy is None
    assert words in fetched.fault
    assert {"GET /.well-known/mta-sts.txt HTTP/1.1 mta-sts.b.test"} == set(host.asked)


async def test_the_certificate_has_to_be_good(tmp_path: Path) -> None:
    """A certificate for another name, or of a strange authority, gives no policy."""
    async with fetching(tmp_path, "b.test", "www.b.test") as (host, fetcher):
        fetched = await fetcher.fetch("b.test", "id1")
    assert "certificate" in fetched.fault
    async with fetching(tmp_path, "mta-sts.b.test") as (host, _):
        (tmp_path / "other.pem").write_bytes(issue("X", authority=True).certificate.public_bytes(Encoding.PEM))
        async with LabDns(ZONES) as dns:
            stranger = PolicyFetcher(
                resolver=Resolver([dns.address]),
                clock=lambda: 1_000,
                allow_private=True,
                ca_file=str(tmp_path / "other.pem"),
                port=host.port,
            )
            fetched = await stranger.fetch("b.test", "id1")
    assert "certificate" in fetched.fault
    assert host.asked == []


async def test_where_the_policy_host_is(tmp_path: Path) -> None:
    """A private address only where that is allowed; no address, and names that are none, are said."""
    async with fetching(tmp_path, "mta-sts.b.test", allow_private=False) as (host, fetcher):
        private = await fetcher.fetch("b.test", "id1")
        missing = await fetcher.fetch("none.test", "id1")
        odd = [
            await fetcher.fetch(domain, "id1") for domain in ("a b.test", "[::1]", "b.test:25", "..", "x" * 300, "ü\0")
        ]
    assert "127.0.0.1, which is not public" in private.fault
    assert "has no A record" in missing.fault
    assert all(isinstance(each, Fetched) and each.policy is None and each.fault for each in odd)
    assert host.asked == []


async def test_a_slow_policy_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for within bounds, whatever it does."""
    monkeypatch.setattr(mta_sts, "FETCH_WITHIN", 0.2)
    async with fetching(tmp_path, "mta-sts.b.test") as (host, fetcher):
        host.answer = None
        fetched = await fetcher.fetch("b.test", "id1")
    assert fetched.fault == "mta-sts.b.test did not give it within 0.2 s"
