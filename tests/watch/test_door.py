"""SNS over HTTPS: what is signed and asked for is taken in, and everything else is refused with a reason."""

import base64
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.watch import events
from tests.watch.sns import LabSns, lab_sns, post
from waybill.model.clock import DAY, now
from waybill.net.http_client import HttpClient
from waybill.store.elsewhere import Reported, TakenIn
from waybill.store.protocol import Store, StoreUnavailable
from waybill.store.sqlite import open_sqlite
from waybill.watch.door import Ingest, IngestConfig
from waybill.watch.signature import AllowedHosts
from waybill.watch.unwrap import VALIDATION

PASSWORD = "correct horse"
RAW = {"x-amz-sns-rawdelivery": "true", "x-amz-sns-topic-arn": events.TOPIC}


def basic(password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"sns:{password}".encode()).decode()}


@dataclass(kw_only=True)
class Scene:
    door: Ingest
    sns: LabSns
    store: Store
    clock: "Clock"
    client: HttpClient

    def door_with(self, **changes: Any) -> Ingest:
        fields: dict[str, Any] = {
            "topics": frozenset({events.TOPIC}),
            "hosts": AllowedHosts(named=(self.sns.host,)),
            "raw_password": PASSWORD,
        }
        config = IngestConfig(**fields | changes)
        return Ingest(store=self.store, fetch=self.client, clock=self.clock, config=config)

    async def known(self) -> int:
        ledger = await self.store.ledger(events.MESSAGE_ID)
        return len(ledger.events) if ledger else 0


class Clock:
    at = now()

    def __call__(self) -> int:
        return self.at


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    clock = Clock()
    store = await open_sqlite(tmp_path / "waybill.db", clock=clock)
    async with lab_sns(tmp_path, clock()) as sns:
        client = HttpClient(allow_private=True, ca_file=sns.ca_file)
        made = Scene(door=None, sns=sns, store=store, clock=clock, client=client)  # type: ignore[arg-type]
        made.door = made.door_with()
        yield made
        await client.close()
    await store.close()


@pytest.mark.parametrize("version", ["1", "2"])
async def test_a_signed_notification_is_on_disk_when_it_is_answered(scene: Scene, version: str) -> None:
    """With SHA-1 (SNS's default) and with SHA-256; a second time it is known."""
    message = scene.sns.notification(events.bounce(), version)
    answer = await post(scene.door, message)
    assert (200, "1 new, 0 known\n") == (answer.status, answer.text)
    assert 1 == await scene.known()
    assert "0 new, 1 known\n" == (await post(scene.door, message)).text


async def test_the_certificate_is_fetched_once_a_day(scene: Scene) -> None:
    """It is public and changes seldom; after a day it is looked at again."""
    for _ in range(3):
        await post(scene.door, scene.sns.notification(events.bounce()))
    assert 1 == len(scene.sns.asked)
    scene.clock.at += DAY
    await post(scene.door, scene.sns.notification(events.bounce()))
    assert 2 == len(scene.sns.asked)


async def test_a_subscription_is_confirmed(scene: Scene) -> None:
    """By fetching SubscribeURL, of a topic that the settings name."""
    assert 200 == (await post(scene.door, scene.sns.confirmation())).status
    assert any("Action=ConfirmSubscription" in path for path in scene.sns.asked)


async def test_a_confirmation_that_fails_may_come_again(scene: Scene) -> None:
    """SNS posts it again, and Waybill then tries again."""
    await post(scene.door, scene.sns.notification(events.send()))
    scene.sns.status = 500
    assert 503 == (await post(scene.door, scene.sns.confirmation())).status


async def test_unsubscribing_is_noted(scene: Scene) -> None:
    """Somebody followed the link: it is not undone, and it is logged."""
    before = list(scene.sns.asked)
    message = scene.sns.confirmation(Type="UnsubscribeConfirmation")
    assert 200 == (await post(scene.door, message)).status
    assert [] == [path for path in scene.sns.asked if path not in before and "Confirm" in path]


async def test_the_word_of_a_new_destination_is_no_fault(scene: Scene) -> None:
    """SES publishes one sentence when the topic becomes a destination."""
    message = scene.sns.sign(events.in_sns({}, Message=VALIDATION))
    assert (200, "0 new, 0 known\n") == ((answer := await post(scene.door, message)).status, answer.text)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Message": "{}"}, "the signature is not right"),
        ({"Signature": "AAAA"}, "the signature is not right"),
        ({"Signature": None}, "the signature is not right"),
        ({"Signature": "not base64!"}, "the signature is not right"),
        ({"SignatureVersion": "3"}, "SignatureVersion = '3' is not known"),
        ({"SignatureVersion": ["1"]}, "is not known"),
        ({"Subject": None}, "the signature is not right"),
        ({"Timestamp": None}, "has the field Timestamp"),
        ({"MessageId": 7}, "has the field MessageId"),
        ({"TopicArn": "arn:aws:sns:eu-west-1:666666666666:mine"}, "amazon_ses.topics"),
        ({"TopicArn": ["x"]}, "amazon_ses.topics"),
        ({"SigningCertURL": "https://sns.eu-west-1.amazonaws.com.evil.example/x.pem"}, "SigningCertURL"),
        ({"SigningCertURL": None}, "SigningCertURL"),
    ],
)
async def test_what_is_not_genuine_is_refused(scene: Scene, change: dict[str, Any], words: str) -> None:
    """With 403 and the reason; nothing of it is written."""
    answer = await post(scene.door, scene.sns.notification(events.bounce()) | change)
    assert 403 == answer.status
    assert words in answer.text
    assert 0 == await scene.known()


async def test_a_confirmation_of_a_foreign_url_is_refused(scene: Scene) -> None:
    """Even signed, it may lead to SNS's hosts alone."""
    message = scene.sns.confirmation(SubscribeURL="https://169.254.169.254/latest/meta-data")
    answer = await post(scene.door, message)
    assert (403, True) == (answer.status, "SubscribeURL" in answer.text)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'{"Type": ["Notification"]}', 400),
        (b'{"eventType": "Send"}', 400),
        (b"[" * 50_000, 400),
        (b" " * (1024 * 1024 + 1), 413),
    ],
)
async def test_what_is_no_sns_message_is_refused(scene: Scene, body: bytes, status: int) -> None:
    """Before anything is fetched."""
    assert status == (await post(scene.door, body)).status
    assert [] == scene.sns.asked


async def test_only_post_is_answered(scene: Scene) -> None:
    """A browser sees what the address is for."""
    answer = await post(scene.door, b"", method="GET")
    assert (405, "POST") == (answer.status, answer.headers["allow"])


async def test_an_event_that_cannot_be_read_goes_to_the_dead_letter_queue(scene: Scene) -> None:
    """SNS keeps what is answered with 400; what can be read beside it is written."""
    message = scene.sns.sign(events.in_sns({}, Message="Hello"))
    answer = await post(scene.door, message)
    assert (400, "Message = 'Hello' is no JSON\n") == (answer.status, answer.text)


async def test_a_certificate_that_cannot_be_had_asks_for_patience(scene: Scene) -> None:
    """503: SNS tries again."""
    scene.sns.status = 500
    assert 503 == (await post(scene.door, scene.sns.notification(events.bounce()))).status
    scene.sns.status, scene.sns.pem = 200, "no certificate"
    assert 403 == (await post(scene.door, scene.sns.notification(events.bounce()))).status


async def test_a_certificate_of_another_time_is_refused(scene: Scene) -> None:
    """An expired one proves nothing."""
    scene.clock.at -= 365 * DAY
    answer = await post(scene.door, scene.sns.notification(events.bounce()))
    assert (403, True) == (answer.status, "not valid now" in answer.text)


async def test_raw_delivery_needs_the_password(scene: Scene) -> None:
    """Nobody signs it. SNS comes first without the user and password of the URL."""
    first = await post(scene.door, events.bounce(), headers=RAW)
    assert (401, 'Basic realm="waybill"') == (first.status, first.headers["www-authenticate"])
    assert 403 == (await post(scene.door, events.bounce(), headers=RAW | basic("wrong"))).status
    foreign = RAW | basic(PASSWORD) | {"x-amz-sns-topic-arn": "arn:aws:sns:eu-west-1:666666666666:mine"}
    assert 403 == (await post(scene.door, events.bounce(), headers=foreign)).status
    assert 0 == await scene.known()
    assert 200 == (await post(scene.door, events.bounce(), headers=RAW | basic(PASSWORD))).status
    assert 1 == await scene.known()


async def test_raw_delivery_is_off_without_a_password(scene: Scene) -> None:
    """An empty password opens nothing."""
    door = scene.door_with(raw_password="")
    for given in (RAW, RAW | basic("")):
        answer = await post(door, events.bounce(), headers=given)
        assert (403, True) == (answer.status, "amazon_ses.raw_password" in answer.text)


async def test_without_topics_nothing_is_taken(scene: Scene) -> None:
    """Anybody can have a topic whose messages SNS signs."""
    door = scene.door_with(topics=frozenset())
    assert 403 == (await post(door, scene.sns.notification(events.bounce()))).status


async def test_a_store_that_cannot_be_reached_asks_for_patience(scene: Scene) -> None:
    """200 is said after the commit alone."""

    class Gone:
        async def take_in(self, reports: Sequence[Reported]) -> TakenIn:
            raise StoreUnavailable("disk full")

    config = IngestConfig(topics=frozenset({events.TOPIC}), hosts=AllowedHosts(named=(scene.sns.host,)))
    door = Ingest(store=Gone(), fetch=scene.client, clock=scene.clock, config=config)
    assert 503 == (await post(door, scene.sns.notification(events.bounce()))).status


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0.pem", True),
        ("https://sns.cn-north-1.amazonaws.com.cn/x.pem", True),
        ("https://sns.us-east-1.amazonaws.com:443/x.pem", True),
        ("http://sns.us-east-1.amazonaws.com/x.pem", False),
        ("https://sns.us-east-1.amazonaws.com:8443/x.pem", False),
        ("https://sns.us-east-1.amazonaws.com@evil.example/x.pem", False),
        ("https://evil.example/sns.us-east-1.amazonaws.com", False),
        ("https://s3.us-east-1.amazonaws.com/sns.pem", False),
        ("https://sns.us-east-1.amazonaws.com/?Action=ListTopics&x=.pem", False),
        ("https://sns.us-east-1.amazonaws.com/x.pem#y.pem", False),
        ("https://sns.us-east-1.amazonaws.com.evil.example/x.pem", False),
        ("https://sns.us-east-1.amazonaws.com\n.evil.example/x.pem", False),
        ("https://[::1", False),
    ],
)
def test_amazons_hosts(url: str, allowed: bool) -> None:
    """Only SNS's own, over HTTPS."""
    try:
        AllowedHosts().check(url, "SigningCertURL")
    except ValueError:
        assert not allowed
    else:
        assert allowed
