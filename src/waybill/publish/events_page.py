"""The page ``docs/events.md``: which fact becomes which SES event, each shown as the code makes it, and how it is delivered."""

import json
from dataclasses import replace

from waybill.model.clock import SECOND
from waybill.model.event import EventKind
from waybill.model.resource import FeedbackTopics, Subscription, Topic
from waybill.publish.example_facts import ACCOUNT, Example, examples
from waybill.publish.fan_out import SUBJECT
from waybill.publish.policy import Policy
from waybill.publish.post import SECONDS_TO_ANSWER
from waybill.publish.ses_event import event_json, notification_json
from waybill.publish.ses_mail import Installation
from waybill.publish.sns import Envelope, Signer, make_certificate

_INSTALLATION = Installation(region="us-east-1", hostname="mail.waybill.example")
_URL = "https://sns.waybill.example"
_TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:waybill-events"
_MESSAGE_ID = "5f0e5e0e-93f0-5a55-b0a8-0a2f6e1b7f10"

_FACTS: dict[EventKind, tuple[str, str]] = {
    EventKind.ACCEPTED: ("Send", "the request got its message id"),
    EventKind.REFUSED: ("none", "the request got an error: its caller knows"),
    EventKind.RENDERING_FAILED: ("Rendering Failure", "the template could not be rendered; nothing is sent"),
    EventKind.REJECTED: ("Reject", "malware was found; nothing is sent"),
    EventKind.SUPPRESSED: (
        "Bounce, or Complaint",
        "an entry of a suppression list stopped the recipient; a Complaint where the entry was made for one",
    ),
    EventKind.HELD: ("none", "the message waits inside Waybill"),
    EventKind.RELEASED: ("none", "a hold was ended before its time"),
    EventKind.PROLONGED: ("none", "an incident took time from it, and it got that back"),
    EventKind.TAKEN_OVER: ("none", "the worker that had the message ended without a word, and another goes on"),
    EventKind.STUCK: ("none", "due for long, and no worker has taken the message up"),
    EventKind.DELIVERED: ("Delivery", "the receiving server answered 250; not proof of the inbox"),
    EventKind.DEFERRED: ("DeliveryDelay", "an attempt failed and will be made again; one event for each such attempt"),
    EventKind.BOUNCED: ("Bounce", "an attempt was refused for good"),
    EventKind.EXPIRED: (
        "Bounce",
        "time ran out: `Transient`/`General`; `Transient`/`CustomTimeoutExceeded` where it was MaxDeliverySeconds",
    ),
    EventKind.BOUNCE_RECEIVED: ("Bounce", "a bounce mail came home, often after a Delivery for the same recipient"),
    EventKind.DELAY_REPORTED: ("none", "a notice of delay came home; the receiver goes on trying"),
    EventKind.COMPLAINED: ("Complaint", "a complaint came home"),
    EventKind.AUTO_REPLIED: ("none", "an automatic reply came home; it is no bounce"),
    EventKind.COPY_TRACED: (
        "none",
        "a received copy was traced (`waybill trace --keep`), and shows what the receiver did",
    ),
    EventKind.PROBED: ("none", "somebody asked the receiver live (`waybill explain --live`), as far as RCPT TO"),
    EventKind.SIGNATURE_BROKEN: ("none", "Waybill's own DKIM signature did not match the message as it went out"),
    EventKind.SUPPRESSION_ADDED: ("none", "the message put its recipient on a list"),
    EventKind.CONTENT_EXAMINED: (
        "none",
        "the content was examined, beside the sending; what was found is told in answers",
    ),
    EventKind.AMAZON_REPORTED: (
        "none",
        "Amazon SES told of a message that it sent itself; it has published that already",
    ),
    EventKind.AMAZON_ASKED: ("none", "Amazon SES's API was asked about a message that it sent itself"),
}

_START = """# Events

Waybill publishes what becomes of a message as Amazon SES does: the same JSON, in the same SNS messages, to the topics
of a configuration set's event destinations and to the notification topics of identities; and, where `publish.file` is
set, as lines of a file. Whether or not anybody listens, the ledger has every event (`waybill events ID`).

This page is made by the code: the examples are what it publishes.

## From the ledger to SES

| in the ledger | SES event | when |
|---|---|---|
"""

_DELIVERY = f"""
Every event is about one recipient. Their order is not guaranteed. `bounceType` and `bounceSubType` come from the cause
in the catalogue, so they and `waybill explain` never disagree. Opens, clicks and subscriptions are not tracked.

## SNS messages

`Subscribe` an `http` or `https` endpoint to the topic. It is sent a `SubscriptionConfirmation` and hears nothing else
until its token has come back: by a visit to the `SubscribeURL`, or by `ConfirmSubscription`. Endpoints on loopback and
private addresses are refused unless `publish.allow_private` is on; the addresses are checked when the name has been
resolved, and the connection is made to the address that was checked. Redirects are not followed. `publish.ca_file`
names further authorities for `https`.

Each message is a POST with `Content-Type: text/plain; charset=UTF-8` (another with `requestPolicy.headerContentType`),
`x-amz-sns-message-type`, `x-amz-sns-message-id`, `x-amz-sns-topic-arn` and `x-amz-sns-subscription-arn`. A user and
password in the endpoint's URL are sent once it answers 401 with `WWW-Authenticate: Basic`. With `RawMessageDelivery`
the body is the `Message` alone, and it has no signature.

A subscription that is ended by the unsigned `UnsubscribeURL` gets an `UnsubscribeConfirmation`; its `SubscribeURL`
restores it. Confirm with `AuthenticateOnUnsubscribe` to allow signed calls only.

### Signatures

The string to sign is `Key\\nValue\\n` for `Message`, `MessageId`, `Subject` (where there is one), `Timestamp`,
`TopicArn`, `Type`; for the two confirmations `Message`, `MessageId`, `SubscribeURL`, `Timestamp`, `Token`, `TopicArn`,
`Type`. `SignatureVersion` 1 is SHA1withRSA, 2 (topic attribute `SignatureVersion`) SHA256withRSA, both PKCS #1 v1.5. The
certificate is served at the `SigningCertURL`, under `http.public_url`. Verifiers that only trust hosts of
`amazonaws.com` have a setting for others; give them the host of `http.public_url`.

### Retries

An endpoint has {SECONDS_TO_ANSWER} seconds to answer 2xx. After a 5xx, a 429, or no answer, the same message with the
same `MessageId` is posted again, by default {Policy().retries} times, {Policy().min_delay} seconds apart; a
`DeliveryPolicy` of the subscription or the topic changes that, within an hour in all. Any other status is final. What
is given up is logged, and stays in the ledger. Each subscription has its own queue: a slow endpoint delays only itself.

### At least once

A message can come twice, after a crash or where an answer was lost. All copies of one have the same `MessageId`; remember
those of a day. In the file, and with raw delivery, `eventType`, `mail.messageId`, the recipient and the
event's `timestamp` are the same; a bounce or complaint also has its `feedbackId`. Do not use `mail.messageId`
alone: one message has many events.

"""

_NOTIFICATIONS = """## Notifications of identities

The topics of `SetIdentityNotificationTopic` get Bounce, Complaint and Delivery in the older form, without tags and
without a `Subject`.

"""

_FILE = """## The file

With `publish.file` every event of every account is appended as one line of JSON, the same as `Message` above, whatever
the configuration set. A line is on disk before its event is settled; after a crash the last lines can be there twice,
and a line that the crash cut short is ended, to be written again whole. The file is opened for every append, so it can
be rotated by renaming. While it cannot be written, events wait.
"""


def events_page() -> str:
    """The page in Markdown, always the same."""
    found = examples(_INSTALLATION)
    table = "".join(f"| `{kind}` | {name} | {when} |\n" for kind, (name, when) in _FACTS.items())
    parts = [_START, table, _DELIVERY]
    parts += [f"### {title}\n\n{_block(body)}\n" for title, body in _envelopes(found["send"]).items()]
    parts += ["## Events of configuration sets\n\n"]
    parts += [f"### {example.title}\n\n{_block(_event(example))}\n" for example in found.values()]
    parts += [_NOTIFICATIONS]
    for name, with_headers in (("bounce-permanent-general", False), ("complaint", False), ("delivery", True)):
        title = f"{found[name].title}, {'with' if with_headers else 'without'} headers"
        parts.append(f"### Notification: {title}\n\n{_block(_notification(found[name], with_headers=with_headers))}\n")
    return "".join([*parts, _FILE])


def _event(example: Example) -> bytes:
    return event_json(example.event, example.message, _INSTALLATION, example.delivered)


def _notification(example: Example, *, with_headers: bool) -> bytes:
    topics = FeedbackTopics(bounce_headers=with_headers, complaint_headers=with_headers, delivery_headers=with_headers)
    return notification_json(example.event, example.message, _INSTALLATION, topics)


def _block(body: bytes) -> str:
    return f"```json\n{json.dumps(json.loads(body), indent=2, ensure_ascii=False)}\n```\n"


def _envelopes(send: Example) -> dict[str, bytes]:
    """An envelope of each type. Its key is made here, so the signature and the certificate's name are written in words."""
    at = send.message.accepted_at
    certificate = replace(make_certificate("sns.waybill.example", at), name="<hex>")
    signer = Signer(certificate, _URL, lambda: at + SECOND)
    topic = Topic(account=ACCOUNT, name=_TOPIC, created_at=at)
    subscription = Subscription(
        account=ACCOUNT,
        name=f"{_TOPIC}:0d3c7a5e-1b7e-4c44-8f2f-4b1d2a9b7c11",
        topic_arn=_TOPIC,
        protocol="https",
        endpoint="https://hooks.shop.example/ses",
        token="2336412f37fb687f5d51e6e2425c464",  # noqa: S106 - an example
        created_at=at,
    )
    message = _event(send).decode()
    return {
        "Notification": _unsigned(
            signer.notification(topic, subscription, message_id=_MESSAGE_ID, message=message, subject=SUBJECT)
        ),
        "SubscriptionConfirmation": _unsigned(signer.confirmation(topic, subscription, message_id=_MESSAGE_ID)),
        "UnsubscribeConfirmation": _unsigned(signer.farewell(topic, subscription, message_id=_MESSAGE_ID)),
    }


def _unsigned(envelope: Envelope) -> bytes:
    return json.dumps({**json.loads(envelope.body), "Signature": "<base64>"}).encode()
