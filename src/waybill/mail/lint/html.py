"""HTML as a filter sees it: links with the text they show, the words, what is hidden. One pass, every character once."""

import re
from collections import Counter
from html import unescape
from typing import NamedTuple

MOST_LINKS = 500
MOST_OPEN = 200
MOST_LINK_TEXT = 300

_ATTRIBUTE = re.compile(r"([a-zA-Z-]{1,40})\s{0,9}=\s{0,9}(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))")
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9]{0,20}")
_HIDES = re.compile(
    r"display\s{0,9}:\s{0,9}none|visibility\s{0,9}:\s{0,9}hidden|font-size\s{0,9}:\s{0,9}0(?![.\d])", re.IGNORECASE
)
_WORD = re.compile(r"[^\W_]{2,}")
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())  # noqa: SIM905
_UNSHOWN = frozenset({"style", "script", "title", "head", "template"})
ACTIVE = frozenset({"script", "form", "iframe", "object", "embed", "applet"})
"""Elements that mail programs remove or block."""


class Link(NamedTuple):
    """A link, and the text that it shows; ``line`` counts from 1 in the decoded part."""

    target: str
    shown: str
    line: int


class Page:
    """What was read from a part of HTML."""

    def __init__(self) -> None:
        self.links: list[Link] = []
        self.images = 0
        self.active: list[str] = []
        self._shown: list[str] = []
        self._hidden: list[str] = []

    @property
    def text(self) -> str:
        """The text that a reader sees."""
        return "".join(self._shown)

    def words(self) -> Counter[str]:
        """The words that a reader sees, in lower case."""
        return words_of(self.text)

    def hidden_words(self) -> int:
        """How many words the reader does not see."""
        return words_of("".join(self._hidden)).total()

    def add(self, text: str, *, hidden: bool) -> None:
        """Takes text that stands between tags."""
        (self._hidden if hidden else self._shown).append(text)


def words_of(text: str) -> Counter[str]:
    """The words of a text, in lower case, with how often each is there."""
    return Counter(_WORD.findall(text.lower()))


class _Reader:
    """Where in the page the reader is: the elements that are open, and the link it is in."""

    def __init__(self) -> None:
        self.page = Page()
        self._open: list[tuple[str, bool]] = []
        self._hidden = 0
        self._target: str | None = None
        self._link_line = 0
        self._link_text: list[str] = []

    def take_text(self, raw: str) -> None:
        text = unescape(raw) if "&" in raw else raw
        self.page.add(text, hidden=self._hidden > 0)
        if self._target is not None and self._hidden == 0:
            self._link_text.append(text)

    def take_tag(self, tag: str, line: int) -> str | None:
        """Takes what stands between < and >. Returns the element's name where its content is no HTML."""
        closes = tag.startswith("/")
        match = _NAME.match(tag, 1 if closes else 0)
        if match is None:
            return None
        name = match[0].lower()
        if closes:
            self._close(name)
            return None
        attributes = _attributes(tag) if name in {"a", "area", "img"} or "style" in tag or "hidden" in tag else {}
        if name in ACTIVE and name not in self.page.active:
            self.page.active.append(name)
        if name == "img":
            self.page.images += 1
        elif name in {"a", "area"}:
            self._end_link()
            if "href" in attributes:
                self._target, self._link_line = attributes["href"].strip(), line
            if name == "area":
                self._end_link()
        elif name in {"br", "p", "div", "td", "tr", "li"}:
            self.page.add(" ", hidden=False)
        if name not in _VOID and not tag.endswith("/") and len(self._open) < MOST_OPEN:
            hides = name in _UNSHOWN or _HIDES.search(attributes.get("style", "")) is not None
            self._open.append((name, hides))
            self._hidden += hides
        return name if name in {"style", "script", "title"} else None

    def end(self) -> Page:
        self._end_link()
        return self.page

    def _close(self, name: str) -> None:
        if name == "a":
            self._end_link()
        for depth in range(len(self._open) - 1, -1, -1):
            if self._open[depth][0] == name:
                self._hidden -= sum(hides for _, hides in self._open[depth:])
                del self._open[depth:]
                return

    def _end_link(self) -> None:
        if self._target is not None and len(self.page.links) < MOST_LINKS:
            shown = " ".join("".join(self._link_text)[:MOST_LINK_TEXT].split())
            self.page.links.append(Link(self._target, shown, self._link_line))
        self._target, self._link_text = None, []


def _attributes(tag: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for match in _ATTRIBUTE.finditer(tag):
        value = match[2] if match[2] is not None else match[3] if match[3] is not None else match[4]
        found.setdefault(match[1].lower(), unescape(value[:2_000]))
    return found


def read_page(text: str) -> Page:
    """Returns what the HTML shows, hides and leads to. Any text will do."""
    reader = _Reader()
    at, line, counted = 0, 1, 0
    while True:
        start = text.find("<", at)
        if start < 0:
            break
        if start > at:
            reader.take_text(text[at:start])
        line += text.count("\n", counted, start)
        counted = start
        if text.startswith("<!--", start):
            end = text.find("-->", start + 4)
            at = end + 3 if end >= 0 else len(text)
            continue
        end = _tag_end(text, start)
        if end < 0:
            at = start
            break
        raw = reader.take_tag(text[start + 1 : end], line)
        at = end + 1
        if raw is not None:
            at = _end_of_raw(text, raw, at)
    if at < len(text):
        reader.take_text(text[at:])
    return reader.end()


def _tag_end(text: str, start: int) -> int:
    """The ``>`` that ends the tag; one within quotes does not, where the quotes are closed close by."""
    end = text.find(">", start)
    for quote in "\"'":
        if end >= 0 and text.count(quote, start, end) % 2:
            closed = text.find(quote, end, end + 2_000)
            after = text.find(">", closed, closed + 2_000) if closed >= 0 else -1
            end = after if after >= 0 else end
    return end


_RAW_ENDS = {name: re.compile(rf"</{name}", re.IGNORECASE) for name in ("style", "script", "title")}


def _end_of_raw(text: str, name: str, at: int) -> int:
    """Where the content of a style, script or title ends; to the end of the text where it does not."""
    match = _RAW_ENDS[name].search(text, at)
    return match.start() if match else len(text)
