"""The tokens of a template, lazily and in linear time; the rules are those of Handlebars' own lexer, in its order."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from waybill.mail.template.error import syntax_error

# What JavaScript's \s matches; Python's differs in U+FEFF and a few controls.
SPACE = "[\t-\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]"
_NOT_ID = SPACE[1:-1] + r"!\"#%-,./;->@\[-\^`{-~"
_AFTER_ID = rf"(?=[=~}}/.)|]|{SPACE})"
_AFTER_LITERAL = rf"(?=[~}})]|{SPACE})"

_TAG = re.compile(
    "|".join(
        f"(?P<{kind}>{pattern})"
        for kind, pattern in (
            ("open_sexpr", r"\("),
            ("close_sexpr", r"\)"),
            ("raw_block", r"\{\{\{\{|\}\}\}\}"),
            ("open_partial", r"\{\{~?>"),
            ("open_partial_block", r"\{\{~?#>"),
            ("open_decorator", r"\{\{~?#\*"),
            ("open_block", r"\{\{~?#"),
            ("open_end", r"\{\{~?/"),
            ("inverse", rf"\{{\{{~?(?:\^{SPACE}*|{SPACE}*else{SPACE}*)~?\}}\}}"),
            ("open_inverse", r"\{\{~?\^"),
            ("open_chain", rf"\{{\{{~?{SPACE}*else\b"),
            ("open_unescaped", r"\{\{~?\{"),
            ("open", r"\{\{~?&"),
            ("long_comment", r"\{\{~?!--"),
            ("comment", r"\{\{~?![\s\S]*?\}\}"),
            ("star", r"\{\{~?\*"),
            ("open_plain", r"\{\{~?"),
            ("equals", "="),
            ("up", r"\.\."),
            ("dot", rf"\.{_AFTER_ID}"),
            ("sep", r"[/.]"),
            ("space", f"{SPACE}+"),
            ("close_unescaped", r"\}~?\}\}"),
            ("close", r"~?\}\}"),
            ("string", r'"(?:\\"|[^"])*"' + r"|'(?:\\'|[^'])*'"),
            ("at", "@"),
            ("boolean", f"(?:true|false){_AFTER_LITERAL}"),
            ("undefined", f"undefined{_AFTER_LITERAL}"),
            ("null", f"null{_AFTER_LITERAL}"),
            ("number", rf"-?[0-9]+(?:\.[0-9]+)?{_AFTER_LITERAL}"),
            ("open_params", rf"as{SPACE}+\|"),
            ("close_params", r"\|"),
            ("id", f"[^{_NOT_ID}]+{_AFTER_ID}"),
            ("segment", r"\[(?:\\\]|[^\]])*\]"),
        )
    ),
    re.ASCII,
)
# The usual tag, {{name}} or {{a.b}}, in one step; names that mean something else are left to the rules above.
_PLAIN = re.compile(
    r"\{\{ ?(?!(?:else|true|false|undefined|null)\b)([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*) ?\}\}(?!\})"
)
_LONG_COMMENT = re.compile(r"\{\{~?!--[\s\S]*?--~?\}\}")
_ESCAPED = re.compile(r"[\s\S]{2,}?(?=\{\{|\\\{\{|\\\\\{\{|\Z)")

_ALIASES = {"open_plain": "open", "up": "id", "dot": "id", "segment": "id"}
_LEAVES_TAG = frozenset({"close", "close_unescaped", "inverse", "comment"})
_UNSUPPORTED = {
    "raw_block": "Raw blocks ({{{{x}}}}) are not supported, and }}}} closes nothing else",
    "star": "Decorators ({{* x}}) are not supported",
}


class Token(NamedTuple):
    """``text`` is as written, of a ``plain`` tag its path; ``end`` is the offset behind it."""

    kind: str
    text: str
    offset: int
    end: int


def tokens(source: str) -> Iterator[Token]:
    """The tokens in order, the last one of kind ``end``.

    Raises:
        TemplateError: template_syntax_error at a character that begins no token.
    """
    if "\x00" in source:
        raise syntax_error(source, source.index("\x00"), "A template cannot hold a NUL character")
    at = 0
    while at < len(source):
        opened = source.find("{{", at)
        if opened < 0:
            yield Token("content", source[at:], at, len(source))
            break
        content = source[at:opened]
        if content.endswith("\\") and not content.endswith("\\\\"):
            # \{{ is text, up to the next tag.
            if len(content) > 1:
                yield Token("content", content[:-1], at, opened)
            escaped = _ESCAPED.match(source, opened)
            assert escaped is not None
            yield Token("content", escaped[0], opened, escaped.end())
            at = escaped.end()
            continue
        if content.endswith("\\\\"):
            content = content[:-1]
        if content:
            yield Token("content", content, at, opened)
        plain = _PLAIN.match(source, opened)
        if plain is not None and "this" not in plain[1]:
            at = plain.end()
            yield Token("plain", plain[1], opened, at)
            continue
        at = opened
        for token in _tag(source, opened):
            yield token
            at = token.end
    yield Token("end", "", len(source), len(source))


def _tag(source: str, start: int) -> Iterator[Token]:
    at = start
    while at < len(source):
        match = _TAG.match(source, at)
        if match is None:
            if source.find("}}", at) < 0:
                raise syntax_error(source, start, f"The tag {source[start : start + 40]} is never closed by }}}}")
            raise syntax_error(source, at, f"Unexpected {source[at]!r} in the tag {source[start : at + 1][:80]}")
        kind = match.lastgroup or ""
        if kind == "long_comment":
            match = _LONG_COMMENT.match(source, at)
            if match is None:
                raise syntax_error(source, at, "The comment {{!-- is never closed by --}}")
            kind = "comment"
        if kind in _UNSUPPORTED:
            raise syntax_error(source, at, _UNSUPPORTED[kind])
        at = match.end()
        if kind != "space":
            yield Token(_ALIASES.get(kind, kind), match[0], match.start(), at)
        if kind in _LEAVES_TAG:
            return
