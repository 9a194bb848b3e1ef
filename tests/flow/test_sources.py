"""Source addresses and their pools, from the settings over the API to the receiver."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.flow.conftest import Surroundings, running
from tests.flow.installation import Installation, until

pytestmark = pytest.mark.story

OLD, NEW = "127.0.0.21", "127.0.0.22"


@pytest.fixture(scope="module")
def pooled(surroundings: Surroundings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A service with two source addresses, the second with a name of its own; ``marketing`` sends from a pool."""
    delivery = {"source_addresses": [OLD, f"{NEW} mail22.shop.example"], "warm_up": True}
    sections = surroundings.sections(delivery=delivery)
    with running(Installation(tmp_path_factory.mktemp("pooled"), sections)) as installation:
        ses = installation.sesv2
        ses.create_dedicated_ip_pool(PoolName="campaigns")
        ses.create_configuration_set(
            ConfigurationSetName="marketing", DeliveryOptions={"SendingPoolName": "campaigns", "TlsPolicy": "OPTIONAL"}
        )
        yield installation


def waiting(service: Installation, message_id: str) -> dict[str, Any]:
    """The recipient's explanation once Waybill holds the message."""
    return until(lambda: told if (told := service.told(message_id))["cause"] == "held_by_waybill" else None)


def test_a_pool_without_an_address_holds_its_mail(pooled: Installation) -> None:
    """It goes from no address that its configuration set does not name, and says what it waits for."""
    message_id = pooled.send("empty@customer.example", ConfigurationSetName="marketing")
    told = waiting(pooled, message_id)
    assert "queued" == told["status"]
    assert "The pool campaigns, which the configuration set sends from, has no address" in str(told["evidence"])
    assert ["accepted", "held"] == pooled.kinds(message_id)


def test_mail_goes_from_the_pools_address_with_its_name(pooled: Installation) -> None:
    """Once an address is in the pool, its mail goes from there, and other mail from the others."""
    ses = pooled.sesv2
    ses.put_dedicated_ip_in_pool(Ip=NEW, DestinationPoolName="campaigns")
    assert [
        (ip["Ip"], ip["PoolName"], ip["WarmupStatus"], ip["WarmupPercentage"])
        for ip in ses.get_dedicated_ips()["DedicatedIps"]
    ] == [(OLD, "ses-default-dedicated-pool", "IN_PROGRESS", 0), (NEW, "campaigns", "IN_PROGRESS", 0)]

    def sent(**more: str) -> tuple[str, str, str] | None:
        """From where a message went; None where it is held, since the worker has not read of the change yet."""
        message_id = pooled.send("reader@customer.example", **more)
        told = until(
            lambda: found if (found := pooled.told(message_id))["status"] == "delivered" or found["cause"] else None
        )
        facts = [event["fact"] for event in pooled.json("events", message_id)]
        attempts = [fact["attempt"] for fact in facts if "attempt" in fact]
        if told["status"] != "delivered":
            return None
        return attempts[0]["source_ip"], attempts[0]["helo"], attempts[0]["site"]

    site = "mx.customer.example"
    assert (NEW, "mail22.shop.example", site) == until(lambda: sent(ConfigurationSetName="marketing"))
    assert (OLD, "mail.shop.example", site) == sent()


def test_a_warming_address_stops_for_the_day_also_after_a_restart(pooled: Installation) -> None:
    """On its first day it sends fifty messages to a site; what comes after that waits for midnight, and says so."""
    for number in range(50):
        pooled.send(f"reader{number}@customer.example", ConfigurationSetName="marketing")
    held = pooled.send("reader@customer.example", ConfigurationSetName="marketing")
    pooled.stop()
    pooled.start()
    late = pooled.send("late@customer.example", ConfigurationSetName="marketing")
    for message_id in (held, late):
        assert f"{NEW} (day 1 of 45) may send 50 messages to mx.customer.example today" in str(
            waiting(pooled, message_id)
        )
        assert ["accepted", "held"] == pooled.kinds(message_id)
