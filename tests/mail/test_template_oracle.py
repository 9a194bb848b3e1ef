"""Waybill's templates behave as handlebars.js 4.7.10 does, which runs inside QuickJS as the oracle."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import quickjs
from hypothesis import example, given, settings
from hypothesis import strategies as st

from waybill.mail.template import TemplateError, parse, render
from waybill.model.cause import Cause

HANDLEBARS = Path(__file__).parent / "vendor" / "handlebars.min.js"

# Handlebars calls escapeExpression for every {{x}}: this is where SES's two differences are put in,
# nothing is escaped, and what is missing fails.
STRICT = """
Handlebars.Utils.escapeExpression = function (value) {
  if (value === null || value === undefined) { throw new Error("MISSING"); }
  return "" + value;
};
Handlebars.log = function () {};
function run(source, data) {
  try { return "=" + Handlebars.compile(source)(JSON.parse(data)); }
  catch (error) { return "!" + error.message; }
}
"""

Oracle = Callable[[str, dict[str, Any]], str]


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    context = quickjs.Context()
    context.eval(HANDLEBARS.read_text("utf-8"))
    context.eval(STRICT)
    run = context.get("run")

    def ask(source: str, data: dict[str, Any]) -> str:
        return str(run(source, json.dumps(data)))

    return ask


def outcome(source: str, data: dict[str, Any]) -> str:
    """``=`` and the text, ``!MISSING``, or ``!`` for any other fault."""
    try:
        return "=" + render(parse(source), data)
    except TemplateError as error:
        return "!MISSING" if error.cause is Cause.TEMPLATE_VARIABLE_MISSING else "!"


def expected(oracle: Oracle, source: str, data: dict[str, Any]) -> str:
    answer = oracle(source, data)
    return answer if answer.startswith("=") or answer == "!MISSING" else "!"


NAMES = st.sampled_from(["a", "b", "c", "xs", "1"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from(["", "x", "<&>", "ü\n", "0"]),
    st.sampled_from([0.5, 1e21, 1e-7]),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)
DATA = st.dictionaries(NAMES, VALUES, min_size=1, max_size=4)

PATHS = st.sampled_from(
    [
        "a",
        "b",
        "c",
        "xs",
        "1",
        "a.b",
        "xs.0",
        "xs.length",
        "xs.[1]",
        "this",
        ".",
        "this.a",
        "./b",
        "../a",
        "../../b",
        "../this",
        "@index",
        "@key",
        "@first",
        "@last",
        "@root.a",
        "@../index",
        "p",
        "q",
        "p.a",
        "[a]",
        "a/b",
        "(lookup this 'a')",
        "(lookup xs @index)",
        "'x'",
        "1.5",
        "true",
        "null",
        "undefined",
    ]
)
EXPRESSIONS = PATHS.filter(lambda path: not path.startswith("("))
TILDE = st.sampled_from(["", "", "~"])
TEXTS = st.sampled_from(["", "t", " ", "\n", "  \n", "\n  ", " u \n v ", "\r\n", "\\", "}", "\t\n\n"])
BLOCKS = st.sampled_from(["if", "unless", "each", "with"])
PARAMS = st.sampled_from(["", "", "", " as |p q|", " as |p|"])


@st.composite
def tags(draw: st.DrawFn) -> str:
    """An output, a comment, an escaped tag or a partial."""
    left, right, path = draw(TILDE), draw(TILDE), draw(EXPRESSIONS)
    return draw(
        st.sampled_from(
            [
                f"{{{{{left}{path}{right}}}}}",
                f"{{{{{left}{path}{right}}}}}",
                f"{{{{{left}lookup this 'a'{right}}}}}",
                f"{{{{{left}! note {right}}}}}",
                f"{{{{{left}!-- a }} note --{right}}}}}",
                f"\\{{{{{path}}}}}",
                f"{{{{{left}> n{right}}}}}",
                f"{{{{{left}> n {path}{right}}}}}",
                f"{{{{{left}> n a={path} b='k'{right}}}}}",
                f"{{{{{left}#> n{right}}}}}z{{{{/n}}}}",
                f"{{{{{left}else{right}}}}}",
                f"{{{{{left}{path} a{right}}}}}",
            ]
        )
    )


@st.composite
def blocks(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    """A block with any of its parts."""
    t = [draw(TILDE) for _ in range(6)]
    body, other, third, path = draw(inner), draw(inner), draw(inner), draw(PATHS)
    name = draw(BLOCKS)
    params = draw(PARAMS) if name in ("each", "with") else ""
    middle = draw(st.sampled_from(["", f"{{{{{t[2]}else{t[3]}}}}}{other}", f"{{{{{t[2]}^{t[3]}}}}}{other}", "chain"]))
    if middle == "chain":
        middle = f"{{{{{t[2]}else if {draw(PATHS)}{t[3]}}}}}{other}"
        middle += draw(
            st.sampled_from(["", f"{{{{else}}}}{third}", f"{{{{{t[3]}else unless b{t[2]}}}}}{third}{{{{else}}}}9"])
        )
    section = draw(st.sampled_from(["a", "b", "xs", "this", "a.b", "p"]))
    inverted = middle if "else if" not in middle else ""
    return draw(
        st.sampled_from(
            [
                f"{{{{{t[0]}#{name} {path}{params}{t[1]}}}}}{body}{middle}{{{{{t[4]}/{name}{t[5]}}}}}",
                f"{{{{{t[0]}#{name} {path}{params}{t[1]}}}}}{body}{middle}{{{{{t[4]}/{name}{t[5]}}}}}",
                f"{{{{{t[0]}#{section}{t[1]}}}}}{body}{middle}{{{{{t[4]}/{section}{t[5]}}}}}",
                f"{{{{{t[0]}^{section}{t[1]}}}}}{body}{inverted}{{{{{t[4]}/{section}{t[5]}}}}}",
                f"{{{{{t[0]}^if {path}{t[1]}}}}}{body}{inverted}{{{{{t[4]}/if{t[5]}}}}}",
                f"{{{{{t[0]}#* inline 'n'{t[1]}}}}}{body}{{{{{t[4]}/inline{t[5]}}}}}",
                f"{{{{{t[0]}#if {path} includeZero=true{t[1]}}}}}{body}{{{{{t[4]}/if{t[5]}}}}}",
                f"{{{{{t[0]}#> n {section}{t[1]}}}}}{body}{{{{{t[4]}/n{t[5]}}}}}",
            ]
        )
    )


def sequences(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(st.one_of(TEXTS, inner), max_size=5).map("".join)


SOURCES = sequences(st.recursive(tags(), lambda inner: blocks(sequences(inner)), max_leaves=8))
# The first defines n where it is never run: Waybill refuses a partial that is defined nowhere while it still parses.
PARTIAL = st.sampled_from(
    [
        "{{#if zz}}{{#* inline 'n'}}{{/inline}}{{/if}}",
        "{{#* inline 'n'}}[{{a}}]\n{{/inline}}\n",
        "{{#* inline 'n'}}\n <{{#if b}}{{b}}{{/if}}{{@index}}>\n q\n{{/inline}}",
        "{{#* inline 'n'}}({{> @partial-block}}){{/inline}}",
    ]
)


EVERYTHING: dict[str, Any] = {
    "a": {"b": {"c": "deep"}, "x": 0, "10": "ten", "2": "two", "k": "v"},
    "xs": [1, 1, "1", True, 0, "", [1, [2, 3]], {"n": "m"}],
    "ks": {"z": 1, "10": 2, "9": 3, "01": 4},
    "n": 1,
    "s": "text",
    "zero": 0,
    "no": False,
    "t": {"v": 1, "kids": [{"v": 2, "kids": [{"v": 3, "kids": []}]}, {"v": 4, "kids": []}]},
}

# Corners that random templates reach too rarely to rely on.
CORNERS = [
    "{{#each ks}}{{@key}}{{@index}}{{@first}}{{@last}},{{/each}}",
    "{{#each xs}}{{#with this}}{{../n}}{{/with}};{{/each}}",
    "{{#each xs}}{{#each ../xs}}{{../../n}}{{../n}}{{/each}}{{/each}}",
    "{{#each xs}}{{@index}}:{{#if this}}{{this}}{{else}}-{{/if}} {{/each}}",
    "{{#each xs}}{{lookup ../xs @index}}{{lookup ../a 'k'}}{{/each}}",
    "{{lookup a 10}}{{lookup a 2.0}}{{lookup xs '0'}}{{lookup zero 'x'}}{{lookup s 'length'}}",
    "{{#if zero}}a{{else}}b{{/if}}{{#if zero includeZero=true}}a{{else}}b{{/if}}{{#if zero includeZero=no}}a{{else}}b{{/if}}",
    "{{#with zero}}{{this}}{{/with}}{{#zero}}[{{this}}]{{/zero}}{{#s}}{{this}}{{/s}}{{#no}}x{{else}}y{{/no}}",
    "{{#with a as |o|}}{{#with o.b as |p|}}{{o.k}}{{p.c}}{{../k}}{{/with}}{{/with}}",
    "{{#each xs as |each if|}}{{if}}{{each}} {{/each}}",
    "{{#* inline 'tree'}}({{v}}{{#each kids}}{{> tree}}{{/each}}){{/inline}}{{#with t}}{{> tree}}{{/with}}",
    "{{#* inline 'p'}}\n{{v}}\n  {{#each kids}}\n  {{> p}}\n  {{/each}}\n{{/inline}}\n\t{{> p t}}\nend",
    "{{#* inline 'p'}}{{q}}{{s}}{{b.c}}{{/inline}}{{> p a q=n s=(lookup a 'k')}}{{> p q=1 b=a.b}}",
    "{{#* inline 'p'}}1{{/inline}}{{#if n}}{{#* inline 'p'}}2{{/inline}}{{> p}}{{/if}}{{> p}}",
    "{{#* inline 'lay'}}<{{> @partial-block}}>{{/inline}}{{#> lay a}}{{k}}{{#> lay}}in{{/lay}}{{/lay}}",
    "{{#if no}}{{#* inline 'x'}}{{/inline}}{{/if}}{{#> x}}fall back {{n}}{{/x}}{{> (lookup a 'k')}}",
    "{{#* inline 'v'}}dynamic{{/inline}}{{> (lookup a 'k')}}",
    "{{#each t.kids}}{{#each kids}}{{@../index}}{{@index}}{{@root.n}}{{../v}}{{../../n}}{{/each}}{{/each}}",
    "[{{n}}]{{'n'}}{{[n]}}{{a.[10]}}{{a/b/c}}{{./n}}{{this.n}}",
    "{{#unless no}}\n  A\n{{~else}}\nB\n{{/unless~}}\n\n C {{~#if n~}} D {{~/if}}",
    "{{#if no}}\n1\n{{else if zero}}\n2\n{{~else if n~}}\n3\n{{else}}\n4\n{{/if}}\nafter",
    "{{^}}", "{{else}}", "{{#n}}{{else}}{{else}}{{/n}}", "{{n x}}", "{{#n x}}{{/n}}", "{{if n}}",
    "{{> nowhere}}", "{{n.}}", "{{.n}}", "{{n\n}}", "{{ n }}", "{{n}}}", "{{{n}}}", "{{{n}}", "{{&n}}", "{{n~}} {{~n}}", "{{@nope}}",
    "{{a.b.c.d}}", "{{xs}}", "{{a}}", "{{xs.[7].n}}", "{{xs.07}}", "{{xs.8}}", "{{s.length}}", "{{thisn}}", "{{a.this}}", "{{true}}",
]  # fmt: skip


@pytest.mark.parametrize("source", CORNERS)
def test_corners_render_as_in_handlebars(oracle: Oracle, source: str) -> None:
    """Equal contexts and ``../``, key order, truth of zero, nested and dynamic partials, stand-alone lines, faults."""
    assert outcome(source, EVERYTHING) == expected(oracle, source, EVERYTHING)


@settings(max_examples=80, deadline=None)
@given(PARTIAL, SOURCES, DATA)
@example(" ", "{{#each xs}}{{#if this}}{{../a}}{{/if}}{{/each}}", {"xs": [1, 0, ""], "a": 7})
def test_templates_render_as_handlebars_does(oracle: Oracle, head: str, source: str, data: dict[str, Any]) -> None:
    """The same text, or a missing variable on both sides, or a fault on both sides."""
    assert expected(oracle, head + source, data) == outcome(head + source, data)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="{}~#/^!>&-'\"ab .[]|@=()\\\n", max_size=30))
def test_any_text_parses_or_fails_as_in_handlebars(oracle: Oracle, source: str) -> None:
    """Random punctuation never crashes, and what parses on one side parses on the other."""
    answer, ours = expected(oracle, source, {"a": 1, "b": {"a": 2}}), outcome(source, {"a": 1, "b": {"a": 2}})
    assert answer == ours


@settings(max_examples=200, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**70), 2**70))
def test_numbers_print_as_in_javascript(oracle: Oracle, number: float) -> None:
    """Floats and integers of any size, in the same notation; QuickJS sometimes writes a digit more than needed."""
    theirs, ours = oracle("{{x}}", {"x": number})[1:], outcome("{{x}}", {"x": number})[1:]
    assert float(theirs) == float(ours)
    assert ("e" in theirs, "." in theirs) == ("e" in ours, "." in ours)
    assert len(theirs) >= len(ours)
