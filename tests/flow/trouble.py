"""A service in trouble, as its operator and its clients see it."""

import json
import os
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner

from tests.flow.installation import BIN, Installation, until
from tests.flow.outbox import told_of
from tests.flow.sink import Sink
from waybill.cli import cli

DOMAINS = tuple(f"site{number}.example" for number in range(8))
MESSAGE = b"From: orders@shop.example\r\nSubject: x\r\n\r\nx\r\n"
MEGA = 1024 * 1024
PATIENCE = 40.0
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount and add addresses")


def install(sink: Sink, folder: Path, command: tuple[str, ...] | None = None, **delivery: Any) -> Installation:
    """A service of one worker that sends to the sink."""
    sections: dict[str, dict[str, Any]] = {
        "service": {"workers": 1, "simulator": False},
        "dns": {"servers": [sink.dns]},
        "delivery": {
            "port": sink.port,
            "allow_private": True,
            "hostname": "mail.shop.example",
            "retry": ["300ms", "300ms", "300ms", "1s"],
            **delivery,
        },
        "identities": {"verification": "none"},
        "publish": {"file": str(folder / "events.jsonl")},
    }
    return Installation(folder, sections, command=command or (str(BIN / "waybill"), "serve"))


def part(installation: Installation, name: str) -> dict[str, Any]:
    """How a part is, as `waybill status` and the API say alike."""
    from_store: dict[str, Any] = status(installation)["parts"][name]
    with urllib.request.urlopen(f"{installation.http}/api/status", timeout=10) as answer:
        from_api = json.load(answer)["parts"][name]
    return from_store if from_store["state"] == from_api["state"] else {"state": "changing", "evidence": ""}


def status(installation: Installation) -> dict[str, Any]:
    """What `waybill status --json` prints, whatever its exit code says."""
    done = CliRunner().invoke(cli, ["status", "--json", "--config", str(installation.config)], catch_exceptions=False)
    found: dict[str, Any] = json.loads(done.stdout)
    failing = any(one["state"] == "failing" for one in found["parts"].values())
    assert int(failing) == done.exit_code, done.output
    return found


def comes_to(installation: Installation, name: str, *states: str) -> dict[str, Any]:
    """The part once its state is one of these."""

    def look() -> dict[str, Any] | None:
        found = part(installation, name)
        return found if found["state"] in states else None

    return until(look, PATIENCE)


def try_to_send(installation: Installation, recipient: str) -> str | ClientError:
    """The message id, or the error."""
    try:
        return installation.send(recipient)
    except ClientError as error:
        return error


def refused(installation: Installation) -> bool:
    """Whether neither door takes anything now: a 503 in SES's form, a 4xx reply in SMTP's."""
    answer = try_to_send(installation, "refused@site0.example")
    if isinstance(answer, str):
        return False
    assert 503 == answer.response["ResponseMetadata"]["HTTPStatusCode"]
    assert "nothing was accepted" in answer.response["Error"]["Message"]
    code, _ = installation.submit("refused@site0.example", MESSAGE)
    assert code in {421, 451}
    return True


def delivered(installation: Installation, sink: Sink, message_id: str, recipient: str) -> bool:
    """Whether the message has arrived, once, and the ledger knows."""
    told = installation.told(message_id)
    return told["status"] == "delivered" and 1 == sink.taken[recipient]


def check_events(installation: Installation, *message_ids: str) -> None:
    """Both events of each are in the file."""
    told = told_of(installation.folder)
    assert {(one, kind) for one in message_ids for kind in ("Send", "Delivery")} <= told.keys()


def submitted(installation: Installation, recipient: str) -> tuple[int, str]:
    """Submits over SMTP, whose clients show no clock: the reply's code and the message id in it."""
    code, text = installation.submit(recipient, MESSAGE)
    return code, text.split()[-1]
