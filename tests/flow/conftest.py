"""One small internet, one webhook and two running services for all the stories: one open to every sender, one strict."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.flow.installation import Installation, free_port, until
from tests.flow.internet import Internet, small_internet
from tests.flow.listener import CONFIRMING, Listener, listening

EVENT_SET = "announced"
EVERY_EVENT = ["SEND", "REJECT", "BOUNCE", "COMPLAINT", "DELIVERY", "RENDERING_FAILURE", "DELIVERY_DELAY"]


@dataclass(frozen=True)
class Surroundings:
    """The internet, and the port where bounces come home to the open service."""

    internet: Internet
    inbound_port: int

    def sections(self, **changed: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Settings for a service that lives in this internet."""
        settings: dict[str, dict[str, Any]] = {
            "service": {"workers": 1},
            "dns": {"servers": [self.internet.dns]},
            "delivery": {
                "port": self.internet.smtp_port,
                "allow_private": True,
                "hostname": "mail.shop.example",
                "retry": ["300ms", "300ms", "1h"],
            },
            "identities": {"verification": "none"},
            "publish": {"allow_private": True},
            # Many stories bounce, and share an account.
            "standing": {"pause": False},
        }
        for name, values in changed.items():
            settings[name] = {**settings.get(name, {}), **values}
        return settings


@contextmanager
def running(installation: Installation) -> Iterator[Installation]:
    """The service, up for as long as the block runs, and ended as an operator ends it."""
    installation.start()
    try:
        yield installation
        if installation.process is not None:
            installation.stop()
    finally:
        installation.abandon()


@pytest.fixture(scope="session")
def surroundings() -> Iterator[Surroundings]:
    port = free_port()
    with small_internet(port) as internet:
        yield Surroundings(internet, port)


@pytest.fixture(scope="session")
def internet(surroundings: Surroundings) -> Internet:
    return surroundings.internet


@pytest.fixture(scope="session")
def listener() -> Iterator[Listener]:
    with listening() as listener:
        yield listener


@pytest.fixture(scope="session")
def service(
    surroundings: Surroundings, listener: Listener, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """A service that accepts every sender; the configuration set ``announced`` tells the listener everything."""
    folder = tmp_path_factory.mktemp("open")
    installation = Installation(
        folder,
        surroundings.sections(
            inbound={"listen": f"127.0.0.1:{surroundings.inbound_port}"},
            publish={"allow_private": True, "file": str(folder / "events.jsonl")},
        ),
    )
    with running(installation):
        announce(installation, listener, EVENT_SET)
        yield installation


@pytest.fixture(scope="session")
def strict(surroundings: Surroundings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A service that sends for verified identities only, and gives up after three seconds."""
    sections = surroundings.sections(
        identities={"verification": "dns"},
        delivery={"max_lifetime": "3s", "retry": ["300ms"]},
        service={"workers": 2},
    )
    with running(Installation(tmp_path_factory.mktemp("strict"), sections)) as installation:
        yield installation


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def announce(installation: Installation, listener: Listener, name: str) -> None:
    """A configuration set whose every event goes over a topic to the listener, which has confirmed."""
    topic = installation.sns.create_topic(Name=name)["TopicArn"]
    arn = installation.sns.subscribe(
        TopicArn=topic, Protocol="http", Endpoint=listener.url + CONFIRMING, ReturnSubscriptionArn=True
    )["SubscriptionArn"]
    until(
        lambda: (
            installation.sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]["PendingConfirmation"]
            == "false"
        )
    )
    installation.sesv2.create_configuration_set(ConfigurationSetName=name)
    installation.sesv2.create_configuration_set_event_destination(
        ConfigurationSetName=name,
        EventDestinationName="webhook",
        EventDestination={
            "Enabled": True,
            "MatchingEventTypes": EVERY_EVENT,
            "SnsDestination": {"TopicArn": topic},
        },
    )
