"""Templates while they are being parsed, and the rules of white space: ``~`` and lines that hold nothing but a tag.

The rules are those of Handlebars' ``whitespace-control.js``; its oddities are kept, since templates rely on them.
"""

import re
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from waybill.mail.template.lexer import SPACE
from waybill.mail.template.syntax import Block, Call, Inline, Literal, Node, Output, Partial, Program, Text

_ALL_SPACE = re.compile(rf"{SPACE}*\Z")
_STARTS_WITH_BLANK_LINE = re.compile(rf"{SPACE}*?\r?\n")
_LEADING = re.compile(f"{SPACE}+")
_LEADING_LINE = re.compile(r"[ \t]*\r?\n?")
_JS_SPACE = "\t\n\v\f\r \xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"


class Strip(NamedTuple):
    """``~`` at the opening and at the closing end of a tag."""

    open: bool = False
    close: bool = False


@dataclass(slots=True)
class DraftText:
    """Text that neighbouring tags may still shorten."""

    original: str
    value: str
    left_stripped: bool = False
    right_stripped: bool = False


@dataclass(slots=True)
class DraftTag:
    """A tag without a body: an output, a reserved tag (text), a comment (None) or a partial."""

    node: Output | Partial | Text | None
    strip: Strip
    alone: bool
    indent: str = ""


@dataclass(slots=True)
class DraftProgram:
    """A body; ``chained`` where it is an ``{{else if}}``."""

    body: list["DraftNode"] = field(default_factory=list)
    block_params: tuple[str, ...] = ()
    chained: bool = False


@dataclass(slots=True)
class DraftBlock:
    """A block of any kind: ``kind`` is block, inline or partial."""

    kind: str
    call: Call
    partial: Partial | None
    program: DraftProgram | None
    inverse: DraftProgram | None
    open_strip: Strip
    inverse_strip: Strip
    close_strip: Strip
    offset: int
    end: int
    open_alone: bool = False
    close_alone: bool = False


DraftNode: TypeAlias = DraftText | DraftTag | DraftBlock


def strip_block(block: DraftBlock) -> None:
    """Apply the block's own ``~`` and stand-alone lines to the edges of its bodies, which are complete."""
    program = block.program or block.inverse
    assert program is not None
    inverse = block.inverse if block.program else None
    first = last = inverse
    if inverse is not None and inverse.chained:
        chained = inverse.body[0]
        assert isinstance(chained, DraftBlock)
        first = last = chained.program
    block.open_alone = _next_is_blank(program.body, -1, root=False)
    block.close_alone = _previous_is_blank((first or program).body, len((first or program).body), root=False)
    if block.open_strip.close:
        _omit_right(program.body, -1, everything=True)
    if first is None or last is None:
        if block.close_strip.open:
            _omit_left(program.body, len(program.body), everything=True)
        return
    if block.inverse_strip.open:
        _omit_left(program.body, len(program.body), everything=True)
    if block.inverse_strip.close:
        _omit_right(first.body, -1, everything=True)
    if block.close_strip.open:
        _omit_left(last.body, len(last.body), everything=True)
    if _previous_is_blank(program.body, len(program.body), root=False) and _next_is_blank(first.body, -1, root=False):
        _omit_left(program.body, len(program.body))
        _omit_right(first.body, -1)


def strip_program(program: DraftProgram, *, root: bool) -> None:
    """Apply the ``~`` and stand-alone lines of the tags in a complete body to the text around them."""
    body = program.body
    for at, node in enumerate(body):
        if isinstance(node, DraftText):
            continue
        blank_before, blank_after = _previous_is_blank(body, at, root=root), _next_is_blank(body, at, root=root)
        strip = node.strip if isinstance(node, DraftTag) else Strip(node.open_strip.open, node.close_strip.close)
        if strip.close:
            _omit_right(body, at, everything=True)
        if strip.open:
            _omit_left(body, at, everything=True)
        if isinstance(node, DraftTag):
            if node.alone and blank_before and blank_after:
                _omit_right(body, at)
                if _omit_left(body, at):
                    node.indent = _indent_before(body[at - 1])
            continue
        if node.open_alone and blank_before:
            _omit_right(_some(node.program, node.inverse).body, -1)
            _omit_left(body, at)
        if node.close_alone and blank_after:
            _omit_right(body, at)
            inner = _some(node.inverse, node.program).body
            _omit_left(inner, len(inner))


def _some(first: DraftProgram | None, second: DraftProgram | None) -> DraftProgram:
    found = first or second
    assert found is not None
    return found


def _indent_before(node: DraftNode) -> str:
    assert isinstance(node, DraftText)
    return node.original[len(node.original.rstrip(" \t")) :]


def _text_at(body: list[DraftNode], at: int) -> DraftText | None:
    node = body[at] if 0 <= at < len(body) else None
    return node if isinstance(node, DraftText) else None


def _previous_is_blank(body: list[DraftNode], at: int, *, root: bool) -> bool:
    if at < 1:
        return root
    text = _text_at(body, at - 1)
    if text is None:
        return False
    if root and at < 2 and _ALL_SPACE.match(text.original):
        return True
    return "\n" in text.original[len(text.original.rstrip(_JS_SPACE)) :]


def _next_is_blank(body: list[DraftNode], at: int, *, root: bool) -> bool:
    if at + 1 >= len(body):
        return root
    text = _text_at(body, at + 1)
    if text is None:
        return False
    if _STARTS_WITH_BLANK_LINE.match(text.original):
        return True
    return root and at + 2 >= len(body) and _ALL_SPACE.match(text.original) is not None


def _omit_right(body: list[DraftNode], at: int, *, everything: bool = False) -> None:
    text = _text_at(body, at + 1)
    if text is None or (not everything and text.right_stripped):
        return
    before = text.value
    match = (_LEADING if everything else _LEADING_LINE).match(before)
    text.value = before[match.end() :] if match else before
    text.right_stripped = text.value != before


def _omit_left(body: list[DraftNode], at: int, *, everything: bool = False) -> bool:
    text = _text_at(body, at - 1)
    if text is None or (not everything and text.left_stripped):
        return False
    before = text.value
    text.value = before.rstrip(_JS_SPACE if everything else " \t")
    text.left_stripped = text.value != before
    return text.left_stripped


def freeze(program: DraftProgram) -> Program:
    """The finished program: comments and empty text are gone, inline partials stand apart."""
    body: list[Node] = []
    inlines: list[Inline] = []
    for node in program.body:
        if isinstance(node, DraftText):
            if node.value:
                body.append(Text(node.value))
        elif isinstance(node, DraftBlock):
            frozen = _freeze_block(node)
            if isinstance(frozen, Inline):
                inlines.append(frozen)
            else:
                body.append(frozen)
        elif isinstance(node.node, Partial) and node.indent:
            bare = node.node
            body.append(Partial(bare.name, bare.params, bare.options, node.indent, None, bare.offset, bare.end))
        elif node.node is not None:
            body.append(node.node)
    return Program(tuple(body), tuple(inlines), program.block_params)


def _freeze_block(block: DraftBlock) -> Block | Partial | Inline:
    if block.kind == "inline":
        name = block.call.params[0]
        assert block.program is not None
        assert isinstance(name, Literal)
        return Inline(name.original, freeze(block.program))
    if block.partial is not None:
        bare = block.partial
        assert block.program is not None
        return Partial(bare.name, bare.params, bare.options, "", freeze(block.program), bare.offset, bare.end)
    # A chain of {{else if}} is folded from its end: it may be longer than the stack is deep.
    chain = [block]
    while (inverse := chain[-1].inverse) is not None and inverse.chained:
        following = inverse.body[0]
        assert isinstance(following, DraftBlock)
        chain.append(following)
    tail = chain[-1].inverse
    otherwise = None if tail is None else freeze(tail)
    for link in reversed(chain):
        frozen = Block(
            link.call, None if link.program is None else freeze(link.program), otherwise, link.offset, link.end
        )
        otherwise = Program((), chained=frozen)
    return frozen
