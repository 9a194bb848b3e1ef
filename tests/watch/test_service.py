"""The running service takes SNS's messages at its HTTP door, and then knows that mail."""

import asyncio
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.flow.conftest import running
from tests.flow.installation import Installation
from tests.watch import events
from tests.watch.sns import LabSns, lab_sns
from waybill.model.clock import now

pytestmark = pytest.mark.story


def _post(url: str, message: dict[str, Any]) -> int:
    request = urllib.request.Request(url, data=json.dumps(message).encode(), headers={"Content-Type": "text/plain"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def _story(folder: Path, sns: LabSns) -> tuple[list[int], dict[str, Any], Any]:
    settings: dict[str, dict[str, Any]] = {
        "service": {"workers": 1, "simulator": False},
        "publish": {"allow_private": True, "ca_file": sns.ca_file},
        "amazon_ses": {"topics": [events.TOPIC], "hosts": [sns.host]},
    }
    with running(Installation(folder, settings)) as service:
        door = f"{service.http}/ingest/amazon-ses"
        messages = [
            sns.confirmation(),
            sns.notification(events.delivery(), "2"),
            sns.notification(events.bounce(timestamp="2026-11-24T09:20:00.000Z")),
            events.in_sns(events.complaint()),
        ]
        codes = [_post(door, message) for message in messages]
        return codes, service.explain(events.TO), service.json("status")


async def test_from_the_topic_to_the_answer(tmp_path: Path) -> None:
    """Subscribed, told in the wrong order, refused what is not signed, and explained."""
    async with lab_sns(tmp_path, now()) as sns:
        codes, explanation, status = await asyncio.to_thread(_story, tmp_path, sns)
    assert [200, 200, 200, 403] == codes
    (recipient,) = explanation["recipients"]
    assert ("amazon-ses", "bounced", "user_unknown") == (
        explanation["source"],
        recipient["status"],
        recipient["cause"],
    )
    assert [] == status["queue"]
    assert any("ConfirmSubscription" in path for path in sns.asked)
