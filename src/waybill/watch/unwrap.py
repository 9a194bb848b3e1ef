"""Where an event of Amazon SES may be wrapped: SNS, SQS, EventBridge, Firehose and Lambda put it into one another."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from waybill.watch.ses_event import BadEvent

DEEPEST = 8
"""An event in an SNS message in an SQS message in a Lambda record is four deep."""

VALIDATION = "Successfully validated SNS topic for Amazon SES event publishing."
"""What SES publishes once to a topic that is made an event destination."""

SNS_TYPES = ("Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation")
"""The types of messages that SNS posts."""

_LISTS = ("Messages", "Records", "records", "Events", "Entries", "events")


@dataclass(frozen=True, kw_only=True, slots=True)
class Aside:
    """Something that belongs to the carrier and is no event: ``text`` says what, for people."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Broken:
    """One of several, and none of the forms that are known: ``text`` says why. The others go on."""

    text: str


Unwrapped: TypeAlias = dict[str, Any] | Aside | Broken


def unwrap(document: Any, depth: int = 0) -> Iterator[Unwrapped]:
    """The events (decoded JSON, not yet judged) in whatever they came in.

    Raises:
        BadEvent: it is none of the forms that are known.
    """
    if depth > DEEPEST:
        raise BadEvent(f"it is wrapped more than {DEEPEST} times")
    if isinstance(document, list):
        for one in document:
            try:
                yield from unwrap(one, depth + 1)
            except BadEvent as error:
                yield Broken(text=str(error))
        return
    if not isinstance(document, dict):
        raise BadEvent(f"an event is a JSON object, and this is {_named(document)}")
    if "mail" in document and ("eventType" in document or "notificationType" in document):
        yield document
        return
    if document.get("Type") in SNS_TYPES and "TopicArn" in document:
        yield from _in_sns(document, depth)
        return
    yield from _in_others(document, depth)


def _in_sns(document: dict[str, Any], depth: int) -> Iterator[Unwrapped]:
    kind, topic, message = document["Type"], document["TopicArn"], document.get("Message")
    if kind != "Notification":
        yield Aside(text=f"{kind} of the topic {topic}")
    elif isinstance(message, str) and message.strip() == VALIDATION:
        yield Aside(text=f"the word that SES may publish to the topic {topic}")
    else:
        yield from _decoded(message, "Message", depth)


def _in_others(document: dict[str, Any], depth: int) -> Iterator[Unwrapped]:
    if "detail-type" in document and isinstance(document.get("detail"), dict):  # EventBridge
        yield from unwrap(document["detail"], depth + 1)
        return
    if isinstance(document.get("Sns"), dict):  # Lambda's record of SNS
        yield from unwrap({"Type": "Notification", "TopicArn": "", **document["Sns"]}, depth + 1)
        return
    for name in ("Body", "body"):  # SQS, and Lambda's record of it
        if name in document:
            yield from _decoded(document[name], name, depth)
            return
    for name in _LISTS:
        if isinstance(document.get(name), list):
            yield from unwrap(document[name], depth + 1)
            return
    raise BadEvent("it is neither an event of Amazon SES nor one wrapped by SNS, SQS, EventBridge or Firehose")


def _decoded(text: Any, name: str, depth: int) -> Iterator[Unwrapped]:
    if isinstance(text, dict | list):
        yield from unwrap(text, depth + 1)
        return
    if isinstance(text, str) and text.strip() == VALIDATION:
        yield Aside(text="the word that SES may publish to a topic")
        return
    try:
        inner = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        shown = repr(text[:60] if isinstance(text, str) else text)
        raise BadEvent(f"{name} = {shown[:80]} is no JSON") from None
    yield from unwrap(inner, depth + 1)


def _named(value: Any) -> str:
    return {str: "a text", bool: "true or false", type(None): "null"}.get(type(value), "a number")
