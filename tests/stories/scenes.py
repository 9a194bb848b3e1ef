"""The stories that no receiver's words make: templates, lists, limits, DNS, holds, and time."""

import base64
import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from tests.flow.installation import Installation, until
from tests.stories.story import CUT_OFF, LOST, OPEN, STRICT, Story
from tests.stories.world import GOOD, NOBODY, PLAIN, World
from waybill.cli.demo_stories import EICAR
from waybill.model.cause import CATALOGUE, Cause
from waybill.model.resource import DEFAULT_ACCOUNT, INSTALLATION, Account, ConfigurationSet, Template

Send = Callable[[World, str], str]


def expect(cause: Cause, **more: Any) -> dict[str, Any]:
    """What an expert answers: the cause with its branch, and what else is given."""
    entry = CATALOGUE[cause]
    return {"cause": cause.value, "branch": entry.branch.value, **more}


def _templated(name: str, text: str, data: str) -> Send:
    def send(world: World, to: str) -> str:
        content = {"Subject": "Hello", "Text": "Your order."}
        world.service.sesv2.create_email_template(TemplateName=name, TemplateContent=content)
        # not over the API, which takes no template that cannot be parsed: one of an older release may be there
        world.service.change(Template, DEFAULT_ACCOUNT, name, lambda stored: replace(stored, subject=text))
        asked = {"Template": {"TemplateName": name, "TemplateData": data}}
        return world.service.send(to, Content=asked)

    return send


def _listed(*scope: str) -> Send:
    def send(world: World, to: str) -> str:
        world.service.run("suppression", "add", to, *scope)
        return world.service.send(to)

    return send


def _refused(installation: Installation, to: str, key: dict[str, str] | None = None, **more: Any) -> str:
    """The request id of an error."""
    content = {"Simple": {"Subject": {"Data": "Hello"}, "Body": {"Text": {"Data": "Hello"}}}}
    request = {"FromEmailAddress": "orders@shop.example", "Destination": {"ToAddresses": [to]}, "Content": content}
    try:
        installation.client("sesv2", key).send_email(**{**request, **more})
    except ClientError as error:
        return str(error.response["ResponseMetadata"]["RequestId"])
    raise AssertionError(f"the message to {to} was accepted")


def _limited(number: int, change: Callable[[Account], Account]) -> Send:
    """An account that has used up what it may send."""

    def send(world: World, to: str) -> str:
        account = f"{number:012}"
        key: dict[str, str] = world.service.json("keys", "create", "--account", account)
        world.service.change(Account, INSTALLATION, account, change)
        content = {"Simple": {"Subject": {"Data": "Hello"}, "Body": {"Text": {"Data": "Hello"}}}}
        first = {"FromEmailAddress": "orders@shop.example", "Destination": {"ToAddresses": [f"first@{GOOD}"]}}
        world.service.client("sesv2", key).send_email(**first, Content=content)
        return _refused(world.service, to, key)

    return send


def _paused_account(world: World, to: str) -> str:
    key: dict[str, str] = world.service.json("keys", "create", "--account", "000000000301")
    world.service.run("account", "pause", key["account"], "--reason", "unpaid invoice")
    return _refused(world.service, to, key)


def _paused_set(world: World, to: str) -> str:
    world.service.sesv2.create_configuration_set(ConfigurationSetName="paused")
    world.service.sesv2.put_configuration_set_sending_options(ConfigurationSetName="paused", SendingEnabled=False)
    return _refused(world.service, to, ConfigurationSetName="paused")


def _strict_tls(world: World, to: str) -> str:
    world.service.sesv2.create_configuration_set(ConfigurationSetName="tls", DeliveryOptions={"TlsPolicy": "REQUIRE"})
    return world.service.send(to, ConfigurationSetName="tls")


def _short_lived(world: World, to: str) -> str:
    world.service.sesv2.create_configuration_set(ConfigurationSetName="hurried")
    world.service.change(
        ConfigurationSet, DEFAULT_ACCOUNT, "hurried", lambda stored: replace(stored, max_delivery_seconds=1)
    )
    return world.service.send(to, ConfigurationSetName="hurried")


def _mail_from(world: World, to: str) -> str:
    strict = world.services[STRICT]
    strict.sesv2.create_email_identity(EmailIdentity="custom.example")
    strict.run("identities", "verify", "custom.example")
    strict.sesv2.put_email_identity_mail_from_attributes(
        EmailIdentity="custom.example", MailFromDomain="bounces.custom.example", BehaviorOnMxFailure="REJECT_MESSAGE"
    )
    return _refused(strict, to, FromEmailAddress="a@custom.example")


def _infected(world: World, to: str) -> str:
    message = (
        f"From: orders@shop.example\r\nTo: {to}\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: application/octet-stream; name="a.bin"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
        f"{base64.b64encode(EICAR.encode()).decode()}\r\n"
    )
    return world.service.send(to, Content={"Raw": {"Data": message.encode()}})


def _large(world: World, to: str) -> str:
    body = {"Subject": {"Data": "Large"}, "Body": {"Text": {"Data": "0123456789\n" * 500}}}
    return world.service.send(to, Content={"Simple": body})


def _held(world: World, to: str) -> str:
    world.service.run(
        "queue", "hold", "--site", f"mx.{to.rpartition('@')[2]}", "--for", "2h", "--reason", "asked by phone"
    )
    time.sleep(1.5)  # the workers look at the suspensions every second
    return world.service.send(to)


def _plainly(world: World, to: str) -> str:
    return world.service.send(to)


def _to(domain: str) -> str:
    return f"ada@{domain}"


def template_stories() -> list[Story]:
    """What goes wrong before there is a message."""
    loops = json.dumps({"a": [1] * 60})
    endless = "{{#each a}}{{#each @root.a}}{{#each @root.a}}{{#each @root.a}}x{{/each}}{{/each}}{{/each}}{{/each}}"
    cases = [
        ("A variable is missing from the data", "Hello {{display_name}}", '{"display-name": "A"}', Cause.TEMPLATE_VARIABLE_MISSING),
        ("A nested variable is missing", "Order {{order.number}}", '{"order": {"id": 7}}', Cause.TEMPLATE_VARIABLE_MISSING),
        ("The data is not JSON", "Hello {{name}}", '{"name": ', Cause.TEMPLATE_DATA_INVALID),
        ("The data is a list", "Hello {{name}}", "[1]", Cause.TEMPLATE_DATA_INVALID),
        ("A block is never closed", "{{#each items}}{{name}}", "{}", Cause.TEMPLATE_SYNTAX_ERROR),
        ("A helper that does not exist", "{{shout name}}", '{"name": "A"}', Cause.TEMPLATE_SYNTAX_ERROR),
        ("The template loops too much", endless, loops, Cause.TEMPLATE_LIMIT_EXCEEDED),
    ]  # fmt: skip
    return [
        Story(
            name=name,
            send=_templated(f"template-{number}", text, data),
            status="rendering_failed",
            expected=expect(cause, scope="content", responder="waybill", permanent=True, remedy="sender"),
            recipient=f"template{number}@{GOOD}",
        )
        for number, (name, text, data, cause) in enumerate(cases)
    ]


def address_stories() -> list[Story]:
    """Addresses that go nowhere, and lists that stop them."""
    in_dns = {"responder": "dns", "permanent": True, "remedy": "sender"}
    listed = {"scope": "recipient", "responder": "waybill", "permanent": True}
    return [
        Story(
            name="The domain does not exist, and gmail.com is one letter away",
            send=_plainly,
            recipient=_to("gmial.com"),
            status="bounced",
            expected=expect(Cause.DOMAIN_NOT_FOUND, scope="recipient_domain", suppressed=False, **in_dns),
        ),
        Story(
            name="The domain takes no mail, and says so (null MX)",
            send=_plainly,
            recipient=_to("nomail.example"),
            zone={"nomail.example": ["MX 0 ."]},
            status="bounced",
            expected=expect(Cause.DOMAIN_NO_MAIL, scope="recipient_domain", **in_dns),
        ),
        Story(
            name="The domain's DNS fails",
            send=_plainly,
            recipient=_to("dnsfail.example"),
            zone={"dnsfail.example": ["SERVFAIL"]},
            status="delayed",
            expected=expect(Cause.DNS_FAILURE, scope="recipient_domain", responder="dns", permanent=False),
        ),
        Story(
            name="The address is on the account's suppression list",
            send=_listed(),
            recipient=f"listed@{GOOD}",
            status="suppressed",
            expected=expect(Cause.SUPPRESSED_ACCOUNT, remedy="sender", **listed),
        ),
        Story(
            name="The operator has barred the address for everybody",
            send=_listed("--global"),
            recipient=f"barred@{GOOD}",
            status="suppressed",
            expected=expect(Cause.SUPPRESSED_GLOBAL, **listed),
        ),
    ]


def delivery_stories() -> list[Story]:
    """What Waybill finds out by itself on the way to the receiver, and time."""
    plain = {"mx.plain.example": [f"A {PLAIN}"]}
    return [
        Story(
            name="Nobody listens at the receiver's address",
            send=_plainly,
            recipient=_to("closed.example"),
            zone={"closed.example": ["MX 10 mx.closed.example"], "mx.closed.example": [f"A {NOBODY}"]},
            status="delayed",
            expected=expect(Cause.CONNECTION_FAILED, responder="network", permanent=False),
        ),
        Story(
            name="The configuration set wants TLS, and the receiver has none",
            send=_strict_tls,
            recipient=_to("clear.example"),
            zone={"clear.example": ["MX 10 mx.plain.example"], **plain},
            status="delayed",
            expected=expect(Cause.TLS_REQUIRED, permanent=False, suppressed=False),
        ),
        Story(
            name="The message is larger than the receiver's SIZE",
            send=_large,
            recipient=_to("small.example"),
            zone={"small.example": ["MX 10 mx.plain.example"], **plain},
            status="bounced",
            expected=expect(Cause.MESSAGE_TOO_LARGE, scope="content", permanent=True, remedy="sender"),
        ),
        Story(
            name="The receiver was told too late: the configuration set's time is over",
            send=_short_lived,
            recipient=_to("late.example"),
            zone={"late.example": ["MX 10 mx.late.example"], "mx.late.example": [f"A {NOBODY}"]},
            status="bounced",
            expected=expect(Cause.DELIVERY_EXPIRED, underlying_cause="connection_failed", suppressed=False),
        ),
        Story(
            name="The operator holds the site",
            send=_held,
            recipient=_to("held.example"),
            zone={"held.example": ["MX 10 mx.held.example"], "mx.held.example": ["A 127.0.0.1"]},
            status="queued",
            expected=expect(Cause.HELD_BY_WAYBILL, scope="service", responder="waybill", permanent=False),
        ),
        Story(
            name="Malware, found before anything is sent",
            send=_infected,
            recipient=f"infected@{GOOD}",
            status="rejected",
            expected=expect(
                Cause.VIRUS_DETECTED, scope="content", responder="waybill", permanent=True, remedy="sender"
            ),
        ),
    ]


def account_stories() -> list[Story]:
    """Requests that get an error and no id."""
    ours = {"scope": "account", "responder": "waybill"}
    by_sender = {"remedy": "sender", "act": "SendingEnabled true"}
    refused: list[tuple[str, Send, Cause, dict[str, str]]] = [
        (
            "The sender is not verified",
            lambda world, to: _refused(world.services[STRICT], to),
            Cause.IDENTITY_NOT_VERIFIED,
            {},
        ),
        ("The custom MAIL FROM domain has no MX", _mail_from, Cause.MAIL_FROM_NOT_VERIFIED, {}),
        ("The operator has paused the account", _paused_account, Cause.SENDING_PAUSED, {}),
        ("The configuration set is paused", _paused_set, Cause.SENDING_PAUSED, by_sender),
        (
            "The 24-hour quota is used up",
            _limited(302, lambda account: replace(account, max_24_hour_send=1)),
            Cause.QUOTA_EXCEEDED,
            {},
        ),
        (
            "The sending rate is used up",
            _limited(303, lambda account: replace(account, max_send_rate=0.001)),
            Cause.SENDING_RATE_EXCEEDED,
            {},
        ),
    ]
    return [
        Story(
            name=name,
            send=send,
            recipient=f"refused{number}@{GOOD}",
            status="refused",
            expected=expect(cause, **ours, **more),
            where=STRICT if cause in {Cause.IDENTITY_NOT_VERIFIED, Cause.MAIL_FROM_NOT_VERIFIED} else OPEN,
        )
        for number, (name, send, cause, more) in enumerate(refused)
    ]


def _cut_off(world: World, to: str) -> str:
    return world.services[CUT_OFF].send(to)


def _lost(world: World, to: str) -> str:
    """Accepted an hour ago, put off, and then the machine was lost: nobody works on it any more."""
    lost = world.services[LOST]
    # over SMTP: a request signed now is not yet current by its clock
    lost.submit(to, f"From: orders@shop.example\r\nTo: {to}\r\nSubject: Your order\r\n\r\nIt has shipped.\r\n".encode())
    message_id = str(lost.json("find", "--to", to)[0]["message_id"])
    until(lambda: lost.told(message_id)["cause"] is not None)
    lost.kill_all()
    return message_id


def service_stories() -> list[Story]:
    """Waybill's own faults."""
    ours = {"scope": "service", "remedy": "operator", "permanent": False}
    return [
        Story(
            name="The address that Waybill sends from has left the machine",
            send=_cut_off,
            recipient=_to("far.example"),
            zone={"far.example": ["MX 10 mx.far.example"], "mx.far.example": ["A 198.51.100.88"]},
            status="delayed",
            where=CUT_OFF,
            expected=expect(Cause.WAYBILL_INCIDENT, responder="waybill", **ours),
        ),
        Story(
            name="The machine with the only worker was lost an hour ago",
            send=_lost,
            recipient=_to("forgotten.example"),
            zone={"forgotten.example": ["MX 10 mx.forgotten.example"], "mx.forgotten.example": [f"A {NOBODY}"]},
            status="delayed",
            where=LOST,
            expected=expect(Cause.STUCK, underlying_cause="connection_failed", responder="waybill", **ours),
        ),
    ]


def scenes() -> list[Story]:
    """All of them."""
    return [
        *template_stories(),
        *address_stories(),
        *delivery_stories(),
        *account_stories(),
        *service_stories(),
    ]
