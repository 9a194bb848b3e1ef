"""The service models of SES v1, SES v2 and SNS: operations, shapes and errors, read from the stripped copies in ``models/``."""

from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Literal

import msgspec

Kind = Literal["structure", "list", "map", "string", "blob", "timestamp", "boolean", "integer", "long", "double"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """A reference to a shape. ``location`` is ``uri`` or ``querystring`` for what is not in the body; ``location_name`` its name on the wire."""

    shape: str
    location: Literal["uri", "querystring"] | None = None
    location_name: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """A type of the model with its constraints; only the fields of its ``type`` are set."""

    type: Kind
    members: dict[str, Member] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    member: Member | None = None
    key: Member | None = None
    value: Member | None = None
    enum: tuple[str, ...] = ()
    min: float | None = None
    max: float | None = None
    pattern: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OperationModel:
    """An operation. ``uri`` has labels in braces (REST-JSON); ``result`` is the element that wraps the answer (Query)."""

    method: str
    uri: str
    input: str | None = None
    output: str | None = None
    result: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceModel:
    """One service. ``errors`` maps each error code to its HTTP status."""

    service: Literal["ses", "sesv2", "sns"]
    protocol: Literal["query", "rest-json"]
    version: str
    signing_name: Literal["ses", "sns"]
    operations: dict[str, OperationModel]
    shapes: dict[str, Shape]
    errors: dict[str, int]
    namespace: str = ""


@cache
def load_model(service: str) -> ServiceModel:
    """The model of ``ses``, ``sesv2`` or ``sns``; read once a process."""
    text = resources.files("waybill.api").joinpath(f"models/{service}.json").read_bytes()
    return msgspec.json.decode(text, type=ServiceModel)
