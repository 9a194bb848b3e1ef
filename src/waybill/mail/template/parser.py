"""From source to ``Template``: the grammar of Handlebars, with blocks on a stack of their own, never on Python's."""

from dataclasses import dataclass, field
from functools import lru_cache

from waybill.mail.template.draft import (
    DraftBlock,
    DraftProgram,
    DraftTag,
    DraftText,
    Strip,
    freeze,
    strip_block,
    strip_program,
)
from waybill.mail.template.error import syntax_error
from waybill.mail.template.expression import BLOCK_BUILTINS, Reader, plain_call
from waybill.mail.template.lexer import Token
from waybill.mail.template.syntax import RESERVED, Call, Literal, Output, Partial, Path, Template, Text

MAX_NESTED_BLOCKS = 50
NO_STRIP = Strip()
PARTIAL_BLOCK = "@partial-block"


CACHED_SOURCE = 32 * 1024


def parse(source: str) -> Template:
    """The template that ``source`` holds.

    Raises:
        TemplateError: template_syntax_error, or template_limit_exceeded where blocks are nested too deeply,
            with line and column.
    """
    return _parse_short(source) if len(source) <= CACHED_SOURCE else _parse_long(source)


@lru_cache(maxsize=256)
def _parse_short(source: str) -> Template:
    return _Parser(source).parse()


@lru_cache(maxsize=8)  # a tree takes many times the memory of its source
def _parse_long(source: str) -> Template:
    return _Parser(source).parse()


@dataclass(slots=True)
class _Section:
    """One part of a block: what came before it (``{{#if a}}``, ``{{else if b}}``, ``{{else}}``) and its body."""

    strip: Strip
    call: Call | None
    program: DraftProgram
    offset: int
    end: int


@dataclass(slots=True)
class _Open:
    """A block that is not closed yet."""

    kind: str
    opener: Token
    name: str
    call: Call
    partial: Partial | None
    sections: list[_Section] = field(default_factory=list)


class _Parser:
    def __init__(self, source: str) -> None:
        self.source = source
        self.reader = Reader(source)
        self.root = DraftProgram()
        self.body = self.root.body
        self.opened: list[_Open] = []
        self.simple = True
        self.defined: set[str] = set()
        self.called: list[Partial] = []

    def parse(self) -> Template:
        while self.reader.token.kind != "end":
            self._statement(self.reader.take())
        if self.opened:
            left = self.opened[-1].opener
            raise syntax_error(self.source, left.offset, f"The block {self._tag(left)} is never closed")
        for partial in self.called:
            if partial.name not in self.defined:
                text = f"The partial {partial.name!r} is not defined in this template"
                raise syntax_error(self.source, partial.offset, text, self.source[partial.offset : partial.end])
        strip_program(self.root, root=True)
        return Template(self.source, freeze(self.root), self.simple)

    def _statement(self, token: Token) -> None:
        match token.kind:
            case "content":
                self.body.append(DraftText(token.text, token.text))
            case "comment":
                self.body.append(DraftTag(None, _strip(token, token), alone=True))
            case "plain":
                self._append_output(plain_call(token), token, token)
            case "open" | "open_unescaped":
                call = self.reader.call()
                close = "close_unescaped" if token.kind == "open_unescaped" else "close"
                self._append_output(call, token, self.reader.take(close))
            case "open_block" | "open_inverse" | "open_decorator" | "open_partial_block":
                self._open(token)
            case "open_partial":
                self._partial(token)
            case "inverse" | "open_chain":
                self._else(token)
            case "open_end":
                self._close(token)
            case _:
                self.reader.fail_at(token)

    def _append_output(self, call: Call, token: Token, close: Token) -> None:
        if call.params or call.options or call.builtin:
            self.simple = False
        name = call.path.original
        plain = name in RESERVED and not call.params and not call.options
        node = Text(f"{{{{{name}}}}}") if plain else Output(call, token.offset, close.end)
        strip = NO_STRIP if token is close else _strip(token, close)
        self.body.append(DraftTag(node, strip, alone=False))

    def _partial(self, token: Token) -> None:
        partial, close = self._partial_head(token)
        if isinstance(partial.name, str) and partial.name != PARTIAL_BLOCK:
            self.called.append(partial)
        self.body.append(DraftTag(partial, _strip(token, close), alone=True))

    def _partial_head(self, token: Token) -> tuple[Partial, Token]:
        self.simple = False
        name: str | Call
        if self.reader.token.kind == "open_sexpr":
            self.reader.take()
            name = self.reader.call()
            self.reader.take("close_sexpr")
        else:
            name = self.reader.name().original
        params, options = self.reader.arguments()
        close = self.reader.take("close")
        if len(params) > 1:
            raise syntax_error(self.source, token.offset, f"A partial takes one context, not {len(params)}")
        return Partial(name, params, options, "", None, token.offset, close.end), close

    def _open(self, token: Token) -> None:
        self.simple = False
        if len(self.opened) >= MAX_NESTED_BLOCKS:
            self.reader.fail_limit(token, f"Blocks are nested more than {MAX_NESTED_BLOCKS} deep")
        partial, names = None, tuple[str, ...]()
        if token.kind == "open_partial_block":
            partial, close = self._partial_head(token)
            original = partial.name if isinstance(partial.name, str) else partial.name.path.original
            path = Path(data=False, depth=0, parts=(), original=original, scoped=True, offset=token.offset)
            call = Call(path, (), (), None, token.offset)
        else:
            call = self.reader.call()
            names = self._block_params()
            close = self.reader.take("close")
        if token.kind == "open_decorator":
            self._define(call, token)
        elif call.builtin is not None:
            self._check_builtin(call, token)
        block = _Open(token.kind, token, call.path.original, call, partial)
        self.opened.append(block)
        self._section(
            block, _Section(_strip(token, close), call, DraftProgram(block_params=names), token.offset, close.end)
        )

    def _block_params(self) -> tuple[str, ...]:
        if self.reader.token.kind != "open_params":
            return ()
        self.reader.take()
        names = [self.reader.take("id").text]
        while self.reader.token.kind == "id":
            names.append(self.reader.take().text)
        self.reader.take("close_params")
        return tuple(names)

    def _define(self, call: Call, token: Token) -> None:
        name = call.params[0] if len(call.params) == 1 else None
        if call.path.original != "inline" or not isinstance(name, Literal) or call.options:
            raise syntax_error(self.source, token.offset, 'Only {{#* inline "name"}} may follow {{#*')
        self.defined.add(name.original)

    def _check_builtin(self, call: Call, token: Token) -> None:
        # Handlebars finds these while rendering; saying it when the template is stored helps more.
        if call.builtin not in BLOCK_BUILTINS:
            raise syntax_error(self.source, token.offset, f"{call.builtin} is not a block helper")
        if len(call.params) != 1:
            text = f"#{call.builtin} requires exactly one argument, not {len(call.params)}"
            raise syntax_error(self.source, token.offset, text)

    def _section(self, block: _Open, section: _Section) -> None:
        block.sections.append(section)
        self.body = section.program.body

    def _else(self, token: Token) -> None:
        block = self.opened[-1] if self.opened else None
        if block is None:
            raise syntax_error(self.source, token.offset, f"{token.text[:40]} stands outside any block")
        chained = token.kind == "open_chain"
        after_else = len(block.sections) > 1 and block.sections[-1].call is None
        allowed = block.kind == "open_block" or (block.kind == "open_inverse" and not chained)
        if after_else or not allowed:
            raise syntax_error(
                self.source, token.offset, f"{{{{else}}}} cannot stand here, inside {self._tag(block.opener)}"
            )
        if not chained:
            self._section(block, _Section(_strip(token, token), None, DraftProgram(), token.offset, token.end))
            return
        call = self.reader.call()
        names = self._block_params()
        close = self.reader.take("close")
        if call.builtin is not None:
            self._check_builtin(call, token)
        program = DraftProgram(block_params=names)
        self._section(block, _Section(_strip(token, close), call, program, token.offset, close.end))

    def _close(self, token: Token) -> None:
        name = self.reader.name().original
        close = self.reader.take("close")
        if not self.opened:
            raise syntax_error(self.source, token.offset, f"{{{{/{name}}}}} closes nothing")
        block = self.opened.pop()
        if block.name != name:
            raise syntax_error(self.source, token.offset, f"{{{{/{name}}}}} cannot close {self._tag(block.opener)}")
        for section in block.sections:
            strip_program(section.program, root=False)
        draft = self._fold(block, _strip(token, close))
        self.body = self.opened[-1].sections[-1].program.body if self.opened else self.root.body
        self.body.append(draft)

    def _fold(self, block: _Open, closing: Strip) -> DraftBlock:
        """The block with its ``{{else if}}`` chain nested as Handlebars nests it, from the end."""
        inverse: DraftProgram | None = None
        inverse_strip = Strip()
        kinds = {"open_decorator": "inline", "open_partial_block": "partial"}
        for place in range(len(block.sections) - 1, -1, -1):
            section = block.sections[place]
            if section.call is None:
                inverse, inverse_strip = section.program, section.strip
                continue
            draft = DraftBlock(
                kind=kinds.get(block.kind, "block"),
                call=section.call,
                partial=block.partial,
                program=section.program,
                inverse=inverse,
                open_strip=section.strip,
                inverse_strip=inverse_strip,
                # Handlebars gives later links of a chain their own opening's ``~`` as closing.
                close_strip=closing if place < 2 else section.strip,
                offset=section.offset,
                end=section.end,
            )
            if place == 0 and block.kind == "open_inverse":
                draft.program, draft.inverse = inverse, section.program
            strip_block(draft)
            inverse, inverse_strip = DraftProgram(body=[draft], chained=True), section.strip
        return draft

    def _tag(self, token: Token) -> str:
        end = self.source.find("}}", token.offset)
        return self.source[token.offset : end + 2 if 0 <= end < token.offset + 80 else token.offset + 80]


def _strip(opening: Token, closing: Token) -> Strip:
    return Strip(opening.text[2:3] == "~", closing.text[-3:-2] == "~")
