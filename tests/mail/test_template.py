"""SES's template language as its documentation and real SES show it; the errors say what to correct."""

from typing import Any

import pytest

from waybill.mail.template import TemplateError, has_blocks, merge_data, parse, parse_data, render
from waybill.model.cause import Cause


def fault(source: str, data: dict[str, Any]) -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        render(parse(source), data)
    return caught.value


@pytest.mark.parametrize(
    ("source", "data", "text"),
    [
        ("Greetings, {{name}}!", {"name": "Ana"}, "Greetings, Ana!"),
        ("{{name}} {{{name}}} {{&name}}", {"name": "<b>'&"}, "<b>'& <b>'& <b>'&"),
        ("{{meta.userId}} {{meta/userId}}", {"meta": {"userId": 7}}, "7 7"),
        ("{{a.[first name]}}{{[b c]}}", {"a": {"first name": "x"}, "b c": "y"}, "xy"),
        (
            "{{#each subscription}}{{interest}}, {{/each}}",
            {"subscription": [{"interest": "a"}, {"interest": "b"}]},
            "a, b, ",
        ),
        ("{{#each o}}{{@key}}={{this}};{{/each}}", {"o": {"x": 1, "y": True}}, "x=1;y=true;"),
        ("{{#each l}}{{@index}}{{#if @last}}!{{/if}}{{else}}none{{/each}}", {"l": []}, "none"),
        ("{{#each l}}{{@index}}{{#if @last}}!{{/if}}{{else}}none{{/each}}", {"l": ["a", "b"]}, "01!"),
        ("{{#each absent}}x{{else}}none{{/each}}", {}, "none"),
        ("{{#if a}}A{{else if b}}B{{else}}C{{/if}}", {"b": 1}, "B"),
        ("{{#unless subscribed}}Hi{{/unless}}", {}, "Hi"),
        ("{{#with u}}{{n}} of {{../n}}{{/with}}", {"u": {"n": 1}, "n": 2}, "1 of 2"),
        ("{{#each l as |v i|}}{{i}}{{v}}{{/each}}", {"l": ["a"]}, "0a"),
        (
            "{{#* inline \"p\"}}\n<{{n}}{{x}}>\n{{/inline}}\n{{> p}}{{> p n='q' x=2}}",
            {"n": "m", "x": 1},
            "<m1>\n<q2>\n",
        ),
        ("{{#xs}}{{.}}{{/xs}}{{^none}}-{{/none}}", {"xs": [1, 2]}, "12-"),
        ("a{{! note }}{{!-- }} --}}b", {}, "ab"),
        ("a \n{{~#if t~}}\n b \n{{~/if~}}\n c", {"t": 1}, "abc"),
        ("a\n  {{#if t}}\nb\n  {{/if}}\nc", {"t": 1}, "a\nb\nc"),
        ("\\{{a}} {{a}} \\\\{{a}}", {"a": 1}, "{{a}} 1 \\1"),
        ("{{lookup m k}}", {"m": {"x": 5}, "k": "x"}, "5"),
        (
            "{{n}} {{f}} {{t}} {{l}} {{o}}",
            {"n": 1.0, "f": 0.1, "t": False, "l": [1, None, "a"], "o": {}},
            "1 0.1 false 1,,a [object Object]",
        ),
        ("{{amazonSESUnsubscribeUrl}} {{ses:openTracker}}", {}, "{{amazonSESUnsubscribeUrl}} {{ses:openTracker}}"),
        ("{{xs.length}}", {"xs": [1, 2]}, "2"),
        ("a{{log x}}b{{#each xs}}{{log .}}{{/each}}", {"x": 1, "xs": [1]}, "ab"),
    ],
)
def test_renders(source: str, data: dict[str, Any], text: str) -> None:
    """Each construct of the language gives what Handlebars gives, unescaped."""
    assert text == render(parse(source), data)


@pytest.mark.parametrize("data", [{}, {"name": None}])
@pytest.mark.parametrize("source", ["Hi {{name}}", "Hi {{{name}}}"])
def test_a_missing_variable_fails_with_the_text_of_ses(source: str, data: dict[str, Any]) -> None:
    """Absent and null are the same; the text is the one of the Rendering Failure event."""
    error = fault(source, data)
    assert Cause.TEMPLATE_VARIABLE_MISSING is error.cause
    assert error.error == "Attribute 'name' is not present in the rendering data."


def test_a_missing_variable_names_place_and_near_miss() -> None:
    """The person who reads it finds the tag and the name that was meant."""
    error = fault("Dear\n  {{display_name}},", {"display-name": "x", "order_id": 1})
    assert (error.line, error.column, error.tag, error.variable) == (2, 3, "{{display_name}}", "display_name")
    assert error.available == ("display-name", "order_id")
    assert error.closest == "display-name"


@pytest.mark.parametrize(
    ("source", "data", "variable", "available", "closest"),
    [
        ("{{user.nmae}}", {"user": {"name": 1, "id": 2}}, "user.nmae", ("name", "id"), "name"),
        ("{{#each l}}{{company}}{{/each}}", {"l": [{"n": 1}], "company": "c"}, "company", ("n",), "../company"),
        ("{{Name}}", {"name": 1}, "Name", ("name",), "name"),
        ("{{zzz}}", {"name": 1}, "zzz", ("name",), None),
        ("{{a.b}}", {"a": "text"}, "a.b", (), None),
        ("{{#each l}}{{this}}{{/each}}", {"l": [None]}, "this", (), None),
        ("{{lookup m 'k'}}", {"m": {}}, "k", (), None),
    ],
)
def test_the_names_at_the_place_are_given(
    source: str, data: dict[str, Any], variable: str, available: tuple[str, ...], closest: str | None
) -> None:
    """``available`` are the names where the variable was looked for, not those of the whole data."""
    error = fault(source, data)
    assert (variable, available, closest) == (error.variable, error.available, error.closest)


def test_an_unknown_helper_is_named_as_ses_names_it() -> None:
    """Real SES says of {{#IF x}} that the attribute IF is missing."""
    error = fault("{{#IF x}}a{{/IF}}", {"x": 1})
    assert Cause.TEMPLATE_SYNTAX_ERROR is error.cause
    assert error.error == "Attribute 'IF' is not present in the rendering data."
    assert error.closest == "if"


@pytest.mark.parametrize(
    ("source", "line", "column", "words"),
    [
        ("a\n{{#if x}}b", 2, 1, "{{#if x}} is never closed"),
        ("{{#if x}}{{/each}}", 1, 10, "{{/each}} cannot close {{#if x}}"),
        ("{{/if}}", 1, 1, "closes nothing"),
        ("{{else}}", 1, 1, "outside any block"),
        ("{{#if a}}{{else}}{{else}}{{/if}}", 1, 18, "cannot stand here"),
        ("x {{name", 1, 3, "never closed"),
        ("{{a b=}}", 1, 7, "Unexpected"),
        ("{{a/../b}}", 1, 3, "Invalid path"),
        ("{{}}", 1, 3, "Unexpected"),
        ("{{> footer}}", 1, 1, "The partial 'footer' is not defined"),
        ("{{#if}}{{/if}}", 1, 1, "#if requires exactly one argument"),
        ("{{{{raw}}}}{{{{/raw}}}}", 1, 1, "Raw blocks"),
        ("{{* x}}", 1, 1, "Decorators"),
        ("{{#log x}}{{/log}}", 1, 1, "log is not a block helper"),
        ("{{#* inline 'n'}}{{else}}{{/inline}}", 1, 18, "cannot stand here"),
        ("{{#* inline 'n'}}{{/inline}}{{> n a b}}", 1, 29, "A partial takes one context"),
        ("{{#* other 'n'}}{{/other}}", 1, 1, "inline"),
        ("a\x00b", 1, 2, "NUL"),
    ],
)
def test_syntax_errors_name_their_place(source: str, line: int, column: int, words: str) -> None:
    """Line and column count from 1 and point at the tag or the character."""
    with pytest.raises(TemplateError) as caught:
        parse(source)
    assert Cause.TEMPLATE_SYNTAX_ERROR is caught.value.cause
    assert (line, column) == (caught.value.line, caught.value.column)
    assert words in caught.value.error


@pytest.mark.parametrize(
    ("source", "blocks"),
    [
        ("Hi {{name}} {{a.b}} {{! note }} {{{c}}}", False),
        ("{{#if a}}x{{/if}}", True),
        ("{{#xs}}x{{/xs}}", True),
        ("{{lookup a b}}", True),
        ("{{#* inline 'n'}}{{/inline}}", True),
    ],
)
def test_has_blocks(source: str, blocks: bool) -> None:
    """Inline templates may only substitute; this is how the rest is told apart."""
    assert blocks == has_blocks(parse(source))


def test_parse_data_reads_objects() -> None:
    """TemplateData is a JSON object; nothing at all is an empty one."""
    assert parse_data('{"a": [1, {"b": "\\u00fc"}]}') == {"a": [1, {"b": "ü"}]}
    assert parse_data("  ") == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{'a': 1}", "line 1, column 2"),
        ('{"a": 1,\n}', "line "),
        ("[1]", "not an array"),
        ("null", "not null"),
        ('{"a": NaN}', "NaN"),
        ('{"a":' * 2_000_00 + "1" + "}" * 2_000_00, "nested"),
        ('{"a":' * 150 + "1" + "}" * 150, "nested"),
        ('{"a": "\\ud800"}', "surrogate"),
        ('{"a": ' + "9" * 5000 + "}", "invalid"),
    ],
)
def test_parse_data_refuses_what_is_no_object(text: str, words: str) -> None:
    """The error says what is wrong and where."""
    with pytest.raises(TemplateError) as caught:
        parse_data(text)
    assert Cause.TEMPLATE_DATA_INVALID is caught.value.cause
    assert words in caught.value.error


def test_merge_goes_through_objects_and_replaces_the_rest() -> None:
    """As SES v2 does: per key, recursively through objects; arrays and scalars whole."""
    defaults = {"a": 1, "o": {"x": 1, "y": {"z": 1}}, "l": [1, 2], "s": {"k": 1}}
    replacement = {"o": {"y": {"w": 2}}, "l": [3], "s": "text", "n": None}
    assert merge_data(defaults, replacement) == {
        "a": 1,
        "o": {"x": 1, "y": {"z": 1, "w": 2}},
        "l": [3],
        "s": "text",
        "n": None,
    }
    assert defaults == {"a": 1, "o": {"x": 1, "y": {"z": 1}}, "l": [1, 2], "s": {"k": 1}}
