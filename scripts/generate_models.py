"""Writes the stripped service models in ``src/waybill/api/models`` from botocore's; ``--check`` only compares."""

import json
import sys
from pathlib import Path
from typing import Any

import botocore
from botocore.loaders import Loader

TARGET = Path(__file__).parents[1] / "src" / "waybill" / "api" / "models"
SERVICES = ("ses", "sesv2", "sns")
# What the wire needs of a shape. A model that uses a trait outside these lists must be looked at by a person.
KEPT = ("type", "members", "required", "member", "key", "value", "enum", "min", "max", "pattern")
LEFT_OUT = {
    "documentation",
    "sensitive",
    "exception",
    "fault",
    "error",
    "box",
    "deprecated",
    "deprecatedMessage",
    "union",
}
MEMBER_KEPT = {"shape": "shape", "location": "location", "locationName": "location_name"}
MEMBER_LEFT_OUT = {"documentation", "contextParam"}


def strip_member(reference: dict[str, Any]) -> dict[str, Any]:
    unknown = set(reference) - set(MEMBER_KEPT) - MEMBER_LEFT_OUT
    if unknown:
        raise SystemExit(f"a member uses traits that the wire does not know: {sorted(unknown)}")
    return {short: reference[trait] for trait, short in MEMBER_KEPT.items() if trait in reference}


def strip_shape(name: str, shape: dict[str, Any]) -> dict[str, Any]:
    unknown = set(shape) - set(KEPT) - LEFT_OUT
    if unknown:
        raise SystemExit(f"shape {name} uses traits that the wire does not know: {sorted(unknown)}")
    kept = {trait: shape[trait] for trait in KEPT if shape.get(trait) not in (None, {}, [])}
    if "members" in kept:
        kept["members"] = {member: strip_member(reference) for member, reference in kept["members"].items()}
    for trait in ("member", "key", "value"):
        if trait in kept:
            kept[trait] = strip_member(kept[trait])
    return kept


def strip_operation(operation: dict[str, Any]) -> dict[str, Any]:
    output = operation.get("output", {})
    stripped = {
        "method": operation["http"]["method"],
        "uri": operation["http"]["requestUri"],
        "input": operation.get("input", {}).get("shape"),
        "output": output.get("shape"),
        "result": output.get("resultWrapper"),
    }
    return {trait: value for trait, value in stripped.items() if value is not None}


def strip_model(service: str) -> dict[str, Any]:
    model = Loader().load_service_model(service, "service-2")
    shapes, metadata = model["shapes"], model["metadata"]
    errors = {name: shape for name, shape in shapes.items() if shape.get("exception")}
    return {
        "service": service,
        "protocol": metadata["protocol"],
        "version": metadata["apiVersion"],
        "signing_name": metadata.get("signingName", metadata["endpointPrefix"]),
        "namespace": metadata.get("xmlNamespace", ""),
        "operations": {name: strip_operation(operation) for name, operation in model["operations"].items()},
        "shapes": {name: strip_shape(name, shape) for name, shape in shapes.items() if name not in errors},
        "errors": {
            shape.get("error", {}).get("code", name): shape.get("error", {}).get("httpStatusCode", 400)
            for name, shape in errors.items()
        },
    }


def main() -> int:
    stale = []
    for service in SERVICES:
        path = TARGET / f"{service}.json"
        text = json.dumps(strip_model(service), separators=(",", ":"), sort_keys=False).replace('},"', '},\n"') + "\n"
        if path.exists() and path.read_text("utf-8") == text:
            continue
        stale.append(path.name)
        if "--check" not in sys.argv:
            path.write_text(text, "utf-8")
    if not stale:
        return 0
    verb = "differ from" if "--check" in sys.argv else "written from"
    print(f"{', '.join(stale)}: {verb} botocore {botocore.__version__}")
    return 1 if "--check" in sys.argv else 0


if __name__ == "__main__":
    raise SystemExit(main())
