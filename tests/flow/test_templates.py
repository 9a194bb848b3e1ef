"""Templates and content that are accepted with an id and never sent, as with SES: what explain, ledger and events say."""

import json
from typing import Any

import pytest

from tests.flow.conftest import EVENT_SET
from tests.flow.installation import Installation, until
from tests.flow.internet import Internet
from tests.flow.listener import Listener

pytestmark = pytest.mark.story

EICAR = "X5O!P%@AP[4\\PZX54(P^)7CC)7}" + "$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
TEMPLATE = {
    "Subject": "Order {{order.id}}",
    "Text": "Hello {{display_name}}{{#each items}}, {{this}}{{/each}}",
    "Html": "<p>Hello {{display_name}}",
}


@pytest.fixture(scope="module", autouse=True)
def template(service: Installation) -> None:
    service.sesv2.create_email_template(TemplateName="order", TemplateContent=TEMPLATE)


def send_template(service: Installation, recipient: str, data: str) -> str:
    """Sends the stored template; the message id."""
    content = {"Template": {"TemplateName": "order", "TemplateData": data}}
    return service.send(recipient, Content=content, ConfigurationSetName=EVENT_SET)


def event_of(listener: Listener, message_id: str, kind: str) -> dict[str, Any]:
    """The message's event of a type."""
    until(lambda: kind in listener.kinds(message_id))
    return next(event for event in listener.events(message_id) if event["eventType"] == kind)


def test_a_rendered_template_arrives(service: Installation, internet: Internet) -> None:
    """The data stands in subject and body of what the receiver got."""
    data = {"order": {"id": 7}, "display_name": "Ada", "items": ["tea", "mugs"]}
    message_id = send_template(service, "templated@customer.example", json.dumps(data))
    service.ended(message_id, "delivered")
    (message,) = internet.received("templated@customer.example")
    assert b"\r\nSubject: Order 7\r\n" in message.content
    assert b"Hello Ada, tea, mugs" in message.content


@pytest.mark.parametrize(
    ("data", "cause", "text"),
    [
        (
            '{"order": {"id": 7}, "display-name": "Ada"}',
            "template_variable_missing",
            "Attribute 'display_name' is not present in the rendering data.",
        ),
        ('{"order": ', "template_data_invalid", "Template rendering data is invalid"),
    ],
)
def test_wrong_data_is_accepted_and_fails(
    data: str, cause: str, text: str, service: Installation, listener: Listener, internet: Internet
) -> None:
    """An id is given, nothing is sent, and SES's text says why wherever one looks."""
    message_id = send_template(service, "untold@customer.example", data)
    told = service.told(message_id)
    assert ("rendering_failed", cause, "template") == (told["status"], told["cause"], told["branch"])
    assert text in str(told["evidence"])
    assert ["accepted", "rendering_failed"] == service.kinds(message_id)
    failure = event_of(listener, message_id, "Rendering Failure")["failure"]
    assert "order" == failure["templateName"]
    assert failure["errorMessage"].startswith(text)
    assert [] == internet.received("untold@customer.example")


def test_the_closest_name_in_the_data_is_told(service: Installation) -> None:
    """A name that was spelt otherwise in the data is what the sender wants to hear of."""
    told = service.told(send_template(service, "x@customer.example", '{"order": {"id": 1}, "display-name": 1}'))
    assert "display-name" in str(told["remedies"])


def test_a_template_without_its_object_can_be_tried_on_the_command_line(service: Installation) -> None:
    """``waybill render`` renders what would be sent, or says what is missing and exits 1."""
    whole = '{"order": {"id": 9}, "display_name": "Ada"}'
    assert "Subject: Order 9" in service.run("render", "order", "--data", whole)
    assert "'display_name'" in service.run("render", "order", "--data", '{"order": {"id": 9}}', code=1)


def test_the_test_virus_is_rejected(service: Installation, listener: Listener, internet: Internet) -> None:
    """EICAR gets an id and a Reject event with SES's reason, and is never sent."""
    content = {"Simple": {"Subject": {"Data": "A file"}, "Body": {"Text": {"Data": EICAR}}}}
    message_id = service.send("clean@customer.example", Content=content, ConfigurationSetName=EVENT_SET)
    told = service.told(message_id)
    assert ("rejected", "virus_detected") == (told["status"], told["cause"])
    assert ["accepted", "rejected"] == service.kinds(message_id)
    assert {"reason": "Bad content"} == event_of(listener, message_id, "Reject")["reject"]
    assert [] == internet.received("clean@customer.example")
