"""No template and no data can take more than their budget; nothing overflows the stack."""

from typing import Any

import pytest

from waybill.mail.template import Budget, TemplateError, parse, render
from waybill.model.cause import Cause

MANY = [[each] for each in range(1000)]


@pytest.mark.parametrize(
    ("source", "data", "words"),
    [
        ("{{#each a}}{{#each ../a}}{{#each ../../a}}x{{/each}}{{/each}}{{/each}}", {"a": MANY}, "steps"),
        ("{{#each a}}{{#each ../a}}{{#each ../../a}}{{/each}}{{/each}}{{/each}}", {"a": MANY}, "steps"),
        ("{{#* inline 'n'}}{{> n}}{{/inline}}{{> n}}", {}, "nested"),
        ("{{#* inline 'n'}}{{> n}}{{> n}}{{/inline}}{{> n}}", {}, "nested"),
        ("{{#each a}}{{@root.s}}{{/each}}", {"a": MANY, "s": "x" * 100_000}, "characters"),
        ("{{#each a}}{{@root.l}}{{/each}}", {"a": MANY, "l": list(range(1000))}, "steps"),
        ("{{#* inline 'n'}}" + "\n" * 1000 + "{{/inline}}\n" + "  {{> n}}\n" * 1000, {}, "steps"),
        ("{{#each a}}" + "{{#if b}}{{else if b}}" * 20 + "{{/if}}" * 20 + "{{/each}}", {"a": MANY * 20}, "steps"),
        (
            "{{#* inline 'n'}}{{/inline}}{{#each a}}{{> n . x=1}}{{/each}}",
            {"a": [{str(i): i for i in range(1000)}] * 1000},
            "steps",
        ),
    ],
)
def test_rendering_bombs_end_in_limit_exceeded(source: str, data: dict[str, Any], words: str) -> None:
    """Loops, recursion, output and hidden work are all counted."""
    with pytest.raises(TemplateError) as caught:
        render(parse(source), data)
    assert Cause.TEMPLATE_LIMIT_EXCEEDED is caught.value.cause
    assert words in caught.value.error
    assert caught.value.line is not None


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("{{#if a}}" * 50_000, Cause.TEMPLATE_LIMIT_EXCEEDED),
        ("{{#if a}}" * 51 + "{{/if}}" * 51, Cause.TEMPLATE_LIMIT_EXCEEDED),
        ("{{#if " + "(a " * 50_000, Cause.TEMPLATE_LIMIT_EXCEEDED),
        ("{{a}}" * 100_000, Cause.TEMPLATE_LIMIT_EXCEEDED),
        ("{{" * 250_000, Cause.TEMPLATE_SYNTAX_ERROR),
        ("{{!--" * 100_000, Cause.TEMPLATE_SYNTAX_ERROR),
        ("{{a '" * 100_000, Cause.TEMPLATE_SYNTAX_ERROR),
        ("{{[" * 100_000, Cause.TEMPLATE_SYNTAX_ERROR),
        ("{{#*" * 100_000, Cause.TEMPLATE_SYNTAX_ERROR),
    ],
)
def test_parsing_bombs_end_in_an_error(source: str, cause: Cause) -> None:
    """Half a megabyte of anything neither overflows the stack nor takes quadratic time."""
    with pytest.raises(TemplateError) as caught:
        parse(source)
    assert cause is caught.value.cause


def test_long_chains_are_no_nesting() -> None:
    """An {{else if}} for each of 500 countries is a long template, not a deep one."""
    source = "{{#if a}}0" + "".join(f"{{{{else if c{each}}}}}{each}" for each in range(500)) + "{{/if}}"
    assert render(parse(source), {"c499": True}) == "499"


def test_a_large_honest_template_fits() -> None:
    """A table of 3000 rows is within the budget."""
    rows = [{"name": "n", "price": 1.5}] * 3000
    source = "{{#each rows}}<td>{{name}}</td><td>{{price}}</td>\n{{/each}}"
    assert render(parse(source), {"rows": rows}) == "<td>n</td><td>1.5</td>\n" * 3000


def test_the_clock_is_a_limit_too() -> None:
    """Where a step takes long, the deadline ends the rendering."""
    ticks = iter(range(1_000_000))
    budget = Budget(seconds=2, clock=lambda: next(ticks))
    with pytest.raises(TemplateError, match="longer than 2 seconds"):
        render(parse("{{#each a}}{{this}}{{/each}}"), {"a": MANY}, budget)


def test_steps_are_deterministic() -> None:
    """The same template and data need the same number of steps, wherever they run."""
    template, data = parse("{{#each a}}{{this}}{{/each}}"), {"a": [1, 2, 3]}

    def fits(steps: int) -> bool:
        try:
            render(template, data, Budget(steps=steps))
        except TemplateError:
            return False
        return True

    enough = next(steps for steps in range(1000) if fits(steps))
    assert [fits(enough - 1), fits(enough)] == [False, True]
