"""An account whose mail bounces is paused by its rate; everybody is told why, and whoever settled it sends again."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.flow.conftest import Surroundings, running
from tests.flow.installation import Installation, until

pytestmark = pytest.mark.story

CONTENT = {"Simple": {"Subject": {"Data": "News"}, "Body": {"Text": {"Data": "Here it is."}}}}


def send_many(service: Installation, recipients: list[str]) -> None:
    """One message for each fifty."""
    for first in range(0, len(recipients), 50):
        service.sesv2.send_email(
            FromEmailAddress="news@shop.example",
            Destination={"BccAddresses": recipients[first : first + 50]},
            Content=CONTENT,
        )


def metric(service: Installation, name: str, **dimensions: str) -> int:
    """The sum of a metric of yesterday and today."""
    now = datetime.now(UTC)
    query: dict[str, Any] = {
        "Id": name.lower(),
        "Namespace": "VDM",
        "Metric": name,
        "StartDate": now - timedelta(days=1),
        "EndDate": now + timedelta(minutes=1),
        **({"Dimensions": dimensions} if dimensions else {}),
    }
    answer = service.sesv2.batch_get_metric_data(Queries=[query])
    assert [] == answer["Errors"]
    [result] = answer["Results"]
    return sum(result["Values"])


def test_a_rate_pauses_and_a_resume_holds(surroundings: Surroundings, tmp_path: Path) -> None:
    """From sixty bounces of 150 to the refusal, its explanation, the undo and the mail that goes again."""
    sections = surroundings.sections(standing={"pause": True, "blocklists": []})
    with running(Installation(tmp_path, sections)) as service:
        gone = [f"gone{number}@customer.example" for number in range(60)]
        send_many(service, [*gone, *(f"reader{number}@reader.example" for number in range(90))])
        until(lambda: service.json("status")["recipients"] == {"bounced": 60, "delivered": 90})
        assert (150, 90, 60, 60) == (
            metric(service, "SEND"),
            metric(service, "DELIVERY"),
            metric(service, "PERMANENT_BOUNCE"),
            metric(service, "PERMANENT_BOUNCE", EMAIL_IDENTITY="shop.example"),
        )
        assert 0 == metric(service, "SEND", CONFIGURATION_SET="news")
        service.stop()
        service.start()  # it looks at once, and then every minute

        until(lambda: not service.sesv2.get_account()["SendingEnabled"])
        assert "SHUTDOWN" == service.sesv2.get_account()["EnforcementStatus"]
        with pytest.raises(ClientError, match="Sending paused for this account") as refused:
            service.send("anna@reader.example")
        assert "SendingPausedException" == refused.value.response["Error"]["Code"]
        told = service.told(refused.value.response["ResponseMetadata"]["RequestId"])
        assert "sending_paused" == told["cause"]
        assert "is paused since" in told["headline"]
        figures = "60 of 150 recipients (40.0 %) bounced for good in the last 30 days, and sending stops at 10 %"
        assert figures in [one["text"] for one in told["evidence"]]
        commands = [one["command"] for one in told["remedies"]]
        assert f"waybill account resume {service.key['account']}" in commands

        shown = service.json("standing", code=1)
        assert [("rule:bounce-rate", figures)] == [(one["by"], one["reason"]) for one in shown["pauses"]]
        assert "paused" == shown["rates"][0]["state"]
        assert f"standing     paused     account {service.key['account']}" in service.run("status")
        until(lambda: service.sesv2.list_recommendations()["Recommendations"])
        open_ones = service.sesv2.list_recommendations(Filter={"STATUS": "OPEN", "TYPE": "BOUNCE"})["Recommendations"]
        assert {
            "arn:aws:ses:us-east-1:100000000001:account",
            "arn:aws:ses:us-east-1:100000000001:identity/shop.example",
        } == {one["ResourceArn"] for one in open_ones}

        service.ses.update_account_sending_enabled(Enabled=True)
        assert "delivered" == service.ended(service.send("anna@reader.example"), "delivered")["status"]
        service.stop()
        service.start()
        until(lambda: not service.sesv2.list_recommendations(Filter={"STATUS": "OPEN"})["Recommendations"])
        assert service.sesv2.get_account()["SendingEnabled"]
        assert "HEALTHY" == service.sesv2.get_account()["EnforcementStatus"]
