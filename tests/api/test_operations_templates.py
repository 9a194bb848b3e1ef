"""Templates in v2 and v1: stored once, checked when they come in, rendered on trial."""

import email
import email.policy
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api.operations_world import START, World, open_world
from waybill.api.call import ApiError
from waybill.model.resource import DEFAULT_ACCOUNT, Template


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as opened:
        yield opened


async def create(world: World, name: str = "welcome", subject: str | None = "Hi {{name}}", text: str = "t") -> None:
    await world.v2("CreateEmailTemplate", TemplateName=name, TemplateContent={"Subject": subject, "Text": text})


async def test_life_in_both_versions(world: World) -> None:
    """A template made in v2 is read, changed and deleted in v1, and the other way round."""
    await create(world)
    v1 = await world.v1("GetTemplate", TemplateName="welcome")
    assert v1["Template"] == {
        "TemplateName": "welcome",
        "SubjectPart": "Hi {{name}}",
        "TextPart": "t",
        "HtmlPart": None,
    }
    world.now += 1000
    await world.v1("UpdateTemplate", Template={"TemplateName": "welcome", "SubjectPart": "s", "HtmlPart": "<b>"})
    v2 = await world.v2("GetEmailTemplate", TemplateName="welcome")
    assert v2["TemplateContent"] == {"Subject": "s", "Text": None, "Html": "<b>"}
    record = await world.store.get(Template, DEFAULT_ACCOUNT, "welcome")
    assert record is not None
    assert (record.version, record.created_at, record.updated_at) == (2, START, START + 1000)
    await world.v1("DeleteTemplate", TemplateName="welcome")
    await world.v1("DeleteTemplate", TemplateName="welcome")
    with pytest.raises(ApiError, match="welcome") as refused:
        await world.v2("DeleteEmailTemplate", TemplateName="welcome")
    assert refused.value.code == "NotFoundException"


async def test_another_account_has_its_own(world: World) -> None:
    """A template of one account is not there for another."""
    await create(world)
    with pytest.raises(ApiError, match="does not exist"):
        await world.v2("GetEmailTemplate", account="200000000002", TemplateName="welcome")


async def test_duplicates_and_missing_ones(world: World) -> None:
    """v1 and v2 name the same faults each in its own way."""
    await create(world)
    with pytest.raises(ApiError) as refused:
        await create(world)
    assert refused.value.code == "AlreadyExistsException"
    with pytest.raises(ApiError) as refused:
        await world.v1("CreateTemplate", Template={"TemplateName": "welcome", "SubjectPart": "s"})
    assert refused.value.code == "AlreadyExists"
    with pytest.raises(ApiError) as refused:
        await world.v2("UpdateEmailTemplate", TemplateName="x", TemplateContent={"Subject": "s"})
    assert (refused.value.code, refused.value.text) == ("NotFoundException", "Template x does not exist.")
    with pytest.raises(ApiError) as refused:
        await world.v1("GetTemplate", TemplateName="x")
    assert refused.value.code == "TemplateDoesNotExist"


@pytest.mark.parametrize(
    ("name", "subject", "text", "words"),
    [
        ("a/b", "s", "t", "TemplateName"),
        ("x" * 65, "s", "t", "TemplateName"),
        ("a\nb", "s", "t", "TemplateName"),
        ("a", None, "t", "The subject must be specified."),
        ("a", "s", "one\ntwo {{#if x}}", "Text, line 2, column"),
        ("a", "s", "x" * (500 * 1024), "allowed are 512000"),
    ],
)
async def test_faulty_templates(world: World, name: str, subject: str | None, text: str, words: str) -> None:
    """A faulty template is refused with its place and what is allowed."""
    with pytest.raises(ApiError, match=words) as refused:
        await create(world, name, subject, text)
    assert refused.value.code == "BadRequestException"
    with pytest.raises(ApiError, match=words) as refused:
        await world.v1("CreateTemplate", Template={"TemplateName": name, "SubjectPart": subject, "TextPart": text})
    assert refused.value.code == "InvalidTemplate"


async def test_pages(world: World) -> None:
    """NextToken leads through all templates, once each, also while one is deleted."""
    for number in range(5):
        await create(world, f"t{number}")
    first = await world.v2("ListEmailTemplates", PageSize=2)
    await world.v2("DeleteEmailTemplate", TemplateName="t1")
    second = await world.v2("ListEmailTemplates", PageSize=2, NextToken=first["NextToken"])
    third = await world.v1("ListTemplates", MaxItems=2, NextToken=second["NextToken"])
    assert [entry["TemplateName"] for page in (first, second) for entry in page["TemplatesMetadata"]] == [
        "t0",
        "t1",
        "t2",
        "t3",
    ]
    assert third == {"TemplatesMetadata": [{"Name": "t4", "CreatedTimestamp": START}], "NextToken": None}


@pytest.mark.parametrize("token", ["§", "////", "YQ=", "/w=="])
async def test_bad_token(world: World, token: str) -> None:
    """A token that no list has returned is refused."""
    with pytest.raises(ApiError, match="NextToken") as refused:
        await world.v2("ListEmailTemplates", NextToken=token)
    assert refused.value.code == "BadRequestException"


async def test_bad_page_size(world: World) -> None:
    """A page size below 1 is refused with what is allowed."""
    with pytest.raises(ApiError, match="MaxItems is 0; allowed are 1 to 100") as refused:
        await world.v1("ListTemplates", MaxItems=0)
    assert refused.value.code == "InvalidParameterValue"


async def test_trial_rendering(world: World) -> None:
    """The rendering is a MIME message with a decoded subject and both bodies."""
    content = {"Subject": "Grüße\r\nX: {{name}}", "Text": "Hi {{name}}\n.", "Html": "<p>{{name}}</p>"}
    await world.v2("CreateEmailTemplate", TemplateName="t", TemplateContent=content)
    answer = await world.v2("TestRenderEmailTemplate", TemplateName="t", TemplateData='{"name": "Jürgen"}')
    parsed = email.message_from_bytes(answer["RenderedTemplate"].encode(), policy=email.policy.default)
    assert parsed.keys() == ["Date", "Subject", "MIME-Version", "Content-Type"]
    assert parsed["Subject"] == "Grüße X: Jürgen"
    assert [part.get_content_type() for part in parsed.iter_parts()] == ["text/plain", "text/html"]
    assert [part.get_content().strip() for part in parsed.iter_parts()] == ["Hi Jürgen\r\n.", "<p>Jürgen</p>"]


@pytest.mark.parametrize(
    ("data", "code_v1", "words"),
    [
        ("{}", "MissingRenderingAttribute", "Attribute 'name' is not present in the rendering data."),
        ("[]", "InvalidRenderingParameter", "Template rendering data is invalid"),
        ("{", "InvalidRenderingParameter", "Template rendering data is invalid"),
    ],
)
async def test_trial_rendering_failures(world: World, data: str, code_v1: str, words: str) -> None:
    """What is wrong with the data is said in SES's words."""
    await create(world)
    with pytest.raises(ApiError, match=words) as refused:
        await world.v2("TestRenderEmailTemplate", TemplateName="welcome", TemplateData=data)
    assert refused.value.code == "BadRequestException"
    with pytest.raises(ApiError, match=words) as refused:
        await world.v1("TestRenderTemplate", TemplateName="welcome", TemplateData=data)
    assert refused.value.code == code_v1
