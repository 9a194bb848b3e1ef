"""Email addresses: from what people write (RFC 5322 §3.4) to what goes on the wire (RFC 5321 §4.1.2).

The error texts are those that SES answers (``Missing final '@domain'``), so that clients recognise them.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import idna

from waybill.mail.header import decode_words
from waybill.model.record import record

MAX_LOCAL = 64  # octets, RFC 5321 §4.5.3.1.1
MAX_DOMAIN = 253  # octets in text form, RFC 1035 §2.3.4
MAX_ADDRESS = 254  # octets, RFC 5321 §4.5.3.1.3 without the angle brackets
MAX_COMMENT_DEPTH = 20
MAX_TEXT = 65_536  # characters of a mailbox or list that are read at all; 50 recipients need a third of it

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_PLAIN = re.compile(rf"({_ATEXT}+(?:\.{_ATEXT}+)*)@({_LABEL}(?:\.{_LABEL})*)")
_DOT_ATOM = re.compile(rf"{_ATEXT}+(?:\.{_ATEXT}+)*")
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
# C0 without the tab, C1, the Unicode line ends, and halves of surrogate pairs: none may reach a header or a command.
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_FOLD = re.compile(r"\r?\n(?=[ \t])")
_TOKEN = re.compile(
    r'(?P<space>\s+)|(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<atom>[^\s()<>@,;:\\"\[\]]+)|(?P<special>[<>@,;:\[\]])'
)
_COMMENT_MARK = re.compile(r"\\.|[()]")
_QUOTED_PAIR = re.compile(r"\\(.)")


class AddressError(ValueError):
    """The text is no address that mail can be sent to; the text of the error is the one SES gives."""


@record(frozen=True, kw_only=True, slots=True)
class Mailbox:
    """One mailbox: ``display`` decoded, ``local`` as written (ASCII, quoted where it must be), ``domain`` in lower-case A-labels."""

    display: str
    local: str
    domain: str

    @property
    def address(self) -> str:
        """``local@domain``, as the envelope has it."""
        return f"{self.local}@{self.domain}"


_REMEMBERED = 320
"""Characters up to which what a text says is remembered: on its way a message's few addresses are read a dozen times."""


def parse_mailbox(text: str) -> Mailbox:
    """The one mailbox that ``text`` names: ``a@b``, ``<a@b>``, ``Name <a@b>``, ``"N, N" <a@b> (comment)``.

    Raises:
        AddressError: it names none, several, a group, or one that no mail can be sent to.
    """
    return _remembered_mailbox(text) if len(text) <= _REMEMBERED else _read_mailbox(text)


def _read_mailbox(text: str) -> Mailbox:
    plain = _PLAIN.fullmatch(text)
    if plain is not None:
        return _mailbox("", plain[1], plain[2])
    _refuse_length(text)
    _refuse_controls(text)
    found = list(_mailboxes(_tokens(text)))
    if len(found) != 1:
        raise AddressError("Missing final '@domain'" if not found else "Illegal address: one address is expected")
    if isinstance(found[0], str):
        raise AddressError("Illegal address: a group is not one mailbox")
    return found[0]


def parse_mailbox_list(text: str) -> tuple[Mailbox, ...]:
    """The mailboxes of a header field's value (RFC 5322 §3.4 address-list), those inside groups included, in order.

    Raises:
        AddressError: one of them cannot be read; an empty list is no error.
    """
    return _remembered_list(text) if len(text) <= _REMEMBERED else _read_list(text)


def _read_list(text: str) -> tuple[Mailbox, ...]:
    plain = _PLAIN.fullmatch(text)
    if plain is not None:
        return (_mailbox("", plain[1], plain[2]),)
    _refuse_length(text)
    unfolded = _FOLD.sub("", text)
    _refuse_controls(unfolded)
    return tuple(found for found in _mailboxes(_tokens(unfolded)) if isinstance(found, Mailbox))


def _refuse_length(text: str) -> None:
    if len(text) > MAX_TEXT:
        raise AddressError(f"Illegal address: {len(text)} characters; at most {MAX_TEXT} are allowed")


_remembered_mailbox = lru_cache(maxsize=4096)(_read_mailbox)
_remembered_list = lru_cache(maxsize=1024)(_read_list)


def canonical(address: str) -> str:
    """The form under which an address is compared and stored: domain in lower-case A-labels, local part as given.

    Raises:
        AddressError: as ``parse_mailbox``.
    """
    return parse_mailbox(address).address


def domain_of(address: str) -> str:
    """The domain of an address, in lower-case A-labels.

    Raises:
        AddressError: as ``parse_mailbox``.
    """
    return parse_mailbox(address).domain


def enclosing_domains(domain: str) -> tuple[str, ...]:
    """The domain and those around it, the nearest first, without the top level: ``a.b.example``, ``b.example``."""
    labels = domain.split(".")
    return tuple(".".join(labels[start:]) for start in range(max(1, len(labels) - 1)))


class _Token(NamedTuple):
    """``kind`` is atom, quoted, comment or the special itself; ``spaced`` says that white space or a comment came before."""

    kind: str
    text: str
    spaced: bool


def _refuse_controls(text: str) -> None:
    control = _CONTROL.search(text)
    if control is not None:
        part = "Domain" if "@" in text[: control.start()] else "Local address"
        raise AddressError(f"{part} contains control or whitespace")


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at, spaced = 0, False
    while at < len(text):
        if text[at] == "(":
            end = _comment_end(text, at)
            tokens.append(_Token("comment", text[at + 1 : end - 1], spaced))
            at, spaced = end, True
            continue
        match = _TOKEN.match(text, at)
        if match is None:
            raise AddressError("Missing '\"'" if text[at] == '"' else f"Illegal character {text[at]!r} in address")
        at = match.end()
        if match.lastgroup == "space":
            spaced = True
            continue
        kind = match.lastgroup if match.lastgroup in ("quoted", "atom") else match[0]
        tokens.append(_Token(kind or "", match[0], spaced))
        spaced = False
    return tokens


def _comment_end(text: str, start: int) -> int:
    depth, at = 0, start
    for mark in _COMMENT_MARK.finditer(text, start):
        if mark[0] == "(":
            depth += 1
        elif mark[0] == ")":
            depth -= 1
        if depth > MAX_COMMENT_DEPTH:
            raise AddressError("Illegal address: comments are nested too deeply")
        at = mark.end()
        if depth == 0:
            return at
    raise AddressError("Missing ')'")


def _mailboxes(tokens: Sequence[_Token]) -> Iterator[Mailbox | str]:
    """Each mailbox, and the name of each group as it opens."""
    pending: list[_Token] = []
    in_group = in_angle = False
    for token in tokens:
        if token.kind in "<>":
            in_angle = token.kind == "<"
        elif in_angle:
            pass
        elif token.kind == ":":
            if in_group or not pending:
                raise AddressError("Nested group" if in_group else "Illegal address")
            yield _phrase(pending)
            pending, in_group = [], True
            continue
        elif token.kind in ",;":
            if token.kind == ";" and not in_group:
                raise AddressError("Illegal semicolon, not in group")
            in_group = in_group and token.kind == ","
            if any(each.kind != "comment" for each in pending):
                yield _one(pending)
            pending = []
            continue
        pending.append(token)
    if in_group:
        raise AddressError("Missing ';'")
    if any(each.kind != "comment" for each in pending):
        yield _one(pending)


def _one(tokens: Sequence[_Token]) -> Mailbox:
    words = [token for token in tokens if token.kind != "comment"]
    comments = [token.text for token in tokens if token.kind == "comment"]
    kinds = [token.kind for token in words]
    if "<" in kinds:
        opened = kinds.index("<")
        if kinds[-1] != ">" or kinds.count("<") > 1:
            raise AddressError("Missing '>'" if ">" not in kinds else "Extra route-addr")
        display, spec = _phrase(words[:opened]), words[opened + 1 : -1]
        if spec and spec[0].kind == "@":
            raise AddressError("Missing local name" if kinds.count(":") == 0 else "Illegal route-addr")
    elif ">" in kinds:
        raise AddressError("Missing '<'")
    else:
        # RFC 5322 §3.4: older mail put the name into a comment after the address.
        display, spec = _decoded(comments[-1].strip()) if comments else "", words
    return _from_spec(display, spec)


def _from_spec(display: str, spec: Sequence[_Token]) -> Mailbox:
    kinds = [token.kind for token in spec]
    if "@" not in kinds:
        raise AddressError("Missing final '@domain'")
    at = len(kinds) - 1 - kinds[::-1].index("@")
    local, domain = spec[:at], spec[at + 1 :]
    if not local:
        raise AddressError("Missing local name")
    if not domain:
        raise AddressError("Missing domain")
    if any(token.kind == "[" for token in domain):
        raise AddressError("Domain literal is not allowed; use a domain name")
    if len(local) > 1:
        spaced = any(token.spaced for token in local[1:])
        fault = "control or whitespace" if spaced else "illegal character"
        raise AddressError(f"Local address contains {fault}")
    if len(domain) > 1:
        spaced = any(token.spaced for token in domain[1:])
        raise AddressError(f"Domain contains {'control or whitespace' if spaced else 'illegal character'}")
    return _mailbox(display, _local(local[0]), domain[0].text)


def _local(token: _Token) -> str:
    if not token.text.isascii():
        raise AddressError("Local part must be ASCII")
    if token.kind == "quoted":
        inner = _QUOTED_PAIR.sub(r"\1", token.text[1:-1])
        if _DOT_ATOM.fullmatch(inner):
            return inner  # RFC 5321 §4.1.2: quoted or not, it is the same mailbox; the shortest form is sent
        return '"' + inner.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if _DOT_ATOM.fullmatch(token.text):
        return token.text
    raise AddressError(_dot_fault("Local address", token.text))


def _dot_fault(part: str, text: str) -> str:
    if text.startswith("."):
        return f"{part} starts with dot"
    if text.endswith("."):
        return f"{part} ends with dot"
    if ".." in text:
        return f"{part} contains dot-dot"
    return f"{part} contains illegal character"


def _mailbox(display: str, local: str, domain: str) -> Mailbox:
    wire = domain.lower() if domain.isascii() else _a_labels(domain)
    if not _DOMAIN.fullmatch(wire):
        raise AddressError(_dot_fault("Domain", wire))
    if len(local) > MAX_LOCAL:
        raise AddressError(f"Local address is longer than {MAX_LOCAL} octets")
    if len(wire) > MAX_DOMAIN:
        raise AddressError(f"Domain is longer than {MAX_DOMAIN} octets")
    if len(local) + 1 + len(wire) > MAX_ADDRESS:
        raise AddressError(f"Address is longer than {MAX_ADDRESS} octets")
    return Mailbox(display=display, local=local, domain=wire)


@lru_cache(maxsize=4096)
def _a_labels(domain: str) -> str:
    """The Punycode form of an internationalised domain (RFC 5891 with the mapping of UTS #46)."""
    if len(domain) > MAX_DOMAIN:
        raise AddressError(f"Domain is longer than {MAX_DOMAIN} octets")
    try:
        return idna.encode(domain, uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError) as error:
        raise AddressError(f"Domain contains illegal character: {error}") from error


def _phrase(tokens: Sequence[_Token]) -> str:
    """The display name: quoted strings without their quotes, encoded words decoded (RFC 5322 §3.2.5, RFC 2047 §5)."""
    parts: list[str] = []
    for token in tokens:
        if token.kind == "comment":
            continue
        if parts and token.spaced:
            parts.append(" ")
        quoted = token.kind == "quoted"
        parts.append(_QUOTED_PAIR.sub(r"\1", token.text[1:-1]) if quoted else token.text)
    return _decoded("".join(parts))


def _decoded(display: str) -> str:
    name = decode_words(display)
    if _CONTROL.search(name):
        raise AddressError("Display name contains control characters")
    return name
