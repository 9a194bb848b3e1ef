"""Filling a template with data: nothing is escaped, nothing is run, a missing variable is an error, work is bounded."""

from collections.abc import Iterable, Mapping
from typing import Any

from waybill.mail.template.budget import DEFAULT_BUDGET, Budget, BudgetExceeded, Meter
from waybill.mail.template.error import fault_at, syntax_error
from waybill.mail.template.missing import missing_variable, unknown_builtin
from waybill.mail.template.scope import Closure, Frame, PartialBlock, Scope, enter, resolve
from waybill.mail.template.syntax import (
    Block,
    Call,
    Expression,
    Literal,
    Output,
    Partial,
    Path,
    Program,
    Template,
    Text,
)
from waybill.mail.template.value import is_empty, is_missing, is_zero, keys_in_order, look_up, to_text
from waybill.model.cause import Cause

ROUND = 3
"""Steps that entering a body costs, so that a step is about as long whatever it is."""


def render(template: Template, data: Mapping[str, Any], budget: Budget = DEFAULT_BUDGET) -> str:
    """The template filled with ``data``, as Handlebars 4.7 does with ``noEscape``, but for these rules of SES.

    A variable that is absent or null fails where it would be printed; ``{{#if x}}`` and ``{{#each x}}`` take it
    for false and for empty. The tags of ``syntax.RESERVED`` stay as they are.

    Raises:
        TemplateError: template_variable_missing; template_syntax_error for a helper or partial that does not exist;
            template_limit_exceeded where the budget is used up.
    """
    rendering = _Rendering(template.source, budget)
    try:
        return rendering.start(template.program, dict(data))
    except (BudgetExceeded, RecursionError) as fault:
        reason = str(fault) if isinstance(fault, BudgetExceeded) else "blocks and partials are nested too deeply"
        text = f"Rendering stopped: {reason}"
        raise fault_at(Cause.TEMPLATE_LIMIT_EXCEEDED, template.source, rendering.offset, text) from None


class _Rendering:
    """One rendering. ``offset`` is where in the source it is; ``partials`` are those in force there."""

    __slots__ = ("_meter", "_out", "_partials", "_source", "offset")

    def __init__(self, source: str, budget: Budget) -> None:
        self._source = source
        self._meter = Meter(budget)
        self._out: list[str] = []
        self._partials: dict[str, Closure] = {}
        self.offset = 0

    def start(self, program: Program, data: dict[str, Any]) -> str:
        frame = Frame({"root": data})
        self._run(program, data, Scope(data, None, frame), frame)
        return "".join(self._out)

    def _run(
        self, program: Program, context: Any, written_in: Scope, frame: Frame, values: tuple[Any, ...] = ()
    ) -> None:
        self._meter.enter(ROUND + len(program.body) + len(program.block_params))
        scope = enter(written_in, program, context, frame, values)
        partials = self._partials
        if program.inlines:
            self._meter.work(len(partials) + len(program.inlines))
            self._partials = partials | {each.name: Closure(each.program, written_in) for each in program.inlines}
        for node in program.body:
            if isinstance(node, Text):
                self._write(node.value)
                continue
            self.offset = node.offset
            if isinstance(node, Output):
                self._output(node, scope)
            elif isinstance(node, Block):
                self._block(node, scope)
            else:
                self._partial(node, scope)
        self._partials = partials
        self._meter.leave()

    def _write(self, text: str) -> None:
        self._meter.write(len(text))
        self._out.append(text)

    def _output(self, node: Output, scope: Scope) -> None:
        value = self._value_of(node.call, scope)
        if isinstance(value, str):
            self._write(value)
        elif is_missing(value):
            raise missing_variable(self._source, node, scope)
        else:
            self._write(to_text(value, self._meter.work))

    def _value_of(self, call: Call, scope: Scope) -> Any:
        """The value of a tag: a helper's if it names one or has parameters, else the variable's."""
        if not (call.builtin or call.params or call.options) or _is_shadowed(call, scope):
            return resolve(call.path, scope)
        return self._apply(call, scope)

    def _apply(self, call: Call, scope: Scope) -> Any:
        if call.builtin == "log":
            return ""
        if call.builtin is None:
            raise unknown_builtin(self._source, call, max(self.offset, call.offset))
        if call.builtin != "lookup":
            text = f"{call.builtin} is a block helper: write {{{{#{call.builtin} …}}}}…{{{{/{call.builtin}}}}}"
            raise syntax_error(self._source, call.offset, text)
        if len(call.params) != 2:
            raise syntax_error(self._source, call.offset, "lookup requires exactly two arguments")
        holder, name = (self._evaluate(param, scope) for param in call.params)
        if is_empty(holder) or is_zero(holder):
            return holder
        return look_up(holder, to_text(name, self._meter.work))

    def _evaluate(self, expression: Expression, scope: Scope) -> Any:
        self._meter.work()
        if isinstance(expression, Path):
            return resolve(expression, scope)
        if isinstance(expression, Literal):
            return expression.value
        return self._apply(expression, scope)

    def _block(self, block: Block, scope: Scope) -> None:
        following: Block | None = block
        while following is not None:
            self._meter.work()
            otherwise = self._take(following, scope)
            if otherwise is None:
                return
            following = otherwise.chained
            if following is None:
                self._run(otherwise, scope.context, scope, scope.frame)

    def _take(self, block: Block, scope: Scope) -> Program | None:
        """Run the block's program if its condition holds; else the program to run instead, if there is one."""
        call, shadowed = block.call, _is_shadowed(block.call, scope)
        if call.builtin is None or shadowed:
            if not shadowed and (call.params or call.options):
                raise unknown_builtin(self._source, call, block.offset)
            return self._section(block, resolve(call.path, scope), scope)
        value = self._evaluate(call.params[0], scope)
        if call.builtin == "each":
            return self._each(block, value, scope)
        if call.builtin == "with":
            if is_empty(value):
                return block.inverse
            self._run_program(block, value, scope, (value,))
            return None
        if self._holds(call, value, scope) == (call.builtin == "if"):
            self._run_program(block, scope.context, scope)
            return None
        return block.inverse

    def _holds(self, call: Call, value: Any, scope: Scope) -> bool:
        if is_zero(value):
            options = dict(call.options)
            include = options.get("includeZero")
            included = None if include is None else self._evaluate(include, scope)
            return not (is_empty(included) or is_zero(included))
        return not is_empty(value)

    def _section(self, block: Block, value: Any, scope: Scope) -> Program | None:
        """``{{#x}}``: for each element of an array, with an object or value, if true (Handlebars' blockHelperMissing)."""
        if value is True:
            self._run_program(block, scope.context, scope)
        elif value is False or is_missing(value):
            return block.inverse
        elif isinstance(value, list):
            return self._each(block, value, scope)
        else:
            self._run_program(block, value, scope)
        return None

    def _each(self, block: Block, value: Any, scope: Scope) -> Program | None:
        if not isinstance(value, list | dict) or not value:
            return block.inverse
        self._meter.work(len(value))
        rounds: Iterable[tuple[Any, Any]] = enumerate(value)
        if isinstance(value, dict):
            rounds = [(key, value[key]) for key in keys_in_order(value)]
        frame, last = scope.frame.child(), len(value) - 1
        for index, (key, item) in enumerate(rounds):
            frame.values.update(key=key, index=index, first=index == 0, last=index == last)
            if block.program is not None:
                self._run(block.program, item, scope, frame, (item, key))
        return None

    def _run_program(self, block: Block, context: Any, scope: Scope, values: tuple[Any, ...] = ()) -> None:
        if block.program is not None:
            self._run(block.program, context, scope, scope.frame, values)

    def _partial(self, node: Partial, scope: Scope) -> None:
        name = node.name if isinstance(node.name, str) else self._name(node.name, scope)
        context = self._evaluate(node.params[0], scope) if node.params else scope.context
        if node.options:
            self._meter.work(len(context) if isinstance(context, list | dict) else 0)
            context = _members(context) | {key: self._evaluate(value, scope) for key, value in node.options}
        frame = scope.frame
        if node.program is not None:
            frame = scope.frame.child()
            frame.partial_block = PartialBlock(Closure(node.program, scope), scope.frame.partial_block)
        found = self._partials.get(name)
        # {{#> name}}…{{/name}} falls back to its own body.
        block = frame.partial_block if found is None and (name == "@partial-block" or node.program) else None
        if block is not None:
            found, frame = block.closure, frame.child()
            frame.partial_block = block.outer
        if found is None:
            text = f"The partial {name!r} could not be found"
            raise syntax_error(self._source, node.offset, text, self._source[node.offset : node.end])
        outer, self._out = self._out, ([] if node.indent else self._out)
        self._run(found.program, context, found.scope, frame)
        if node.indent:
            self._indent(node.indent, outer)

    def _name(self, call: Call, scope: Scope) -> str:
        return to_text(self._apply(call, scope), self._meter.work)

    def _indent(self, indent: str, outer: list[str]) -> None:
        """Put the indentation of a partial that stands alone on its line before each line of what it wrote."""
        written = "".join(self._out)
        lines = written.split("\n")
        self._meter.work(len(lines) + len(written) // 128)
        self._meter.write(len(lines) * len(indent))
        if lines[-1] == "":
            outer.append("".join(f"{indent}{line}\n" for line in lines[:-1]))
        else:
            outer.append("\n".join(indent + line for line in lines))
        self._out = outer


def _is_shadowed(call: Call, scope: Scope) -> bool:
    """Whether a block parameter hides the helper of this name."""
    return bool(scope.names) and call.path.simple and call.path.parts[0] in scope.names


def _members(context: Any) -> dict[str, Any]:
    if isinstance(context, list):
        return {str(index): value for index, value in enumerate(context)}
    return dict(context) if isinstance(context, dict) else {}
