"""Accepting: the id, what is written with it, and who gets the lease."""

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.accept.accepting import ACCOUNT, POLICY, SIMPLE, START, World, client, over_smtp, raw, request, templated
from waybill.accept.acceptance import HEADERS_KEPT, kept_headers
from waybill.accept.content import LARGEST_V1
from waybill.accept.refusal import refusal_id
from waybill.accept.request import Attachment, RawContent, SendRequest, SimpleContent, TemplateContent
from waybill.mail.malware import _EICAR as EICAR
from waybill.model.cause import Cause
from waybill.model.clock import DAY, HOUR, SECOND
from waybill.model.event import EventKind, MalwareFound, RenderingFailed
from waybill.model.message import Source, Status, message_id_instant
from waybill.model.refusal import Rejected
from waybill.model.resource import Pause, Verification
from waybill.store.sqlite import open_sqlite


async def test_the_id_is_ses_shaped_and_carries_the_accept_time(world: World) -> None:
    """0100, the milliseconds in hex, a UUID, -000000."""
    message_id = await world.acceptor.accept(request())
    assert START == message_id_instant(message_id)
    assert [4 + 12, 8, 4, 4, 4, 12, 6] == [len(part) for part in message_id.split("-")]
    assert message_id.startswith("0100")


async def test_the_message_is_written_whole(world: World) -> None:
    """Who asked from where, the sender's identity, the recipients, the header fields without Bcc."""
    ledger = await world.accept(
        request(
            to=("Bob <bob@Receiver.TEST>",),
            cc=("carol@receiver.test",),
            bcc=("dan@receiver.test", "bob@receiver.test"),
            tags=(("campaign", "autumn"),),
            return_path="bounces@sender.test",
        )
    )
    message = ledger.message
    recipients = ("bob@receiver.test", "carol@receiver.test", "dan@receiver.test")
    assert recipients == message.destination
    assert recipients == tuple(delivery.recipient for delivery in ledger.deliveries)
    assert {(Status.QUEUED, None, START + 14 * HOUR)} == {
        (delivery.status, delivery.cause, delivery.expires_at) for delivery in ledger.deliveries
    }
    assert [EventKind.ACCEPTED] == [event.kind for event in ledger.events]
    assert ("alice@sender.test", "Alice <alice@sender.test>", "sender.test") == (
        message.sender,
        message.source_header,
        message.identity,
    )
    assert ("SendEmail", "192.0.2.1", "AKIATEST", START - 2, START - 1) == (
        message.operation,
        message.client_ip,
        message.caller,
        message.client_started_at,
        message.received_at,
    )
    assert {"campaign": "autumn"} == message.tags
    assert "bounces@sender.test" == message.feedback_to
    names = [name for name, _ in message.headers]
    assert "Bcc" not in names
    assert {"From", "To", "Cc", "Subject", "Date", "Message-ID"} <= set(names)
    assert f"<{message.id}@bounce.test>" == dict(message.headers)["Message-ID"]
    assert b"dan@receiver.test" not in world.desk.taken[0].content


async def test_accepted_deliveries_are_handed_over_under_a_lease(world: World) -> None:
    """One claim for each recipient, leased to this worker for the policy's time."""
    await world.accept(request(to=("a@receiver.test", "b@receiver.test")))
    assert ["a@receiver.test", "b@receiver.test"] == [claim.delivery.recipient for claim in world.desk.taken]
    assert {("w1", START + 30 * SECOND)} == {
        (claim.delivery.lease_owner, claim.delivery.lease_until) for claim in world.desk.taken
    }


async def test_a_full_worker_leaves_the_delivery_to_others(world: World) -> None:
    """Without a lease it can be claimed at once."""
    world.desk.open = False
    await world.accept(request())
    assert [] == world.desk.taken
    claims = await world.store.claim("w2", START, limit=10, lease_until=START + 1)
    assert ["bob@receiver.test"] == [claim.delivery.recipient for claim in claims]


async def test_the_id_is_given_after_the_commit(world: World, tmp_path: Path) -> None:
    """Another process finds the message at once."""
    message_id = await world.acceptor.accept(request())
    other = await open_sqlite(tmp_path / "waybill.db", clock=lambda: START)
    try:
        assert await other.ledger(message_id) is not None
    finally:
        await other.close()


async def test_a_missing_variable_fails_after_the_id(world: World) -> None:
    """Rendering fails with its event; no content is kept and nothing is handed over."""
    await world.template("welcome")
    ledger = await world.accept(templated("welcome", '{"nam": "Bob"}', to=("a@b.test", "c@d.test")))
    assert [EventKind.ACCEPTED, EventKind.RENDERING_FAILED] == [event.kind for event in ledger.events]
    fact = ledger.events[1].fact
    assert isinstance(fact, RenderingFailed)
    assert ("Attribute 'name' is not present in the rendering data.", "subject", "name", "welcome", 3) == (
        fact.error,
        fact.part,
        fact.variable,
        fact.template,
        fact.template_version,
    )
    assert [(Status.RENDERING_FAILED, Cause.TEMPLATE_VARIABLE_MISSING)] * 2 == [
        (delivery.status, delivery.cause) for delivery in ledger.deliveries
    ]
    assert [] == world.desk.taken


@pytest.mark.parametrize(
    ("data", "cause", "part"),
    [
        ('{"name": ', Cause.TEMPLATE_DATA_INVALID, None),
        ('{"name": "a\\nBcc: x@y.test"}', Cause.TEMPLATE_DATA_INVALID, "subject"),
        ("[1]", Cause.TEMPLATE_DATA_INVALID, None),
    ],
)
async def test_bad_data_fails_after_the_id(world: World, data: str, cause: Cause, part: str | None) -> None:
    """Broken JSON, a line break in the subject, data that is no object."""
    await world.template("welcome")
    ledger = await world.accept(templated("welcome", data))
    fact = ledger.events[1].fact
    assert isinstance(fact, RenderingFailed)
    assert (cause, part) == (fact.cause, fact.part)


async def test_bulk_data_is_laid_over_the_defaults(world: World) -> None:
    """A destination's replacement data wins."""
    await world.template("welcome")
    content = TemplateContent(name="welcome", data='{"name": "Bob"}', defaults='{"name": "you", "x": 1}')
    ledger = await world.accept(request(content=content))
    assert ("Hi Bob", "welcome", 3) == (
        ledger.message.subject,
        ledger.message.template,
        ledger.message.template_version,
    )


async def test_malware_is_rejected_after_the_id(world: World) -> None:
    """The EICAR file: accepted, then rejected for every recipient, and not sent."""
    ledger = await world.accept(request(content=SimpleContent(subject="x", text=EICAR.decode(), html=None)))
    assert [EventKind.ACCEPTED, EventKind.REJECTED] == [event.kind for event in ledger.events]
    fact = ledger.events[1].fact
    assert isinstance(fact, MalwareFound)
    assert "Bad content" == fact.reason
    assert [(Status.REJECTED, Cause.VIRUS_DETECTED)] == [(d.status, d.cause) for d in ledger.deliveries]
    assert [] == world.desk.taken


@pytest.mark.parametrize("content", [b"hello", EICAR])
async def test_files_that_ses_refuses(world: World, content: bytes) -> None:
    """An attachment of a type that runs is refused at once, unless it is malware, which fails after the id."""
    attachment = Attachment(file_name="eicar.com", content=content)
    sent = request(content=SimpleContent(subject="x", text="x", html=None, attachments=(attachment,)))
    if content == EICAR:
        assert Status.REJECTED is (await world.accept(sent)).deliveries[0].status
    else:
        refusal = await world.refuse(sent)
        assert ("BadRequestException", "InvalidParameterValue", "Illegal filename 'eicar.com'.") == (
            refusal.code,
            refusal.code_v1,
            refusal.text,
        )


async def test_the_sender_of_v2_replaces_the_from_of_a_raw_message(world: World) -> None:
    """The identity of FromEmailAddress counts, and the From field that goes out is it; Source of v1 is only checked."""
    message = "From: mallory@elsewhere.test\nTo: b@r.test"
    ledger = await world.accept(raw(message, sender="alice@sender.test", reply_to=("r@r.test",)))
    assert "alice@sender.test" == ledger.message.source_header
    assert b"From: alice@sender.test\r\nTo: b@r.test\r\n" in world.desk.taken[0].content
    assert b"Reply-To: r@r.test\r\n" in world.desk.taken[0].content
    by_v1 = client(operation="SendRawEmail", request_id="request-2", api_version=1)
    refusal = await world.refuse(raw(message, sender="alice@sender.test", client=by_v1))
    assert "MessageRejected" == refusal.code


@pytest.mark.parametrize(("seconds", "lifetime"), [(300, 300 * SECOND), (50_400, 14 * HOUR), (100_000, 14 * HOUR)])
async def test_max_delivery_seconds_shortens_the_life(world: World, seconds: int, lifetime: int) -> None:
    """It never lengthens what the installation allows."""
    await world.configuration_set("quick", max_delivery_seconds=seconds)
    ledger = await world.accept(request(configuration_set="quick"))
    assert START + lifetime == ledger.deliveries[0].expires_at


async def test_a_verified_mail_from_domain_makes_the_return_path(world: World) -> None:
    """One that is not verified does not."""
    await world.identity("sender.test", mail_from_domain="m.sender.test", mail_from_verification=Verification.SUCCESS)
    assert "m.sender.test" == (await world.accept(request())).message.mail_from
    await world.identity("sender.test", mail_from_domain="m.sender.test")
    assert None is (await world.accept(request())).message.mail_from


async def test_a_raw_message_gives_its_own_recipients(world: World) -> None:
    """To, Cc and Bcc; the Bcc field does not go out."""
    ledger = await world.accept(
        raw(
            "From: alice@sender.test\nTo: Bob <b@r.test>, c@r.test\nCc: d@r.test\nBcc: e@r.test\n"
            "X-SES-Configuration-Set: \nReturn-Path: <back@sender.test>\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?="
        )
    )
    assert ("b@r.test", "c@r.test", "d@r.test", "e@r.test") == ledger.message.destination
    assert ("Grüße", "<back@sender.test>") == (ledger.message.subject, ledger.message.feedback_to)
    sent = world.desk.taken[0].content
    for absent in (b"e@r.test", b"X-SES", b"Return-Path", b"Bcc"):
        assert absent not in sent


async def test_the_destination_wins_over_the_raw_header(world: World) -> None:
    """Where the API names recipients, the header's are only shown."""
    ledger = await world.accept(raw("From: alice@sender.test\nTo: shown@r.test", to=("real@r.test",)))
    assert ("real@r.test",) == ledger.message.destination


async def test_smtp_delivers_to_its_envelope(world: World) -> None:
    """The header's addresses are not looked at."""
    ledger = await world.accept(over_smtp("From: alice@sender.test\nTo: shown@r.test", "real@r.test"))
    assert (("real@r.test",), Source.SMTP) == (ledger.message.destination, ledger.message.source)


@pytest.mark.parametrize(
    ("explicit", "header", "default", "expected"),
    [
        ("one", "two", "three", "one"),
        (None, "two", "three", "two"),
        (" ", " two ", "three", "two"),
        (None, "", "three", "three"),
        (None, "", None, None),
    ],
)
async def test_which_configuration_set(
    world: World, explicit: str | None, header: str, default: str | None, expected: str | None
) -> None:
    """The parameter, else the header, else the identity's default; blank is absent."""
    for name in ("one", "two", "three"):
        await world.configuration_set(name)
    await world.identity("sender.test", configuration_set=default)
    ledger = await world.accept(
        raw(
            f"From: alice@sender.test\nTo: b@r.test\nX-SES-CONFIGURATION-SET: {header}",
            configuration_set=explicit,
        )
    )
    assert expected == ledger.message.configuration_set


async def test_tags_of_the_header_count_where_the_request_has_none(world: World) -> None:
    """They are not merged, and a bad header does not matter where it is not asked."""
    header = "From: alice@sender.test\nTo: b@r.test\nX-SES-MESSAGE-TAGS: a=b, c=d"
    assert {"a": "b", "c": "d"} == (await world.accept(raw(header))).message.tags
    own = await world.accept(raw(f"{header}, bad", tags=(("x", "y"),)))
    assert {"x": "y"} == own.message.tags


async def test_the_limit_of_v1_is_not_that_of_smtp(world: World) -> None:
    """10 MB through v1, whatever the operation; 40 MB over SMTP and through v2's SendEmail."""
    header, body = "From: alice@sender.test\nTo: b@r.test", ("x" * 76 + "\r\n") * (LARGEST_V1 // 78 + 1)
    v1 = client(operation="SendEmail", api_version=1)
    for number, sent in enumerate(
        (raw(header, body), request(content=SimpleContent(subject="", text=body, html=None)))
    ):
        refusal = await world.refuse(replace(sent, client=replace(v1, request_id=f"request-{number}")))
        assert (Cause.MESSAGE_TOO_LARGE, "InvalidParameterValue") == (refusal.cause, refusal.code_v1)
        assert refusal.text.startswith("Message length is more than 10485760 bytes long: '1048")
        await world.accept(sent)
    await world.accept(over_smtp(header, "b@r.test", content=RawContent(data=f"{header}\n\n{body}".encode())))


async def test_limits_of_the_account(world: World) -> None:
    """Recipients are counted; the refusal says which limit it was, as SES does, and when there is room again."""
    await world.account(max_24_hour_send=3)
    await world.accept(request(to=("a@r.test", "b@r.test")))
    refusal = await world.refuse(request(to=("c@r.test", "d@r.test")))
    assert ("LimitExceededException", "Throttling", "Daily message quota exceeded.", Cause.QUOTA_EXCEEDED) == (
        refusal.code,
        refusal.code_v1,
        refusal.text,
        refusal.cause,
    )
    assert "454 Throttling failure: Daily message quota exceeded" == refusal.smtp
    assert ("3", "2") == (refusal.detail["limit"], refusal.detail["sent"])
    assert 2 == await world.store.sent(ACCOUNT, START - DAY)
    await world.accept(request(to=("success@simulator.amazonses.com",) * 5))


async def test_the_rate_of_the_installation(world: World) -> None:
    """It holds for accounts that have none of their own."""
    world.policy = replace(POLICY, default_max_send_rate=1)
    await world.accept(request())
    refusal = await world.refuse(request())
    assert ("TooManyRequestsException", "Maximum sending rate exceeded.", Cause.SENDING_RATE_EXCEEDED) == (
        refusal.code,
        refusal.text,
        refusal.cause,
    )
    await world.account(max_send_rate=0)
    await world.accept(request())


async def test_paused_sending_is_refused(world: World) -> None:
    """By the operator, by a rule, and for a configuration set."""
    await world.account(paused=Pause(by="operator", reason="tests", at=START))
    refusal = await world.refuse(request())
    assert ("SendingPausedException", "AccountSendingPausedException", "Account sending is disabled.") == (
        refusal.code,
        refusal.code_v1,
        refusal.text,
    )
    await world.account(paused=Pause(by="rule:complaints", reason="tests", at=START))
    assert (await world.refuse(request())).text.startswith("Sending paused for this account.")
    await world.account()
    await world.configuration_set("off", sending_enabled=False)
    refusal = await world.refuse(request(configuration_set="off"))
    assert ("ConfigurationSetSendingPausedException", Cause.SENDING_PAUSED) == (refusal.code_v1, refusal.cause)


@given(st.lists(st.tuples(st.text(max_size=30), st.text(max_size=3_000)), max_size=12))
def test_kept_headers_are_a_bounded_beginning(headers: list[tuple[str, str]]) -> None:
    """Whole fields from the start, never more than SES keeps, and it says whether some are missing."""
    kept, truncated = kept_headers(headers)
    assert tuple(headers[: len(kept)]) == kept
    assert sum(len(name) + len(value) + 4 for name, value in kept) < HEADERS_KEPT
    assert truncated == (len(kept) < len(headers))


_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)  # halves of surrogate pairs too: JSON can hold them


@settings(max_examples=40, deadline=None)
@given(
    subject=_TEXT,
    text=_TEXT,
    sender=_TEXT | st.just("alice@sender.test"),
    to=st.lists(_TEXT | st.just("b@r.test"), max_size=3),
    data=st.binary(max_size=200),
)
def test_hostile_requests_are_accepted_or_refused(
    subject: str, text: str, sender: str, to: list[str], data: bytes
) -> None:
    """Whatever is in them, there is a message or a refusal in the ledger, never a crash."""
    contents = (
        SimpleContent(subject=subject, text=text, html=text),
        TemplateContent(name=None, data=text, subject=subject, text=text),
        RawContent(data=data),
        RawContent(data=b"From: alice@sender.test\nTo: b@r.test\n" + data),
    )
    requests = [
        request(content=content, sender=sender, to=tuple(to), entry=number)
        for number, content in enumerate(contents, 1)
    ]
    asyncio.run(_take_all(requests))


async def _take_all(requests: list[SendRequest]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = await open_sqlite(Path(folder) / "w.db", clock=lambda: START)
        world = World(store)
        await world.account()
        await world.identity("sender.test")
        for sent in requests:
            try:
                key = await world.acceptor.accept(sent)
            except Rejected:
                key = refusal_id(sent, sent.entry)
            assert await store.ledger(key) is not None
        await store.close()


async def test_simple_content_is_what_goes_out(world: World) -> None:
    """Subject and text as given, From with its display name."""
    await world.accept(request(content=replace(SIMPLE, text="Grüße")))
    content = world.desk.taken[0].content
    assert content.startswith(b"From: Alice <alice@sender.test>\r\nTo: bob@receiver.test\r\nSubject: Hello\r\n")
