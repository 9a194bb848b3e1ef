"""The stripped service models are what botocore's say, and the wire knows all that they use."""

import subprocess
import sys
from pathlib import Path

import pytest

from waybill.api.compatibility import compatibility
from waybill.api.registry import OPERATIONS, PARTIAL
from waybill.api.shapes import Member, ServiceModel, load_model
from waybill.api.validate import _compiled

ROOT = Path(__file__).parents[2]
SERVICES = ("sesv2", "ses", "sns")


def references(model: ServiceModel) -> list[Member]:
    found = []
    for shape in model.shapes.values():
        found += [*shape.members.values(), *(member for member in (shape.member, shape.key, shape.value) if member)]
    return found


@pytest.mark.parametrize("script", ["generate_models.py", "generate_docs.py"])
def test_generated_files_are_current(script: str) -> None:
    """What is generated is what the generator writes now."""
    command = [sys.executable, str(ROOT / "scripts" / script), "--check"]
    run = subprocess.run(command, capture_output=True, check=False, text=True)
    assert (run.returncode, run.stdout) == (0, "")


@pytest.mark.parametrize("service", SERVICES)
def test_models_are_whole(service: str) -> None:
    """Every reference leads to a shape, every pattern compiles, every REST label is a member."""
    model = load_model(service)
    assert {member.shape for member in references(model)} <= set(model.shapes)
    for shape in model.shapes.values():
        if shape.pattern:
            _compiled(shape.pattern)
    for operation in model.operations.values():
        members = model.shapes[operation.input].members if operation.input else {}
        labels = {member.location_name for member in members.values() if member.location == "uri"}
        assert all(f"{{{label}}}" in operation.uri for label in labels)
        assert operation.uri.count("{") == len(labels)


@pytest.mark.parametrize("service", SERVICES)
def test_every_operation_is_one_of_the_model(service: str) -> None:
    """What is registered, and what is said of it, has the model's names."""
    model = load_model(service)
    assert set(OPERATIONS[service]) <= set(model.operations)
    assert set(PARTIAL[service]) <= set(OPERATIONS[service])


def test_compatibility_page() -> None:
    """Each operation of the models has a row that says yes, partly or no."""
    model = load_model("sns")

    async def operation(call: object, request: object) -> dict[str, object]:
        return {}

    operations = {"sns": {"Publish": operation, "Subscribe": operation}}
    page = compatibility({"sns": model}, operations, {"sns": {"Subscribe": "http|https only"}})
    assert "## Amazon SNS (2 of 42)\n" in page
    assert "| Publish | yes |  |\n" in page
    assert "| Subscribe | partly | http&#124;https only |\n" in page
    assert "| ListTopics | no |  |\n" in page
