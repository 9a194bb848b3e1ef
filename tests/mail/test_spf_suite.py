"""The test suite of RFC 7208 (openspf.org, release 2014.04), whole."""

import ipaddress
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.mail.zones import Zones
from tests.shared_data import SHARED
from waybill.mail.spf import check_host

pytestmark = pytest.mark.skipif(SHARED is None, reason="the suite is not there")

_KINDS = ("TXT", "A", "AAAA", "MX", "PTR")


def _cases() -> Iterator[Any]:
    if SHARED is None:
        return
    with (SHARED / "data" / "spf" / "rfc7208-tests.yml").open(encoding="utf-8") as file:
        for part in yaml.safe_load_all(file):
            zones = _zones(part["zonedata"])
            for name, case in part["tests"].items():
                yield pytest.param(zones, case, id=f"{part['description']}: {name}")


def _zones(zonedata: dict[str, list[Any]]) -> Zones:
    records: dict[str, dict[str, list[str]]] = {}
    aliases: dict[str, str] = {}
    failing = set()
    for name, entries in zonedata.items():
        key = _key(name)
        found: dict[str, list[str]] = {}
        for entry in entries:
            if entry == "TIMEOUT":
                continue
            ((kind, value),) = entry.items()
            found.setdefault(kind, []).append(_text(kind, value))
        # A record of type SPF stands for one of type TXT, unless the name has some of its own (NONE: it has none).
        texts = found.pop("TXT", None)
        spf = found.pop("SPF", [])
        found["TXT"] = spf if texts is None else [text for text in texts if text != "NONE"]
        for target in found.pop("CNAME", ()):
            aliases[key] = _key(target)
        if "TIMEOUT" in entries:
            failing |= {(key, kind) for kind in _KINDS if not found.get(kind)}
        records[key] = found
    for key, target in aliases.items():
        if target in aliases:  # the only chain in the suite leads in a circle
            failing |= {(key, kind) for kind in _KINDS}
        else:
            records[key] = records.get(target, {})
    return Zones(records, frozenset(failing))


def _key(name: str) -> str:
    name = name.lower().removesuffix(".")
    if name.endswith(".in-addr.arpa"):
        return ".".join(reversed(name.removesuffix(".in-addr.arpa").split(".")))
    if name.endswith(".ip6.arpa"):
        nibbles = "".join(reversed(name.removesuffix(".ip6.arpa").split(".")))
        return str(ipaddress.IPv6Address(int(nibbles, 16)))
    return name


def _text(kind: str, value: Any) -> str:
    if kind == "MX":
        return str(value[1])
    if kind == "AAAA":
        return str(ipaddress.ip_address(value))
    return "".join(value) if isinstance(value, list) else str(value).removesuffix("." if kind == "PTR" else "\n")


@pytest.mark.parametrize(("zones", "case"), list(_cases()))
async def test_result_is_one_that_the_suite_allows(zones: Zones, case: dict[str, Any]) -> None:
    """Each case of the suite: the result, and the explanation where it has one."""
    found = await check_host(zones, ip=str(case["host"]), sender=case["mailfrom"], helo=case["helo"])
    allowed = [case["result"]] if isinstance(case["result"], str) else case["result"]
    assert found.result in allowed, found
    if "explanation" in case:
        assert ("" if case["explanation"] == "DEFAULT" else case["explanation"]) == found.explanation


def test_suite_is_whole() -> None:
    """No case is lost on the way."""
    assert 203 == len(list(_cases()))
