"""Refusals: SES's error for each fault, and what the ledger keeps of them."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.accept.accepting import ACCOUNT, POLICY, SIMPLE, START, World, client, over_smtp, raw, request, templated
from waybill.accept.refusal import refusal_of
from waybill.accept.request import SendRequest, SimpleContent, TemplateContent
from waybill.accept.tags import check_tags, parse_tag_header
from waybill.model.cause import Cause
from waybill.model.event import EventKind, Refused
from waybill.model.message import Source, Status
from waybill.model.refusal import Rejected
from waybill.model.resource import Verification
from waybill.store.protocol import Search

_FROM = "From: alice@sender.test"
_NOT_VERIFIED = "Email address is not verified. The following identities failed the check in region US-EAST-1: "


@pytest.mark.parametrize(
    ("sent", "code", "code_v1", "text", "cause"),
    [
        (
            request(to=("no-domain",)),
            "BadRequestException",
            "InvalidParameterValue",
            "Missing final '@domain'",
            Cause.ADDRESS_INVALID,
        ),
        (
            request(to=("a@b.test", "x@")),
            "BadRequestException",
            "InvalidParameterValue",
            "Missing domain",
            Cause.ADDRESS_INVALID,
        ),
        (
            request(reply_to=("x@",)),
            "BadRequestException",
            "InvalidParameterValue",
            "Missing domain",
            Cause.ADDRESS_INVALID,
        ),
        (
            request(sender="alice@"),
            "BadRequestException",
            "InvalidParameterValue",
            "Missing domain",
            Cause.SENDER_INVALID,
        ),
        (
            raw("From: alice@sender.test\nTo: b@r.test, c@"),
            "BadRequestException",
            "InvalidParameterValue",
            "Missing domain",
            Cause.ADDRESS_INVALID,
        ),
        (
            request(headers=(("Bcc", "hidden@r.test"),)),
            "BadRequestException",
            "InvalidParameterValue",
            "Header 'Bcc' cannot be given as a custom header; it is made from the other parameters.",
            Cause.CONTENT_MALFORMED,
        ),
        (
            request(headers=(("X-Own", "a\r\nBcc: hidden@r.test"),)),
            "BadRequestException",
            "InvalidParameterValue",
            "'X-Own' holds a carriage return at character 2; none is allowed.",
            Cause.CONTENT_MALFORMED,
        ),
        (
            request(content=SimpleContent(subject="a\nBcc: hidden@r.test", text="x", html=None)),
            "BadRequestException",
            "InvalidParameterValue",
            "'Subject' holds a line feed at character 2; none is allowed.",
            Cause.CONTENT_MALFORMED,
        ),
        (
            request(to=()),
            "BadRequestException",
            "InvalidParameterValue",
            "There are no recipients specified",
            Cause.ADDRESS_INVALID,
        ),
        (
            request(bcc=tuple(f"a{number}@r.test" for number in range(50))),
            "BadRequestException",
            "InvalidParameterValue",
            "Recipient count exceeds 50.",
            Cause.TOO_MANY_RECIPIENTS,
        ),
        (
            request(sender=None),
            "BadRequestException",
            "InvalidParameterValue",
            "Missing required parameter 'FromEmailAddress'.",
            Cause.CONTENT_MALFORMED,
        ),
        (
            raw("To: b@r.test"),
            "BadRequestException",
            "InvalidParameterValue",
            "Missing required header 'From'.",
            Cause.CONTENT_MALFORMED,
        ),
        (
            raw(f"{_FROM}\nFrom: eve@other.test\nTo: b@r.test"),
            "BadRequestException",
            "InvalidParameterValue",
            "Duplicate header 'From'.",
            Cause.CONTENT_MALFORMED,
        ),
        (
            request(content=SimpleContent(subject="x", text=None, html=None)),
            "BadRequestException",
            "InvalidParameterValue",
            "Either Text or Html must be specified in Body.",
            Cause.CONTENT_MALFORMED,
        ),
        (
            request(configuration_set="nope"),
            "NotFoundException",
            "ConfigurationSetDoesNotExist",
            "Configuration set <nope> does not exist.",
            Cause.CONTENT_MALFORMED,
        ),
        (
            templated("nope", "{}"),
            "NotFoundException",
            "TemplateDoesNotExist",
            "Template nope does not exist.",
            Cause.TEMPLATE_SYNTAX_ERROR,
        ),
        (
            request(content=TemplateContent(name=None, data="{}", subject="{{#if a}}x{{/if}}", text="x")),
            "BadRequestException",
            "BadRequestException",
            "Template contains unsupported operations.",
            Cause.TEMPLATE_SYNTAX_ERROR,
        ),
        (
            request(tags=(("a b", "c"),)),
            "BadRequestException",
            "InvalidParameterValue",
            "Invalid tag name <a b>: only alphanumeric ASCII characters, '_',  '-' are allowed.",
            Cause.CONTENT_MALFORMED,
        ),
        (
            request(sender="Eve <eve@other.test>"),
            "MessageRejected",
            "MessageRejected",
            f"{_NOT_VERIFIED}Eve <eve@other.test>",
            Cause.IDENTITY_NOT_VERIFIED,
        ),
        (
            request(client=client(account="999999999999")),
            "AccountSuspendedException",
            "AccountSuspendedException",
            "Account 999999999999 does not exist in this installation.",
            Cause.SENDING_PAUSED,
        ),
    ],
)
async def test_ses_errors(world: World, sent: SendRequest, code: str, code_v1: str, text: str, cause: Cause) -> None:
    """Code, v1's code and the words, and the refusal is in the ledger under its request id."""
    refusal = await world.refuse(sent)
    assert (code, code_v1, text, cause) == (refusal.code, refusal.code_v1, refusal.text, refusal.cause)
    ledger = await world.store.ledger("request-1")
    assert ledger is not None
    assert [EventKind.REFUSED] == [event.kind for event in ledger.events]
    fact = ledger.events[0].fact
    assert isinstance(fact, Refused)
    assert (code, text, cause) == (fact.code, fact.text, fact.cause)
    assert {(Status.REFUSED, cause)} == {(delivery.status, delivery.cause) for delivery in ledger.deliveries}
    assert [] == world.desk.taken


@pytest.mark.parametrize(
    ("sent", "failing"),
    [
        (raw("From: B <b@other.test>\nTo: x@r.test"), "B <b@other.test>"),
        (raw(f"{_FROM}, eve@other.test\nTo: x@r.test"), "alice@sender.test, eve@other.test"),
        (raw(f"{_FROM}\nSender: eve@other.test\nTo: x@r.test"), "eve@other.test"),
        (raw(f"{_FROM}\nReturn-Path: <eve@other.test>\nTo: x@r.test"), "<eve@other.test>"),
        (raw(f"{_FROM}\nTo: x@r.test", sender="eve@other.test"), "eve@other.test"),
        (request(return_path="eve@other.test"), "eve@other.test"),
        (request(headers=(("sender", "eve@other.test"),)), "eve@other.test"),
        (raw("From: =?utf-8?q?alice=40sender.test=2C?= <eve@other.test>\nTo: x@r.test"), None),
        (raw("From: =?utf-8?q?alice=40sender.test?= <eve@other.test>\nTo: x@r.test"), None),
        (raw('From: "alice@sender.test" <eve@other.test>\nTo: x@r.test'), None),
        (raw("From: eve@other.test (alice@sender.test)\nTo: x@r.test"), None),
        (raw("From: eve@notsender.test\nTo: x@r.test"), "eve@notsender.test"),
    ],
)
async def test_every_claimed_sender_is_checked(world: World, sent: SendRequest, failing: str | None) -> None:
    """From with all its mailboxes, Sender, the envelope's sender and the return path; a display name is no address."""
    refusal = await world.refuse(sent)
    assert "MessageRejected" == refusal.code
    assert "eve@" in refusal.text or "b@other.test" in refusal.text
    if failing is not None:
        assert f"{_NOT_VERIFIED}{failing}" == refusal.text


async def test_an_smtp_refusal_is_a_reply(world: World) -> None:
    """The ledger keeps the reply that the client got."""
    refusal = await world.refuse(over_smtp("From: eve@other.test", "b@r.test"))
    assert f"554 Message rejected: {_NOT_VERIFIED}eve@other.test" == refusal.smtp
    ledger = await world.store.ledger("request-1")
    assert ledger is not None
    fact = ledger.events[0].fact
    assert isinstance(fact, Refused)
    assert ("554", refusal.smtp) == (fact.code, fact.text)
    assert (("b@r.test",), "eve@other.test", Source.SMTP) == (
        ledger.message.destination,
        ledger.message.sender,
        ledger.message.source,
    )


@pytest.mark.parametrize(
    "sent",
    [
        request(sender="Eve <eve@other.test>", to=("Bob <bob@R.test>",)),
        raw("From: Eve <eve@other.test>\nTo: Bob <bob@R.test>\nSubject: Hello"),
    ],
)
async def test_a_refusal_is_found_by_its_addresses(world: World, sent: SendRequest) -> None:
    """By the bare recipient and the bare sender, also where only the header names them."""
    await world.refuse(sent)
    for search in (Search(recipient="bob@r.test"), Search(sender="eve@other.test"), Search(status=Status.REFUSED)):
        assert ["request-1"] == [found.message.id for found in await world.store.find(search)]
    ledger = await world.store.ledger("request-1")
    assert ledger is not None
    assert ("Hello", ("bob@r.test",)) == (ledger.message.subject, ledger.message.destination)


async def test_refusals_of_one_request_have_their_own_keys(world: World) -> None:
    """A bulk call, and a client that uses a request id again."""
    sent = [request(sender="eve@other.test", to=(f"b{number}@r.test",), entry=number) for number in (1, 2, 3)]
    acceptor = world.acceptor
    answers = await asyncio.gather(*(acceptor.accept(each) for each in sent), return_exceptions=True)
    assert [True] * 3 == [isinstance(answer, Rejected) for answer in answers]
    await world.refuse(sent[0])
    found = await world.store.find(Search(status=Status.REFUSED))
    assert {
        ("request-1", "b1@r.test"),
        ("request-1-2", "b2@r.test"),
        ("request-1-3", "b3@r.test"),
        ("request-1-4", "b1@r.test"),
    } == {(hit.message.id, hit.delivery.recipient) for hit in found}
    assert {"request-1"} == {hit.message.request_id for hit in found}


async def test_a_refusal_counts_for_nothing(world: World) -> None:
    """Neither quota nor statistics."""
    await world.refuse(request(sender="eve@other.test"))
    assert 0 == await world.store.sent(ACCOUNT, 0)
    assert [] == await world.store.statistics(ACCOUNT, 0)


async def test_a_stale_default_configuration_set_is_a_bad_request(world: World) -> None:
    """The client did not name it."""
    await world.identity("sender.test", configuration_set="gone")
    refusal = await world.refuse(request())
    assert ("BadRequestException", "ConfigurationSetDoesNotExist") == (refusal.code, refusal.code_v1)


async def test_a_required_mail_from_domain_must_be_verified(world: World) -> None:
    """SES's REJECT_MESSAGE."""
    await world.identity("sender.test", mail_from_domain="m.sender.test", mail_from_required=True)
    refusal = await world.refuse(request())
    assert ("MailFromDomainNotVerifiedException", "Mail FROM domain is not verified", Cause.MAIL_FROM_NOT_VERIFIED) == (
        refusal.code,
        refusal.text,
        refusal.cause,
    )


async def test_the_sandbox_takes_verified_recipients_and_the_simulator(world: World) -> None:
    """Others are refused like senders."""
    await world.account(production_access=False)
    await world.accept(request(to=("bob@sender.test", "bounce+1@simulator.amazonses.com")))
    refusal = await world.refuse(request(to=("bob@sender.test", "c@r.test")))
    assert f"{_NOT_VERIFIED}c@r.test" == refusal.text


async def test_every_sender_is_accepted_where_the_settings_say_so(world: World) -> None:
    """Without any identity; a known one still counts."""
    world.policy = replace(POLICY, every_sender=True)
    assert None is (await world.accept(request(sender="eve@other.test"))).message.identity
    assert "sender.test" == (await world.accept(request())).message.identity


@pytest.mark.parametrize(
    ("sender", "identity"),
    [
        ("a@sender.test", "a@sender.test"),
        ("b@sender.test", "sender.test"),
        ("c@mail.sender.test", "sender.test"),
        ("c@own.sender.test", "own.sender.test"),
        ("c@waits.sender.test", "sender.test"),
        ("A@sender.test", "sender.test"),
    ],
)
async def test_the_nearest_verified_identity_stands_for_a_sender(world: World, sender: str, identity: str) -> None:
    """The address, its domain, a parent domain; one that is not verified does not stand in the way."""
    await world.identity("a@sender.test")
    await world.identity("own.sender.test")
    await world.identity("waits.sender.test", verification=Verification.PENDING)
    assert identity == (await world.accept(request(sender=sender))).message.identity


async def test_a_top_level_domain_vouches_for_nobody(world: World) -> None:
    """The walk up to the parents ends at two labels."""
    await world.identity("test")
    assert "MessageRejected" == (await world.refuse(request(sender="eve@other.test"))).code


async def test_a_long_list_of_senders_is_cut(world: World) -> None:
    """SES writes three dots."""
    header = ", ".join(f"e{number}@other.test" for number in range(12))
    refusal = await world.refuse(raw(f"From: {header}\nTo: x@r.test"))
    assert f"{_NOT_VERIFIED}{header}" == refusal.text
    refusal = await world.refuse(raw(f"From: {header}, {header}, {header}\nTo: x@r.test"))
    assert refusal.text.endswith("...")
    assert len(refusal.text) <= len(_NOT_VERIFIED) + 403


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("", "x", "The tag name must be specified."),
        ("x", "", "The tag value must be specified."),
        ("x" * 256, "y", "Tag name cannot exceed 255 characters."),
        ("x", "y" * 256, "Tag value cannot exceed 255 characters."),
        ("ü", "y", "Invalid tag name <ü>: only alphanumeric ASCII characters, '_',  '-' are allowed."),
        (
            "x",
            "a b",
            "Invalid tag value <a b>: only alphanumeric ASCII characters, '_',  '-' , '.', '@' are allowed.",
        ),
    ],
)
def test_tag_rules(name: str, value: str, text: str) -> None:
    """SES's words, to the double space."""
    with pytest.raises(Rejected) as caught:
        check_tags([(name, value)])
    assert text == caught.value.text


def test_tags_that_are_allowed() -> None:
    """The reserved prefix, and the characters of an address in a value."""
    assert {"ses:x": "a.b@c-d_e", "y-1": "2"} == check_tags([("ses:x", "a.b@c-d_e"), ("y-1", "2")])


@given(st.text(max_size=200))
def test_a_tag_header_is_read_or_refused(value: str) -> None:
    """Names and values are stripped, nothing is lost."""
    parts = [part for part in value.split(",") if part.strip()]
    if all("=" in part for part in parts):
        tags = parse_tag_header(value)
        assert len(parts) == len(tags)
        assert all(text == text.strip() for pair in tags for text in pair)
    else:
        with pytest.raises(Rejected, match=r"Expected '=', got 'null'"):
            parse_tag_header(value)


_SURROGATES_TOO = st.text(st.characters(exclude_categories=()), max_size=60)


@settings(max_examples=60)
@given(sender=st.none() | _SURROGATES_TOO, to=st.lists(_SURROGATES_TOO, max_size=4))
def test_a_refusal_is_made_of_anything(sender: str | None, to: list[str]) -> None:
    """At least one delivery, none twice, and every text bounded."""
    refusal = Rejected("no", code="MessageRejected", cause=Cause.SENDER_INVALID)
    changes: dict[str, Any] = {"sender": sender, "to": tuple(to), "content": SIMPLE}
    acceptance = refusal_of(request(**changes), refusal, None, key="k", at=START)
    recipients = [delivery.recipient for delivery in acceptance.deliveries]
    assert 1 <= len(recipients) == len(set(recipients))


async def test_an_envelope_sender_makes_no_from_field(world: World) -> None:
    """A message over SMTP (or v1's SendRawEmail) without From is refused, although MAIL FROM (Source) is known."""
    with pytest.raises(Rejected, match="Missing required header 'From'"):
        await world.accept(over_smtp("To: b@r.test", "b@r.test"))
