"""What the AWS account alone knows, asked over its own API, and named where it could not be asked."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.watch import events
from tests.watch.aws_lab import AwsLab
from waybill.explain.amazon_commands import GET_ACCOUNT, GET_IDENTITY, GET_INSIGHTS, GET_SUPPRESSED
from waybill.model.amazon import AmazonAsked
from waybill.model.clock import now
from waybill.store.protocol import Ledger, Store
from waybill.store.sqlite import open_sqlite
from waybill.watch.ask import ask_about
from waybill.watch.aws import NotAsked, _in_words, aws_client
from waybill.watch.read import read_report


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await open_sqlite(tmp_path / "waybill.db", clock=now)
    yield store
    await store.close()


async def ledger_of(store: Store, **changes: str) -> Ledger:
    await store.take_in([read_report(events.bounce() | {"mail": events.mail(**changes)})])
    ledger = await store.ledger(events.MESSAGE_ID)
    assert ledger is not None
    return ledger


async def answers(ledger: Ledger) -> dict[str, AmazonAsked]:
    told = await asyncio.to_thread(ask_about, ledger, aws_client("eu-west-1"), now())
    return {event.fact.api: event.fact for event in told.events if isinstance(event.fact, AmazonAsked)}


async def test_what_the_account_knows(store: Store, aws: AwsLab) -> None:
    """The list's entry with reason, date and message, the account, the identity; what has no answer says why."""
    told = await answers(await ledger_of(store))
    entry = told[GET_SUPPRESSED]
    assert "list entry: reason BOUNCE, added 2026-10-02 08:00:00 UTC by message 010201a0f0000000-" in entry.text
    assert "BOUNCE" == entry.found["reason"]
    assert "aws sesv2 get-suppressed-destination --email-address bo@mail.example --region eu-west-1" == entry.command
    assert told[GET_ACCOUNT].text.startswith("sending is enabled; status HEALTHY; production access; 0 of ")
    identity = "shop.example is NOT verified; DKIM PENDING, signing on; no MAIL FROM domain of its own"
    assert identity == told[GET_IDENTITY].text
    assert (told[GET_INSIGHTS].failed or "").startswith("AWS answered NotFoundException")


async def test_an_address_that_is_not_listed(store: Store, aws: AwsLab) -> None:
    """That, too, is an answer; and an identity that is not there."""
    document = events.bounce(bouncedRecipients=[{"emailAddress": "li@mail.example"}])
    source = f"arn:aws:ses:eu-west-1:{events.ACCOUNT}:identity/other.example"
    document["mail"] = events.mail(destination=["li@mail.example"], sourceArn=source)
    await store.take_in([read_report(document)])
    ledger = await store.ledger(events.MESSAGE_ID)
    assert ledger is not None
    told = await answers(ledger)
    assert ("no entry for li@mail.example on the account's suppression list", {}) == (
        told[GET_SUPPRESSED].text,
        told[GET_SUPPRESSED].found,
    )
    assert "the account has no identity other.example in this region" == told[GET_IDENTITY].text


async def test_of_another_account_nothing_is_asked(store: Store, aws: AwsLab) -> None:
    """Its answers would be about somebody else's list."""
    told = await answers(await ledger_of(store, sendingAccountId="210987654321"))
    words = "the AWS credentials are those of account 123456789012, and the message is of 210987654321"
    assert {words} == {fact.failed for fact in told.values()}


async def test_without_credentials(store: Store, aws: AwsLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each question is named, and that there are no credentials."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    told = await answers(await ledger_of(store))
    assert 4 == len(told)
    assert {"no AWS credentials"} == {fact.failed for fact in told.values()}


async def test_keys_that_are_not_right(store: Store, aws: AwsLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """SES refuses them."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    told = await answers(await ledger_of(store))
    assert {"AWS does not take these credentials"} == {fact.failed for fact in told.values()}


async def test_aws_that_cannot_be_reached(store: Store, aws: AwsLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing hangs, and nothing is taken for an answer."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", "http://127.0.0.1:1")
    told = await answers(await ledger_of(store))
    assert {"AWS could not be reached"} == {fact.failed for fact in told.values()}


class _Refusing:
    """Errors as AWS writes them."""

    def __init__(self, code: str) -> None:
        self.response = {"Error": {"Code": code, "Message": "User: arn:aws:iam::1:user/x is not authorized"}}


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("AccessDeniedException", "no permission for ses:GetAccount"),
        ("TooManyRequestsException", "AWS asked to slow down"),
        ("ExpiredTokenException", "the AWS credentials have expired"),
        ("Odd", "AWS answered Odd: User: arn:aws:iam::1:user/x is not authorized"),
    ],
)
def test_errors_in_words(code: str, words: str) -> None:
    """What the operator can do something about is said so."""

    error = _in_words(_Refusing(code), "sesv2", "get_account")
    assert (NotAsked, words, code) == (type(error), str(error), error.code)
