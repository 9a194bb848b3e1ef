"""Whatever a client writes as name, token, ARN or endpoint is understood or refused, never a crash."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.api.operations_world import MODELS
from waybill.api.arn import parse_arn
from waybill.api.call import ApiError
from waybill.api.identity import domain_name, identity_name
from waybill.api.paging import Page, Range, cut, open_page
from waybill.api.registry import OPERATIONS, PARTIAL
from waybill.api.ses_v1.words import in_v1_case, in_v1_lower_case, in_v2_case
from waybill.model.event import SesEvent

SIZES = Range(parameter="PageSize", default=10, maximum=100)


@pytest.mark.parametrize("service", ["sesv2", "ses", "sns"])
def test_operations_are_the_models(service: str) -> None:
    """Every operation is one of the service model, and remarks are about operations that are there."""
    assert set(OPERATIONS[service]) - set(MODELS[service].operation_names) == set()
    assert set(PARTIAL[service]) - set(OPERATIONS[service]) == set()


@settings(max_examples=100)
@given(st.text())
def test_tokens(token: str) -> None:
    """Any text is a token or refused as one."""
    with contextlib.suppress(ApiError):
        assert open_page(token, None, SIZES).limit == 10


@settings(max_examples=100)
@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1), unique=True), st.integers(1, 5))
def test_pages_cover_the_list(names: list[str], size: int) -> None:
    """Pages put together are the list."""
    ordered, seen, token = sorted(names), list[str](), None
    while True:
        page: Page = open_page(token, size, SIZES)
        rest = [name for name in ordered if name > page.after][: page.limit + 1]
        shown, token = cut(rest, page, lambda name: name)
        seen += shown
        if token is None:
            break
    assert seen == ordered


@settings(max_examples=100)
@given(st.text(alphabet="arn:aws/ses-1x", max_size=30) | st.text())
def test_arns(text: str) -> None:
    """An ARN is taken apart without loss; anything else is none."""
    arn = parse_arn(text)
    if arn is not None:
        assert text.endswith(f":{arn.service}:{arn.region}:{arn.account}:{arn.resource}")


@settings(max_examples=200)
@given(st.text(alphabet='ab@.-_<>" ü\r\n\x00()', max_size=20) | st.text())
def test_identity_names(text: str) -> None:
    """A name in its one form names the same identity again."""
    with contextlib.suppress(ApiError):
        name = identity_name(text)
        assert identity_name(name) == name
        assert name.isprintable()


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("Y.Example.", "y.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("localhost", None),
        ("a@y.example", None),
        ("y.example (x)", None),
        ("192.0.2.7", None),
    ],
)
def test_domain_names(given_name: str, name: str | None) -> None:
    """Domains have one form, and single labels and comments are none."""
    assert domain_name(given_name) == name


@pytest.mark.parametrize("word", list(SesEvent))
def test_words_of_v1(word: SesEvent) -> None:
    """v1's spelling of a word leads back to v2's."""
    assert in_v2_case(in_v1_lower_case(word)) == in_v2_case(in_v1_case(word)) == word
