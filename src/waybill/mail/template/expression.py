"""What stands inside a tag: paths, literals, parameters, ``key=value`` pairs and calls in parentheses."""

import re
from collections.abc import Iterator
from typing import NoReturn

from waybill.mail.template.error import fault_at, syntax_error
from waybill.mail.template.lexer import Token, tokens
from waybill.mail.template.syntax import Call, Expression, Literal, Path
from waybill.mail.template.value import UNDEFINED
from waybill.model.cause import Cause

BLOCK_BUILTINS = frozenset({"if", "unless", "each", "with"})
INLINE_BUILTINS = frozenset({"lookup", "log"})
BUILTINS = BLOCK_BUILTINS | INLINE_BUILTINS
MAX_NESTED_CALLS = 20
MAX_TOKENS = 50_000

_SEGMENT_ESCAPE = re.compile(r"\\([\\\]])")
_SCOPED = re.compile(r"^\.|this\b", re.ASCII)
_NAME_STARTS = frozenset({"id", "at", "string", "number", "boolean", "undefined", "null"})
_LITERALS = _NAME_STARTS - {"id", "at"}


class Reader:
    """Reads tokens one after the other; ``token`` is the one not yet taken."""

    __slots__ = ("_depth", "_rest", "_taken", "_tokens", "source", "token")

    def __init__(self, source: str) -> None:
        self.source = source
        self._tokens: Iterator[Token] = tokens(source)
        self._rest: list[Token] = []
        self._depth = self._taken = 0
        self.token = next(self._tokens)

    def take(self, *kinds: str) -> Token:
        """The current token, if it is of one of these kinds (any, if none is given); moves on.

        Raises:
            TemplateError: it is of another kind.
        """
        token = self.token
        if kinds and token.kind not in kinds:
            self.fail_at(token)
        if token.kind != "end":
            self._taken += 1
            if self._taken > MAX_TOKENS:
                self.fail_limit(token, f"The template has more than {MAX_TOKENS} names and marks")
            self.token = self._rest.pop() if self._rest else next(self._tokens)
        return token

    def fail_at(self, token: Token) -> NoReturn:
        """Refuse a token that cannot stand where it stands."""
        if token.kind == "end":
            raise syntax_error(self.source, token.offset, "The template ends inside a tag")
        raise syntax_error(self.source, token.offset, f"Unexpected {token.text[:40]!r} in a tag")

    def fail_limit(self, token: Token, text: str) -> NoReturn:
        """Refuse a template that is too large or too deep."""
        raise fault_at(Cause.TEMPLATE_LIMIT_EXCEEDED, self.source, token.offset, text)

    def call(self) -> Call:
        """``name params… key=value…``, up to whatever cannot belong to it."""
        start = self.token
        path = self._path_of(self.name())
        params, options = self.arguments()
        return Call(path, params, options, _builtin(path), start.offset)

    def arguments(self) -> tuple[tuple[Expression, ...], tuple[tuple[str, Expression], ...]]:
        """Parameters, then pairs."""
        params: list[Expression] = []
        options: dict[str, Expression] = {}
        while self.token.kind in _NAME_STARTS or self.token.kind == "open_sexpr":
            if self.token.kind == "id":
                word = self.take()
                if self.token.kind == "equals":
                    self.take()
                    options[_segment(word.text)] = self._param()
                    continue
                self._rest.append(self.token)
                self.token = word
            if options:
                self.fail_at(self.token)
            params.append(self._param())
        return tuple(params), tuple(options.items())

    def _param(self) -> Expression:
        if self.token.kind != "open_sexpr":
            return self.name()
        opened = self.take()
        self._depth += 1
        if self._depth > MAX_NESTED_CALLS:
            self.fail_limit(opened, f"Calls are nested more than {MAX_NESTED_CALLS} deep")
        call = self.call()
        self.take("close_sexpr")
        self._depth -= 1
        return call

    def name(self) -> Path | Literal:
        """A path or a literal."""
        token = self.token
        if token.kind in _LITERALS:
            return _literal(self.take())
        if token.kind == "at":
            self.take()
            return self._path(token.offset, data=True)
        return self._path(token.offset, data=False)

    def _path(self, offset: int, *, data: bool) -> Path:
        original, depth = ("@" if data else ""), 0
        parts: list[str] = []
        while True:
            word = self.take("id")
            part = _segment(word.text)
            original += part
            if part == word.text and part in ("..", ".", "this"):
                if parts:
                    raise syntax_error(self.source, offset, f"Invalid path: {original}")
                depth += part == ".."
            else:
                parts.append(part)
            if self.token.kind != "sep":
                return Path(data, depth, tuple(parts), original, _SCOPED.search(original) is not None, offset)
            original += self.take().text

    def _path_of(self, name: Path | Literal) -> Path:
        # A literal in the place of a name is a name: {{"my key"}}, {{12}}.
        if isinstance(name, Path):
            return name
        return Path(False, 0, (name.original,), name.original, False, name.offset)  # noqa: FBT003 - fields in order


def plain_call(token: Token) -> Call:
    """The call of a ``plain`` tag: a variable, or a helper without parameters."""
    path = Path(
        data=False, depth=0, parts=tuple(token.text.split(".")), original=token.text, scoped=False, offset=token.offset
    )
    return Call(path, (), (), _builtin(path), token.offset)


def _builtin(path: Path) -> str | None:
    return path.parts[0] if path.simple and path.parts[0] in BUILTINS else None


def _segment(text: str) -> str:
    """The name in ``[a segment literal]``, or the text itself."""
    if not text.startswith("["):
        return text
    return _SEGMENT_ESCAPE.sub(r"\1", text)[1:-1]


def _literal(token: Token) -> Literal:
    if token.kind == "string":
        quote = token.text[0]
        text = token.text[1:-1].replace(f"\\{quote}", quote)
        return Literal(text, text, token.offset)
    if token.kind == "number":
        number = float(token.text)
        return Literal(int(number) if number.is_integer() else number, token.text, token.offset)
    values = {"true": True, "false": False, "null": None, "undefined": UNDEFINED}
    return Literal(values[token.text], token.text, token.offset)
