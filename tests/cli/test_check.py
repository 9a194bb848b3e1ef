"""``waybill check``: as somebody at a terminal uses it, against a small internet on loopback."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.cli.conftest import Run
from tests.standing.checks.world import ZONES, blocklist_zones
from waybill.cli import cli
from waybill.lab.dns import LabDns, Zones

LISTS = blocklist_zones()
BROKEN = {
    "shop.example": ["MX 10 mx.shop.example"],
    "mx.shop.example": ["A 127.0.0.1"],
    "bounce.shop.example": ["MX 10 mx.shop.example", "TXT v=spf1 mx ~all"],
    "mail.shop.example": ["A 192.0.2.7"],
    **LISTS,
}
WELL = {**ZONES, **LISTS, "_mta-sts.shop.example": ["NXDOMAIN"], "in.shop.example": ["SERVFAIL"]}
"""As well as it can be without servers that listen."""


class Net:
    """A DNS server in a thread of its own, so that commands can run their own loops."""

    def __init__(self) -> None:
        self.dns = LabDns({})
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._call(self.dns.start())

    def publish(self, zones: Mapping[str, Sequence[str]]) -> None:
        self.dns.zones = Zones(zones)

    def publish_once_asked(self, name: str, zones: Mapping[str, Sequence[str]]) -> None:
        while (name, "TXT") not in tuple(self.dns.queries):
            time.sleep(0.02)
        time.sleep(0.1)  # and answered
        self.publish(zones)

    def close(self) -> None:
        self._call(self.dns.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)


@pytest.fixture
def net(run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[Net]:
    found = Net()
    monkeypatch.setenv("WAYBILL__DNS__SERVERS", f'["{found.dns.address}"]')
    monkeypatch.setenv("WAYBILL__DELIVERY__ALLOW_PRIVATE", "true")
    monkeypatch.setenv("WAYBILL__DELIVERY__HOSTNAME", "mail.shop.example")
    monkeypatch.setenv("WAYBILL__DELIVERY__SOURCE_ADDRESSES", '["192.0.2.7"]')
    monkeypatch.setenv("WAYBILL__DELIVERY__PORT", "1")  # nobody listens there
    monkeypatch.setenv("WAYBILL__INBOUND__BOUNCE_DOMAIN", "bounce.shop.example")
    yield found
    found.close()


def check(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, ["check", *arguments], catch_exceptions=False)
    assert code == result.exit_code, result.output
    return result


def by_id(document: dict[str, Any], check_id: str) -> dict[str, Any]:
    return next(each for each in document["checks"] if each["id"] == check_id)


def test_what_fails_comes_first(net: Net) -> None:
    """For a person: faults with the reason and the record, then warnings, then what is not known; what is well in a line."""
    net.publish(BROKEN)
    text = check("shop.example", code=1).stdout
    marks = [line.split()[0] for line in text.splitlines() if line[:4] in {"FAIL", "WARN", "UNKN", "PASS"}]
    assert sorted(marks, key=["FAIL", "WARN", "UNKNOWN", "PASS"].index) == marks
    assert text.startswith("shop.example: ")
    publish = '         Publish  bounce.shop.example. TXT "v=spf1 ip4:192.0.2.7 mx ~all"\n'
    assert f"{publish}                  in place of: v=spf1 mx ~all\n" in text
    assert "         Why      Mail from any other address fails SPF: Gmail says 4.7.27" in text
    assert "         Publish  7.2.0.192.in-addr.arpa. PTR mail.shop.example.\n" in text
    assert "PASS     Mail to the domain (MX): shop.example takes mail at mx.shop.example.\n" in text
    assert "192.0.2.7 at Spamhaus ZEN, 192.0.2.7 at Barracuda" in text


def test_json(net: Net) -> None:
    """All of it for programs, evidence included."""
    net.publish(BROKEN)
    document = json.loads(check("shop.example", "--json", code=1).stdout)
    assert ("shop.example", "fail") == (document["domain"], document["verdict"])
    spf = by_id(document, "spf_sources")
    expected = {
        "name": "bounce.shop.example",
        "type": "TXT",
        "value": "v=spf1 ip4:192.0.2.7 mx ~all",
        "replaces": "v=spf1 mx ~all",
    }
    assert ("fail", [expected]) == (spf["verdict"], spf["records"])
    assert net.dns.address in spf["evidence"][0]["text"]


def test_all_that_can_be_well_is(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 0 also where something is only warned of or not known."""
    monkeypatch.setenv("WAYBILL__DELIVERY__RELAY", "smtp://relay.example:25")
    net.publish(WELL)
    text = check("shop.example", "--selector", "w1").stdout
    assert "Mail leaves through the relay relay.example" in text
    assert "\nFAIL" not in text


def test_the_identity_is_what_mail_is_signed_with(net: Net, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its keys are looked for; once they are published the check passes."""
    created = run("identities", "create", "shop.example")
    [key] = [line.split() for line in created.splitlines() if "_domainkey" in line]
    record = created.partition(f"{key[1]} TXT ")[2].partition("\n")[0].strip('"')
    net.publish(BROKEN)
    document = json.loads(check("shop.example", "--json", code=1).stdout)
    [wanted] = by_id(document, "dkim_key")["records"]
    assert (key[1].rstrip("."), record) == (wanted["name"], wanted["value"])
    assert "Publish" in check("shop.example", code=1).stdout
    net.publish({**BROKEN, wanted["name"]: [f"TXT {wanted['value']}"]})
    assert "pass" == by_id(json.loads(check("shop.example", "--json", code=1).stdout), "dkim_key")["verdict"]


def test_every_command_that_it_prints_works(net: Net, run: Run) -> None:
    """For a domain that is no identity, for one without a key, and for one whose key not everybody can check."""

    def printed() -> list[str]:
        document = json.loads(check("shop.example", "--json", code=1).stdout)
        commands = list(dict.fromkeys(each["command"] for each in document["checks"] if each["command"]))
        for command in commands:
            run(*command.removeprefix("waybill ").split())
        return commands

    net.publish(BROKEN)
    assert ["waybill identities create shop.example"] == printed()
    [rsa] = by_id(json.loads(check("shop.example", "--json", code=1).stdout), "dkim_key")["records"]
    run("identities", "verify", "shop.example")
    run("identities", "remove-key", "shop.example", rsa["name"].partition(".")[0])
    assert ["waybill identities show shop.example"] == printed()
    run("identities", "add-key", "shop.example")
    [short] = by_id(json.loads(check("shop.example", "--json", code=1).stdout), "dkim_key")["records"]
    net.publish({**BROKEN, short["name"]: [f"TXT {short['value']}"]})
    assert ["waybill identities add-key shop.example --algorithm rsa"] == printed()


def test_watching(net: Net) -> None:
    """It looks again until nothing fails, and says what has changed."""
    net.publish({**WELL, "w1._domainkey.shop.example": ["NXDOMAIN"]})
    looked = threading.Thread(target=lambda: net.publish_once_asked("w1._domainkey.shop.example", WELL))
    looked.start()
    text = check("shop.example", "--selector", "w1", "--watch", "--every", "0.5").stdout
    looked.join()
    first, _, after = text.partition("Looking again every 0.5 s until nothing fails (Ctrl-C ends it).\n")
    assert "\nFAIL     DKIM key · w1._domainkey.shop.example\n" in first
    changed = [line for line in after.splitlines() if "DKIM key ·" in line]
    assert 1 == len(changed)
    assert "FAIL → PASS DKIM key · w1._domainkey.shop.example: w1._domainkey.shop.example has a key" in changed[0]
    assert "SPF record ·" not in after


def test_watching_as_json(net: Net) -> None:
    """A line for each look that saw something new; here all is well at once."""
    net.publish(WELL)
    [line] = check("shop.example", "--selector", "w1", "--watch", "--json").stdout.splitlines()
    assert "fail" != json.loads(line)["verdict"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("shop",), "'shop' is not allowed; it must be a domain such as shop.example"),
        (("a@shop.example",), "must be a domain such as shop.example"),
        (("shop.example", "--ip", "mail"), "--ip 'mail' is not allowed; it must be an address such as 192.0.2.7"),
        (("shop.example", "--every", "0"), "--every 0 is not allowed"),
    ],
)
def test_usage(arguments: tuple[str, ...], words: str, run: Run) -> None:
    """Exit 2, and one line that says what is allowed."""
    assert words in run("check", *arguments, code=2)


def test_a_dead_resolver(net: Net) -> None:
    """Exit 3: nothing is said of the domain, and the resolver is named."""
    net.publish({"*": ["SERVFAIL"]})
    text = check("shop.example", code=3).stdout
    assert "DNS answered nothing at all: see whether the resolver can be reached" in text
    assert "\nFAIL" not in text


def test_without_a_store(net: Net, tmp_path: Path) -> None:
    """It says what is not known then, and leaves none behind."""
    net.publish(BROKEN)
    result = check("shop.example", code=1)
    assert "without the store, its identities and mail are not known" in result.stderr
    assert [] == list(tmp_path.iterdir())
