"""Stories whose facts come from elsewhere: Amazon SES's notifications, copies that came back, and a provider that fails for many."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from tests.flow.installation import Installation, until
from tests.stories.scenes import expect
from tests.stories.story import DISOWNED, Story
from tests.stories.world import GOOD, World
from tests.watch import events
from waybill.lab.script import Rule
from waybill.model.cause import Cause
from waybill.model.outcome import Stage

KNOWN = 30
PROVIDER = "disowning.example"


def _from_amazon(number: int, make: Callable[..., dict[str, Any]], **told: Any) -> Callable[[World, str], str]:
    """One notification in a file, about a message id of its own."""

    def send(world: World, to: str) -> str:
        message_id = f"010201a20cd2a50c-3f0c2c1e-8a5b-4d0c-9d2a-{number:012x}-000000"
        event = json.dumps(make(**told)).replace(events.MESSAGE_ID, message_id).replace(events.TO, to)
        file = world.service.folder / f"amazon-{number}.json"
        file.write_text(event + "\n", "utf-8")
        world.service.run("watch", "amazon-ses", "--file", str(file))
        return message_id

    return send


def amazon_stories() -> list[Story]:
    """Mail that Amazon SES sent."""
    by_ses = {"responder": "waybill"}
    cases: list[tuple[str, Callable[..., dict[str, Any]], dict[str, Any], str, dict[str, Any]]] = [
        (
            "Amazon SES: the mailbox does not exist",
            events.bounce,
            {},
            "bounced",
            expect(Cause.USER_UNKNOWN, scope="recipient", responder="remote", permanent=True, remedy="sender"),
        ),
        (
            "Amazon SES: on the account's suppression list",
            events.bounce,
            {"sub_type": "OnAccountSuppressionList", "words": events.ON_ACCOUNT_LIST},
            "suppressed",
            expect(Cause.SUPPRESSED_ACCOUNT, scope="recipient", permanent=True, remedy="sender", **by_ses),
        ),
        (
            "Amazon SES: the contact has opted out",
            events.bounce,
            {"sub_type": "UnsubscribedRecipient", "words": None},
            "suppressed",
            expect(Cause.UNSUBSCRIBED, scope="recipient", permanent=True),
        ),
        (
            "Amazon SES: time ran out while its DNS look-ups failed",
            events.bounce,
            {"kind": "Transient", "words": events.EXPIRED},
            "bounced",
            expect(
                Cause.DELIVERY_EXPIRED,
                underlying_cause="dns_failure",
                remedy="sender",
                act="Send the message again, later",
            ),
        ),
        (
            "Amazon SES: delivered",
            events.delivery,
            {},
            "delivered",
            expect(Cause.ACCEPTED_BY_RECEIVER, responder="remote"),
        ),
    ]
    return [
        Story(
            name=name,
            send=_from_amazon(number, make, **told),
            status=status,
            expected=expected,
            recipient=f"amazon{number}@mail.example",
        )
        for number, (name, make, told, status, expected) in enumerate(cases)
    ]


def _copy(message_id: str, to: str, fields: str) -> str:
    return (
        f"{fields}From: Shop <orders@shop.example>\r\nTo: {to}\r\nSubject: Your order\r\n"
        f"Message-ID: <{message_id}@us-east-1.amazonses.com>\r\n\r\nIt has shipped.\r\n"
    )


def _traced(fields: Callable[[datetime], str]) -> Callable[[World, str], str]:
    """Delivered, and then its reader hands in the copy."""

    def send(world: World, to: str) -> str:
        service = world.service
        message_id = service.send(to)
        service.ended(message_id, "delivered")
        file = service.folder / f"{to}.eml"
        file.write_text(_copy(message_id, to, fields(datetime.now(UTC))), "utf-8")
        assert service.json("trace", str(file), "--keep")["kept"]
        return message_id

    return send


def _in_junk(at: datetime) -> str:
    return (
        f"Received: from mail.shop.example (192.0.2.1) by AM0PR05MB5678.eurprd05.prod.outlook.com (10.0.0.5); "
        f"{format_datetime(at)}\r\n"
        "X-Forefront-Antispam-Report: CIP:192.0.2.1;CTRY:US;LANG:en;SCL:5;SRV:;IPV:NLI;SFV:SPM;H:mail.shop.example;"
        "PTR:mail.shop.example;CAT:SPM;DIR:INB;\r\n"
        "X-MS-Exchange-Organization-SCL: 5\r\n"
    )


def _stored_late(at: datetime) -> str:
    later = format_datetime(at + timedelta(minutes=40))
    return (
        f"Received: from mx.{GOOD} by store.{GOOD} with LMTP id x1; {later}\r\n"
        f"Received: from mail.shop.example (mail.shop.example [127.0.0.1]) by mx.{GOOD} (Postfix) with ESMTP id 4A; "
        f"{format_datetime(at)}\r\n"
    )


def _from_a_slow_relay(world: World, to: str) -> str:
    """Submitted by the application's own relay, which had it for an hour."""
    ago = format_datetime(datetime.now(UTC) - timedelta(hours=1))
    message = (
        f"Received: from app.shop.example (app.shop.example [10.0.0.7]) by relay.shop.example (Postfix) with ESMTP id 4B; {ago}\r\n"
        f"From: orders@shop.example\r\nTo: {to}\r\nSubject: Your order\r\n\r\nIt has shipped.\r\n"
    )
    code, text = world.service.submit(to, message.encode())
    assert code == 250, text
    return str(world.service.json("find", "--to", to)[0]["message_id"])


def _disowned(world: World, to: str) -> str:
    """Everybody there took mail a moment ago, and now nobody is known any more."""
    service = world.services[DISOWNED]
    everybody = [f"known{number}@{PROVIDER}" for number in range(KNOWN)]
    first = [service.send(one) for one in (*everybody, to)]
    for message_id in first:
        service.ended(message_id, "delivered")
    for one in everybody:
        service.send(one)
    until(lambda: _open_incident(service), 60)
    return service.send(to)


def _open_incident(service: Installation) -> bool:
    return any(one["kind"] == "false_recipient_rejects" for one in service.json("incident", "list", "--open"))


def copy_stories() -> list[Story]:
    """Copies that tell what became of the message, or what had been."""
    taken = {"responder": "remote", "permanent": False}
    return [
        Story(
            name="The copy is in Junk: Microsoft's SCL says so",
            send=_traced(_in_junk),
            recipient=f"junked@{GOOD}",
            status="delivered",
            expected=expect(Cause.PLACED_IN_SPAM, scope="content", **taken),
        ),
        Story(
            name="The copy was stored 40 minutes after it had been taken",
            send=_traced(_stored_late),
            recipient=f"late@{GOOD}",
            status="delivered",
            expected=expect(Cause.DELAYED_AFTER_ACCEPTANCE, **taken),
        ),
        Story(
            name="The application's own relay kept it for an hour",
            send=_from_a_slow_relay,
            recipient=f"slow-relay@{GOOD}",
            status="delivered",
            expected=expect(Cause.DELAYED_BEFORE_ACCEPTANCE, permanent=False),
        ),
        Story(
            name="A provider says that nobody exists who took mail a moment ago",
            send=_disowned,
            recipient=f"pat@{PROVIDER}",
            mx=f"mx.{PROVIDER}",
            rule=Rule(stage=Stage.RCPT, recipient=f"*@{PROVIDER}", reply="550 5.1.1 The account does not exist"),
            accepts_first=True,
            status="delayed",
            where=DISOWNED,
            expected=expect(
                Cause.PROVIDER_INCIDENT, underlying_cause="user_unknown", permanent=False, suppressed=False
            ),
        ),
    ]


def stories_from_elsewhere() -> list[Story]:
    """All of them."""
    return [*amazon_stories(), *copy_stories()]
