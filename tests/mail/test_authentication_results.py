"""Authentication as receivers write it down, standard or not, and chains of forwarders."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waybill.mail.arc import read_arc
from waybill.mail.authentication_results import parse_authentication_results, parse_received_spf
from waybill.mail.header import scan

GMAIL = """mx.google.com;
       dkim=pass header.i=@shop.example header.s=waybill1 header.b=AbCd1234;
       spf=pass (google.com: domain of b7x@bounce.shop.example designates 198.51.100.4 as permitted sender) smtp.mailfrom=b7x@bounce.shop.example;
       dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=shop.example"""
MICROSOFT = (
    "spf=pass (sender IP is 198.51.100.4) smtp.mailfrom=bounce.shop.example; dkim=fail (body hash did not verify) "
    "header.d=shop.example;dmarc=fail action=quarantine header.from=shop.example;compauth=fail reason=000"
)


@pytest.mark.parametrize(
    ("value", "server", "results"),
    [
        (GMAIL, "mx.google.com", [("dkim", "pass"), ("spf", "pass"), ("dmarc", "pass")]),
        (MICROSOFT, None, [("spf", "pass"), ("dkim", "fail"), ("dmarc", "fail"), ("compauth", "fail")]),
        ("mx.ngo.example 1; none", "mx.ngo.example", []),
        ("mx.ngo.example; none", "mx.ngo.example", []),
        (" (a comment) mx.ngo.example (another);\r\n\tspf=softfail", "mx.ngo.example", [("spf", "softfail")]),
        ("mx.ngo.example;\tdkim=neutral (no key)\theader.i=@a;iprev=pass policy.iprev=198.51.100.4", "mx.ngo.example", [("dkim", "neutral"), ("iprev", "pass")]),
        ('mx; dkim/1 = pass reason="good (signature); really" header.d = shop.example', "mx", [("dkim", "pass")]),
        ("mx.ngo.example; auth=pass smtp.auth=anna smtp.mailfrom=anna@ngo.example", "mx.ngo.example", [("auth", "pass")]),
        ("", None, []),
        (";;;", None, []),
        ("mx (never closed; spf=pass", "mx", []),
    ],
)  # fmt: skip
def test_results(value: str, server: str | None, results: list[tuple[str, str]]) -> None:
    """The server that speaks, and each method with its result."""
    found = parse_authentication_results(value)
    assert (server, results) == (found.server, [(each.method, each.result) for each in found.results])


def test_properties_and_reasons() -> None:
    """What was checked, and why it came out so."""
    dkim, spf, dmarc = parse_authentication_results(GMAIL).results
    assert ("@shop.example", "waybill1") == (dkim.first("header.i"), dkim.first("header.s"))
    assert "b7x@bounce.shop.example" == spf.first("smtp.mailfrom")
    assert "google.com: domain of b7x@bounce.shop.example designates 198.51.100.4 as permitted sender" == spf.comment
    assert ("p=REJECT sp=REJECT dis=NONE", "shop.example") == (dmarc.comment, dmarc.first("header.from"))
    *_, fail, compauth = parse_authentication_results(MICROSOFT).results
    assert "quarantine" == fail.first("action")
    assert "000" == compauth.reason
    (quoted,) = parse_authentication_results('mx; dkim=pass reason="good; really" header.d=a.example').results
    assert ("good; really", "a.example") == (quoted.reason, quoted.first("header.d"))


def test_received_spf() -> None:
    """The older field says the same in its own way."""
    value = (
        "Pass (mx.ngo.example: domain of bounce.shop.example designates 198.51.100.4 as permitted sender) "
        'receiver=mx.ngo.example; client-ip=198.51.100.4; helo=mail.shop.example; envelope-from="b7x@bounce.shop.example"'
    )
    found = parse_received_spf(value)
    (result,) = found.results
    assert ("mx.ngo.example", "spf", "pass") == (found.server, result.method, result.result)
    assert "198.51.100.4" == result.first("client-ip")
    assert "b7x@bounce.shop.example" == result.first("smtp.mailfrom")
    assert () == parse_received_spf("").results
    assert "mx.google.com" == parse_received_spf("fail (mx.google.com: no) client-ip=1.2.3.4").server


@settings(deadline=None, max_examples=200)
@given(text=st.text() | st.from_regex(r"[a-z. ]{0,9};( ?[a-z/=.();\"]{0,12})*", fullmatch=True))
def test_nothing_breaks_them(text: str) -> None:
    """Any text gives results or none."""
    assert isinstance(parse_authentication_results(text).results, tuple)
    assert isinstance(parse_received_spf(text).results, tuple)


def arc_set(instance: int, cv: str, domain: str = "lists.example") -> str:
    return (
        f"ARC-Seal: i={instance}; a=rsa-sha256; t=1795874592; cv={cv}; d={domain}; s=arc1; b=AAAA\r\n"
        f"ARC-Message-Signature: i={instance}; a=rsa-sha256; c=relaxed/relaxed; d={domain}; s=arc1; h=from; bh=BB; b=CC\r\n"
        f"ARC-Authentication-Results: i={instance}; mx.{domain}; spf=pass smtp.mailfrom=shop.example; dmarc=pass\r\n"
    )


def chain_of(text: str) -> tuple[list[int], str | None] | None:
    chain = read_arc(scan(f"{text}\r\n".encode())[0])
    return None if chain is None else ([each.instance for each in chain.sets], chain.fault)


def test_arc_chains() -> None:
    """In order, whole, and without gaps; else it is told what is wrong."""
    assert chain_of("Subject: x\r\n") is None
    assert ([1], None) == chain_of(arc_set(1, "none"))
    assert ([1, 2], None) == chain_of(arc_set(2, "pass", "forward.example") + arc_set(1, "none"))
    assert ([1, 3], "set 2 is missing") == chain_of(arc_set(1, "none") + arc_set(3, "pass"))
    assert ([2], "set 1 is missing") == chain_of(arc_set(2, "pass"))
    assert ([1], "set 1 has a field twice") == chain_of(arc_set(1, "none") * 2)
    assert ([1], "set 1 says cv=pass where none is due") == chain_of(arc_set(1, "pass"))
    broken = "set 2 says that the chain before it was broken (cv=fail)"
    assert ([1, 2], broken) == chain_of(arc_set(1, "none") + arc_set(2, "fail"))
    assert ([1], "set 1 is not whole") == chain_of("ARC-Seal: i=1; cv=none; d=a.example; s=b\r\n")
    assert ([], "a field without a number from 1 to 50") == chain_of("ARC-Seal: cv=none; d=a.example\r\n")


def test_arc_says_what_each_forwarder_saw() -> None:
    """The results of the first hop are what the sender's mail looked like before it was forwarded."""
    chain = read_arc(scan((arc_set(1, "none") + "\r\n").encode())[0])
    assert chain is not None
    (first,) = chain.sets
    assert first.results is not None
    assert ("mx.lists.example", ["spf", "dmarc"]) == (
        first.results.server,
        [each.method for each in first.results.results],
    )


@settings(deadline=None, max_examples=100)
@given(data=st.binary(max_size=300), name=st.sampled_from([b"ARC-Seal", b"ARC-Authentication-Results"]))
def test_no_octets_break_a_chain(data: bytes, name: bytes) -> None:
    """Any octets give a chain or none."""
    chain = read_arc(scan(name + b": " + data)[0])
    assert chain is None or len(chain.sets) <= 50
