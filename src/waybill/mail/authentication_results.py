"""Authentication as a receiver saw it: Authentication-Results (RFC 8601) and Received-SPF (RFC 7208 §9.1).

Microsoft leaves out the name of the server that speaks; others leave out what the grammar asks for. Nothing here raises.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_FIELD = 16_000
"""Octets of a field that are looked at."""

# A quoted string that nobody closes goes on to the end: a pattern that could fail there would take time squared.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.?)*(?:"|$)|[();]|[^();"]+', re.DOTALL)
_RESULT = re.compile(r"^\s*([A-Za-z][A-Za-z0-9_-]*)(?:\s*/\s*(\d+))?\s*=\s*([A-Za-z0-9_]+)")
_PROPERTY = re.compile(
    r'\b([A-Za-z][A-Za-z0-9_-]{0,60}(?:\s{0,8}\.\s{0,8}[A-Za-z0-9_-]{1,60})?)\s{0,8}=\s{0,8}("(?:[^"\\]|\\.?)*(?:"|$)|[^\s;]*)',
    re.DOTALL,
)
_SPACE = re.compile(r"\s+")
_COMMENT_MARK = "\x01"


@dataclass(frozen=True, kw_only=True, slots=True)
class MethodResult:
    """One method's result (RFC 8601 §2.2): ``dkim``, ``pass``, the comment beside it, ``reason=``, and the properties."""

    method: str
    result: str
    comment: str | None = None
    reason: str | None = None
    properties: dict[str, str] = field(default_factory=dict)

    def first(self, *names: str) -> str | None:
        """The first property of these that is there."""
        return next((self.properties[name] for name in names if self.properties.get(name)), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class AuthenticationResults:
    """What one server found. ``server`` is its authserv-id; None where the field names none."""

    server: str | None
    results: tuple[MethodResult, ...]
    name: str = "Authentication-Results"
    raw: str = ""


def parse_authentication_results(value: str, name: str = "Authentication-Results") -> AuthenticationResults:
    """The results that a field lists, in order; none where it says ``none`` or cannot be read."""
    text = value[:MAX_FIELD]
    segments = list(_segments(text))
    server = None
    if segments and not _RESULT.match(segments[0][0]):
        words = segments.pop(0)[0].replace(_COMMENT_MARK, " ").split()
        server = words[0].strip('"').rstrip(";") if words else None
    results = tuple(result for result in map(_result, segments) if result is not None)
    return AuthenticationResults(server=server or None, results=results, name=name, raw=_SPACE.sub(" ", text).strip())


def _segments(text: str) -> Iterator[tuple[str, list[str]]]:
    """The parts between semicolons, each with its comments taken out."""
    words: list[str] = []
    comments: list[str] = []
    depth, comment = 0, ""
    for token in _TOKEN.findall(text):
        if token == "(":  # noqa: S105 - no password
            comment = comment + token if depth else ""
            depth += 1
        elif token == ")" and depth:  # noqa: S105 - no password
            depth -= 1
            if depth:
                comment += token
            else:
                comments.append(_SPACE.sub(" ", comment).strip())
                words.append(_COMMENT_MARK)
        elif depth:
            comment += token
        elif token == ";":  # noqa: S105 - no password
            yield "".join(words), comments
            words, comments = [], []
        else:
            words.append(token)
    if depth and comment:
        comments.append(_SPACE.sub(" ", comment).strip())
    yield "".join(words), comments


def _result(segment: tuple[str, list[str]]) -> MethodResult | None:
    text, comments = segment
    match = _RESULT.match(text)
    if match is None:
        return None
    rest = text[match.end() :].replace(_COMMENT_MARK, " ")
    properties: dict[str, str] = {}
    reason = None
    for key, value in _PROPERTY.findall(rest):
        bare = value[1:-1].replace('\\"', '"') if value[:1] == '"' and value[-1:] == '"' and len(value) > 1 else value
        plain = _SPACE.sub("", key).lower()
        if plain == "reason":
            reason = bare
        else:
            properties.setdefault(plain, bare)
    return MethodResult(
        method=match[1].lower(),
        result=match[3].lower(),
        comment=comments[0] if comments and comments[0] else None,
        reason=reason,
        properties=properties,
    )


def parse_received_spf(value: str) -> AuthenticationResults:
    """What a Received-SPF field says, in the same form: its result, comment and pairs (``client-ip``, ``envelope-from``, …)."""
    text = value[:MAX_FIELD]
    first = re.match(r"\s*([A-Za-z]+)", text)
    if first is None:
        return AuthenticationResults(server=None, results=(), name="Received-SPF", raw=text.strip())
    segments = list(_segments(text[first.end() :]))
    comments = [comment for _, said in segments for comment in said]
    pairs = {
        _SPACE.sub("", key).lower(): pair.strip('"<>')
        for part, _ in segments
        for key, pair in _PROPERTY.findall(part.replace(_COMMENT_MARK, " "))
    }
    server = pairs.pop("receiver", None)
    said = comments[0] if comments and comments[0] else None
    if server is None and said and ":" in said:
        named = said.partition(":")[0].strip()
        server = named if " " not in named and "." in named else None
    named_as = {"client-ip": "client-ip", "envelope-from": "smtp.mailfrom", "helo": "smtp.helo"}
    result = MethodResult(
        method="spf",
        result=first[1].lower(),
        comment=said,
        properties={named_as.get(key, key): pair for key, pair in pairs.items()},
    )
    raw = _SPACE.sub(" ", text).strip()
    return AuthenticationResults(server=server, results=(result,), name="Received-SPF", raw=raw)
