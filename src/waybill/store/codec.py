"""Records as JSON and back; sealed fields are encrypted on the way out and opened on the way in."""

import dataclasses
from typing import Any, TypeVar

import msgspec

from waybill.model.event import FACTS, EventKind, Fact
from waybill.model.message import Message
from waybill.model.resource import (
    AccessKey,
    Account,
    ConfigurationSet,
    DedicatedIp,
    DedicatedIpPool,
    Identity,
    MtaStsPolicy,
    Probe,
    Resource,
    SigningCertificate,
    Subscription,
    Suspension,
    Template,
    Topic,
)
from waybill.model.standing import Recommendation
from waybill.store.seal import Seal

T = TypeVar("T")
R = TypeVar(
    "R",
    Account,
    AccessKey,
    Identity,
    Template,
    ConfigurationSet,
    Topic,
    Subscription,
    SigningCertificate,
    Suspension,
    Probe,
    MtaStsPolicy,
    DedicatedIpPool,
    DedicatedIp,
    Recommendation,
)

KINDS: dict[type[Any], str] = {
    Account: "account",
    AccessKey: "access_key",
    Identity: "identity",
    Template: "template",
    ConfigurationSet: "configuration_set",
    Topic: "topic",
    Subscription: "subscription",
    SigningCertificate: "signing_certificate",
    Suspension: "suspension",
    Probe: "probe",
    MtaStsPolicy: "mta_sts_policy",
    DedicatedIpPool: "dedicated_ip_pool",
    DedicatedIp: "dedicated_ip",
    Recommendation: "recommendation",
}

encode = msgspec.json.Encoder().encode

_resources: dict[type[Any], msgspec.json.Decoder[Any]] = {kind: msgspec.json.Decoder(kind) for kind in KINDS}
_facts: dict[str, msgspec.json.Decoder[Any]] = {kind.value: msgspec.json.Decoder(FACTS[kind]) for kind in EventKind}
_message = msgspec.json.Decoder(Message)


def encode_resource(record: Resource, seal: Seal) -> bytes:
    """The record as JSON, its sealed fields encrypted for its kind, account and name."""
    return encode(_map_sealed(record, seal.encrypt, _place(type(record), record.account, record.name)))


def decode_resource(kind: type[R], body: bytes, key: tuple[str, str], seal: Seal) -> R:
    """The record of ``key`` (account, name) that ``encode_resource`` wrote. Raises: StoreUnavailable."""
    record: R = _resources[kind].decode(body)
    return _map_sealed(record, seal.decrypt, _place(kind, *key))


def decode_fact(kind: str, body: bytes) -> Fact:
    """The fact of an event."""
    fact: Fact = _facts[kind].decode(body)
    return fact


def decode_message(body: bytes, dkim_header: bytes) -> Message:
    """A message with the signature that was kept beside it."""
    message = _message.decode(body)
    return dataclasses.replace(message, dkim_header=dkim_header) if dkim_header else message


def _place(kind: type[Any], account: str, name: str) -> str:
    return f"{KINDS[kind]} {account} {name}"


def _map_sealed(value: T, change: Any, place: str) -> T:
    """The dataclass with ``change`` applied to every sealed field in it, however deep."""
    assert dataclasses.is_dataclass(value)
    changed: dict[str, Any] = {}
    for field in dataclasses.fields(value):
        before = getattr(value, field.name)
        if field.metadata.get("sealed"):
            changed[field.name] = change(before, f"{place} {field.name}")
        elif dataclasses.is_dataclass(before):
            after = _map_sealed(before, change, place)
            if after is not before:
                changed[field.name] = after
        elif isinstance(before, tuple) and before and dataclasses.is_dataclass(before[0]):
            members = tuple(_map_sealed(member, change, place) for member in before)
            if any(new is not old for new, old in zip(members, before, strict=True)):
                changed[field.name] = members
    return dataclasses.replace(value, **changed) if changed else value  # type: ignore[type-var]
