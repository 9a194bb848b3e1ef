"""Addresses as people write them, and the errors that SES gives for the rest."""

import email.utils
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waybill.mail.address import (
    AddressError,
    Mailbox,
    canonical,
    domain_of,
    enclosing_domains,
    parse_mailbox,
    parse_mailbox_list,
)

ATOM = st.text("abzXY019!#$%&'*+/=?^_`{|}~-", min_size=1, max_size=12)
LOCAL = st.lists(ATOM, min_size=1, max_size=3).map(".".join)
DOMAIN = st.lists(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True), min_size=1, max_size=4).map(
    ".".join
)
ADDRESS = st.builds("{}@{}".format, LOCAL, DOMAIN)
NAME = st.text(st.characters(categories=["L", "N", "Zs", "P"], max_codepoint=0x2000), min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("text", "display", "address"),
    [
        ("a@b.example", "", "a@b.example"),
        ("User.Name+tag@Sub.Example.COM", "", "User.Name+tag@sub.example.com"),
        ("<a@b.example>", "", "a@b.example"),
        ("B <b@y.com>", "B", "b@y.com"),
        ("  Ana  de  Souza <a@b.example> ", "Ana de Souza", "a@b.example"),
        ('"N, N; <x>" <a@b.example> (comment (nested))', "N, N; <x>", "a@b.example"),
        ('"a \\" b\\\\" <a@b.example>', 'a " b\\', "a@b.example"),
        ("Ünï <a@bücher.example>", "Ünï", "a@xn--bcher-kva.example"),
        ("a@STRASSE.example", "", "a@strasse.example"),
        ("a@straße.example", "", "a@xn--strae-oqa.example"),
        ("=?utf-8?q?J=C3=BCrgen?= =?utf-8?q?_M?= <j@x.example>", "Jürgen M", "j@x.example"),
        ("a@b.example (John Doe)", "John Doe", "a@b.example"),
        ("a@x.example <a@x.example>", "a@x.example", "a@x.example"),
        ("J. R. Smith <a@b.example>", "J. R. Smith", "a@b.example"),
        ('"a b"@c.example', "", '"a b"@c.example'),
        ('"plain"@c.example', "", "plain@c.example"),
        ("invalid@invalid", "", "invalid@invalid"),
        ("< a@b.example >", "", "a@b.example"),
    ],
)
def test_reads_what_people_write(text: str, display: str, address: str) -> None:
    """Display forms, comments, quoted strings, encoded words, international domains."""
    mailbox = parse_mailbox(text)
    assert (display, address) == (mailbox.display, mailbox.address)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "Missing final '@domain'"),
        ("somebody", "Missing final '@domain'"),
        ("a@", "Missing domain"),
        ("@b.example", "Missing local name"),
        ("<@b.example>", "Missing local name"),
        ("a@b.example\r\nBcc: x@y.example", "Domain contains control or whitespace"),
        ("a@b.example\x00", "Domain contains control or whitespace"),
        ("a\tb@b.example", "Local address contains control or whitespace"),
        ("a b@c.example", "Local address contains control or whitespace"),
        ("a@b example", "Domain contains control or whitespace"),
        ("ü@b.example", "Local part must be ASCII"),
        ("a..b@c.example", "Local address contains dot-dot"),
        (".a@c.example", "Local address starts with dot"),
        ("a.@c.example", "Local address ends with dot"),
        ("a@c..example", "Domain contains dot-dot"),
        ("a@.example", "Domain starts with dot"),
        ("a@c.example.", "Domain ends with dot"),
        ("a@-c.example", "Domain contains illegal character"),
        ("a@[192.0.2.1]", "Domain literal is not allowed; use a domain name"),
        ("a@b.example, c@d.example", "Illegal address: one address is expected"),
        ("group: a@b.example;", "Illegal address: one address is expected"),
        ("group:;", "Illegal address: a group is not one mailbox"),
        ("a@b.example; c@d.example", "Illegal semicolon, not in group"),
        ("Name <a@b.example", "Missing '>'"),
        ("a@b.example>", "Missing '<'"),
        ("<a@b.example> <c@d.example>", "Extra route-addr"),
        ("<@x.example:a@b.example>", "Illegal route-addr"),
        ("a@b@c.example", "Local address contains illegal character"),
        ('"abc <a@b.example>', "Missing '\"'"),
        ("(abc <a@b.example>", "Missing ')'"),
        ("a\\b@c.example", "Illegal character '\\\\' in address"),
        (f"{'x' * 65}@c.example", "Local address is longer than 64 octets"),
        (f"a@{'x.' * 130}example", "Domain is longer than 253 octets"),
        (f"{'x' * 64}@{'y.' * 95}example", "Address is longer than 254 octets"),
        (f"a@{'x' * 64}.example", "Domain contains illegal character"),
        ("=?utf-8?q?a=07?= <a@b.example>", "Display name contains control characters"),
    ],
)
def test_refuses_with_the_text_of_ses(text: str, error: str) -> None:
    """One clear fault for each; nothing that could break a header or a command passes."""
    with pytest.raises(AddressError) as caught:
        parse_mailbox(text)
    assert error == str(caught.value)


def test_reads_lists_and_groups() -> None:
    """A header field's value: folded, with groups, empty places and comments."""
    found = parse_mailbox_list('a@b.example, Team: x@y.example,\r\n Q <q@q.example>;, "w, e" <w@e.example> (c), ,')
    assert [each.address for each in found] == ["a@b.example", "x@y.example", "q@q.example", "w@e.example"]
    assert parse_mailbox_list("undisclosed-recipients:;") == ()
    assert parse_mailbox_list("") == ()


def test_canonical_and_domain() -> None:
    """The local part keeps its case, the domain does not."""
    assert canonical("Ana <Ana@EXAMPLE.com>") == "Ana@example.com"
    assert domain_of("Ana@EXAMPLE.com") == "example.com"


def test_domains_around_a_domain() -> None:
    """The nearest first; a top-level domain encloses nothing that may send, and stands for itself alone."""
    assert ("a.b.example", "b.example") == enclosing_domains("a.b.example")
    assert ("localhost",) == enclosing_domains("localhost")


@given(ADDRESS)
def test_plain_addresses_are_kept(address: str) -> None:
    """The fast path and the full parser agree, and both agree with the standard library."""
    local, _, domain = address.rpartition("@")
    assert Mailbox(display="", local=local, domain=domain) == parse_mailbox(address) == parse_mailbox(f"<{address}>")
    assert ("", address) == email.utils.parseaddr(address)


@given(NAME, ADDRESS)
def test_written_display_forms_are_read_back(name: str, address: str) -> None:
    """What the standard library writes as a display form is read as it was meant."""
    tidy = " ".join(name.split())
    text = f'"{email.utils.quote(tidy)}" <{address}>'
    assert (email.utils.parseaddr(text)[0], address) == (parse_mailbox(text).display, parse_mailbox(text).address)


@given(st.lists(st.tuples(NAME, ADDRESS), max_size=5))
def test_lists_agree_with_the_standard_library(pairs: list[tuple[str, str]]) -> None:
    """Lists of display forms, as header fields have them."""
    text = ", ".join(f'"{email.utils.quote(" ".join(name.split()))}" <{address}>' for name, address in pairs)
    assert [address for _, address in email.utils.getaddresses([text]) if address] == [
        each.address for each in parse_mailbox_list(text)
    ]


@settings(max_examples=300)
@given(st.text('ab@.<>(),;:\\"[] \t\r\n\x00ü=?', max_size=25) | st.text(max_size=25))
def test_any_text_is_an_address_or_an_address_error(text: str) -> None:
    """Hostile text never raises anything else, and what passes is fit for the wire."""
    try:
        mailbox = parse_mailbox(text)
    except AddressError:
        return
    assert mailbox.address.isascii()
    assert mailbox == Mailbox(display=mailbox.display, local=mailbox.local, domain=domain_of(mailbox.address))
    assert not any(ord(each) < 32 or ord(each) == 127 for each in mailbox.local + mailbox.domain)
    assert "\n" not in mailbox.display


@pytest.mark.parametrize("parse", [parse_mailbox, parse_mailbox_list])
def test_texts_of_absurd_length_are_not_read(parse: Callable[[str], object]) -> None:
    """A megabyte of addresses would take a second each time."""
    with pytest.raises(AddressError, match=r"^Illegal address: 100000 characters; at most 65536 are allowed$"):
        parse("a@b.example," * 8_333 + "a@b.")
