"""A copy made while mail flows, restored on another machine: keys open, nothing is missing, and the queue goes on."""

import contextlib
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.flow.conftest import running
from tests.flow.installation import Installation, until
from tests.flow.sink import Sink, counting

pytestmark = pytest.mark.story

SCRIPT = Path(__file__).with_name("serve_short_lease.py")


@pytest.fixture
def sink() -> Iterator[Sink]:
    with counting("customer.example") as sink:
        yield sink


def install(sink: Sink, folder: Path) -> Installation:
    """A service that sends to the sink."""
    sections: dict[str, dict[str, Any]] = {
        "service": {"workers": 2, "simulator": False},
        "dns": {"servers": [sink.dns]},
        "delivery": {"port": sink.port, "allow_private": True, "hostname": "mail.shop.example", "retry": ["300ms"]},
        "identities": {"verification": "none"},
    }
    folder.mkdir(exist_ok=True)
    return Installation(folder, sections, command=(sys.executable, str(SCRIPT)))


def test_a_backup_under_load_is_restored(sink: Sink, tmp_path: Path) -> None:
    """What had got an id before the copy is in it; what was waiting then is delivered from it."""
    old = install(sink, tmp_path / "old")
    before: list[str] = []
    over = threading.Event()

    def send() -> None:
        client = old.client("sesv2")
        while not over.is_set():
            content = {"Simple": {"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "x"}}}}
            to = {"ToAddresses": ["reader@customer.example"]}
            with contextlib.suppress(ClientError, BotoCoreError):
                sent = client.send_email(FromEmailAddress="a@shop.example", Destination=to, Content=content)
                before.append(sent["MessageId"])

    sink.busy = True
    with running(old):
        waiting = old.send("waiting@customer.example")
        sender = threading.Thread(target=send)
        sender.start()
        until(lambda: len(before) > 50)
        known = list(before)
        copy = tmp_path / "copy.db"
        told = old.json("backup", str(copy))
        assert (str(copy), f"{copy}.key") == (told["file"], told["key"])
        over.set()
        sender.join(30)
        old.kill_all()
    sink.busy = False
    new = install(sink, tmp_path / "new")
    shutil.copy(copy, new.folder / "waybill.db")
    shutil.copy(f"{copy}.key", new.folder / "waybill.db.key")
    new.key = old.key
    with running(new):
        assert new.send("after@customer.example")
        until(lambda: all(new.told(one)["status"] == "delivered" for one in (waiting, *known)), 60)
        assert {1} == {sink.taken[f"{name}@customer.example"] for name in ("waiting", "after")}
        assert "ok" == new.json("status")["parts"]["service"]["state"]
