"""A domain is set up for a running service by what ``waybill check`` says, record by record."""

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.flow.conftest import Surroundings, running
from tests.flow.installation import Installation

pytestmark = pytest.mark.story

DOMAIN, BOUNCES, HOST = "checked.example", "bounce.checked.example", "mail.checked.example"
OURS = "127.0.0.3"


def verdicts(report: dict[str, Any]) -> dict[str, str]:
    """The gravest verdict of each check."""
    order = ["fail", "warn", "unknown", "pass"]
    found: dict[str, str] = {}
    for check in report["checks"]:
        found[check["id"]] = min(check["verdict"], found.get(check["id"], "pass"), key=order.index)
    return found


def test_a_domain_is_set_up(surroundings: Surroundings, tmp_path: Path) -> None:
    """What fails is published as printed, and passes then; bounces come home to the real door; the API says the same."""
    internet = surroundings.internet
    internet.publish(DOMAIN, "MX 10 mx.customer.example")
    sections = surroundings.sections(
        delivery={"hostname": HOST, "source_addresses": [OURS]},
        inbound={"listen": f"{OURS}:{internet.smtp_port}", "bounce_domain": BOUNCES},
    )
    with running(Installation(tmp_path, sections)) as own:
        own.run("identities", "create", DOMAIN)
        first = json.loads(own.run("check", DOMAIN, "--json", code=1))
        wanted = ("spf_record", "spf_sources", "dkim_key", "dmarc_record", "mail_from", "ptr", "fcrdns", "helo")
        assert ["fail"] * len(wanted) == [verdicts(first)[each] for each in wanted]
        for record in {
            (each["name"], each["type"]): each for check in first["checks"] for each in check["records"]
        }.values():
            internet.publish(record["name"], f"{record['type']} {record['value']}")
        second = json.loads(own.run("check", DOMAIN, "--json"))
        assert ["pass"] * len(wanted) == [verdicts(second)[each] for each in wanted]
        [home] = [check for check in second["checks"] if check["id"] == "mail_from"]
        assert f"Bounces go to {HOST} [{OURS}], which takes mail for dmarc-reports@{BOUNCES}." == home["text"]
        with urllib.request.urlopen(f"{own.http}/api/domains/{DOMAIN}/checks", timeout=40) as answer:
            assert verdicts(second) == verdicts(json.load(answer))
