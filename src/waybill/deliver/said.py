"""What a server said, made ready for the rules: one line, lower case, without the addresses and ids that vary."""

import re
from dataclasses import dataclass

from waybill.model.outcome import Reply, Stage

_NAME = r"[^\s<>()\[\],;:\"'|]"
_ADDRESS = re.compile(rf'<?(?:"[^"<>@]{{1,64}}"|{_NAME}+)@{_NAME}*[^\s<>()\[\],;:\"\'|.]>?')
_IPV4 = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\d)")
_IPV6 = re.compile(
    r"(?<![\w:.])(?:ipv6:)?(?=[0-9a-f:]*::|(?:[0-9a-f]{1,4}:){7})"
    r"(?:[0-9a-f:]*:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f:]*[0-9a-f](?:::)?)(?!\w|:[\w:])"
)
_CONTINUED = re.compile(r"^[245]\.\d{1,3}\.\d{1,3}[ :-]+")
_CODE_INSIDE = re.compile(
    r"(?:\b(?:said|me|command|with|response|error|status)\b[^:]{0,12}: ?|^\W*)([245]\d\d)(?=[ -])"
)
_CODE_BEFORE_STATUS = re.compile(r"(?<![\d.])([245]\d\d)[ -]#?[245]\.\d{1,3}\.\d{1,3}(?!\d)")
_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3}\.\d{1,3})(?![\d.]*\d)")
_QUOTES = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u00a0": " "})

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_STAMP = re.compile(
    r"\d{4}-\d\d-\d\d(?:[t ]\d\d:\d\d(?::\d\d)?[\d.,]*)?(?:z|[+-]\d\d:?\d\d)?|\b\d{1,2}[/.]\d{1,2}[/.]\d{2,4}\b"
    rf"|(?:\b(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? )?\b(?:\d{{1,2}}[ -]{_MONTH}|{_MONTH} \d{{1,2}}\b),?(?:[ -]\d{{4}})?"
    r"|\b\d{1,2}:\d\d(?::\d\d)?(?:[.,]\d+)?(?: ?[ap]m\b)?(?: [+-]\d{4}\b)?(?: \([a-z]{2,5}\)| (?:utc|gmt)\b)?"
)
_STAMPS = re.compile(r"<time>(?:,? <time>)+")
_LINK = re.compile(r"\bhttps?://[^\s\"']+")
_HOST = re.compile(r"(?<![\w.@-])(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)+(?:[a-z]{2,24}|xn--[a-z0-9-]+)\.?(?![\w-])")
_NAMED_ID = re.compile(
    r"\b((?:[a-z]*id|ref|reference|ticket|case|session|queue|incident|key|token)(?: no\.?)?(?: ?[:=#] ?| #))[^\s,;()]+"
)
_ID = re.compile(
    r"(?<![\w.])(?:(?!\d+(?:[.,]\d+)*(?![\w+/=-]))(?=[\w+/=-]*\d)[a-z0-9+/=_-]{8,}(?:\.[\w-]+)*|(?=[a-z]*\d+[a-z])[a-z0-9]{4,}(?!\w)|[0-9a-f]{16,}(?!\w))"
)
_NUMBER = re.compile(r"(?<![\w.])\d+(?:[.,]\d+)*(?![\w.]*\w)")
_VARYING = (
    (_LINK, "<link>"),
    (_STAMP, "<time>"),
    (_STAMPS, "<time>"),
    (_NAMED_ID, r"\1<id>"),
    (_HOST, "<host>"),
    (_ID, "<id>"),
    (_NUMBER, "<n>"),
)
FINGERPRINT_LENGTH = 500
_CODES = re.compile(r"^[245]\d\d(?:[ -]#?[245]\.\d{1,3}\.\d{1,3})?")


@dataclass(frozen=True, slots=True)
class Said:
    """The reply as the rules see it.

    ``code`` is the reply code, or empty; ``detail`` the enhanced code without its class (``1.1`` of ``5.1.1``).
    """

    text: str
    code: str
    detail: str | None
    stage: Stage

    @property
    def status_class(self) -> str:
        """``4`` or ``5``, or empty where the words have no code."""
        return self.code[:1]


def read_reply(reply: Reply, stage: Stage) -> Said:
    """What a server said in the conversation."""
    text = _plain(" ".join(_joined(reply.lines)))
    detail = reply.enhanced.partition(".")[2] if reply.enhanced else None
    return Said(f"{reply.code} {text}", str(reply.code), detail, stage)


def read_words(words: str, stage: Stage) -> Said:
    """What a report or a log says of a reply, where it does not begin with a code. A code inside it counts."""
    text = _plain(words)
    found = _CODE_BEFORE_STATUS.search(text) or _CODE_INSIDE.search(text)
    status = _STATUS.search(text)
    code = found[1] if found else f"{status[1]}00" if status else ""
    return Said(text, code, status[2] if status else None, stage)


def fingerprint(reply: str) -> str:
    """The reply with everything that varies taken out, so that replies of one kind are counted as one.

    Addresses, IP addresses, links, times, host names, ids, hashes and numbers become ``<address>``, ``<ip>``, ``<link>``,
    ``<time>``, ``<host>``, ``<id>`` and ``<n>``; the codes in front stay. Words of more than ``FINGERPRINT_LENGTH``
    characters are cut.
    """
    text = _plain(reply)
    codes = _CODES.match(text)
    head, rest = (codes[0], text[codes.end() :]) if codes else ("", text)
    for pattern, word in _VARYING:
        rest = pattern.sub(word, rest)
    return (head + rest)[:FINGERPRINT_LENGTH]


def _joined(lines: tuple[str, ...]) -> list[str]:
    """The lines of a reply; Gmail repeats the enhanced code on each, in the middle of its sentences."""
    return [line if number == 0 else _CONTINUED.sub("", line) for number, line in enumerate(lines) if line]


def _plain(text: str) -> str:
    text = " ".join(text.translate(_QUOTES).lower().split())
    if "@" in text:
        text = _ADDRESS.sub("<address>", text)
    if ":" in text:
        text = _IPV6.sub("<ip>", text)
    return _IPV4.sub("<ip>", text)
