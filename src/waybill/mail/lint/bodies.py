"""The texts of a message: whether there is one to read, whether both say the same, and what the HTML hides or holds."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from waybill.mail.lint.html import Link, Page, read_page, words_of
from waybill.mail.lint.links import judge_links
from waybill.mail.lint.parts import MOST_TEXT, Part
from waybill.mail.lint.rules import found
from waybill.model.content import Finding

CLIPPED = 102 * 1024
"""Octets of HTML after which Gmail shows "[Message clipped]"."""

LEAST_SHARE = 20
"""Per cent of the HTML's words that its text part should hold, too."""

_FEW = 20
_MOST_HIDDEN = 40
_URL = re.compile(r"\bhttps?://[^\s<>\"]{1,2000}", re.IGNORECASE)
_TAG = re.compile(r"\{\{[#/^&]?\s?[A-Za-z_][\w. -]{0,50}\}?\}\}|\*\|[A-Z_:]{1,40}\|\*|%%[a-z_]{2,40}%%")
_OFFERS = re.compile(
    r"unsubscribe|opt[ -]?out|abmelden|abbestellen|désabonner|desinscri|darse de baja|cancelar suscripci|wypisz|disiscri"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Texts:
    """What a message says: its plain parts, its pages with their parts."""

    plain: tuple[Part, ...]
    pages: tuple[tuple[Part, Page], ...]

    @property
    def links(self) -> tuple[Link, ...]:
        """Every link, those of plain text with nothing but themselves to show."""
        inner = [link for _, page in self.pages for link in page.links]
        return (*inner, *(link for part in self.plain for link in _links_in(part.text)))

    @property
    def offers_to_unsubscribe(self) -> bool:
        """Whether a link offers to unsubscribe: mail that does is of the kind that must offer it in the header, too."""
        return any(
            _OFFERS.search(f"{link.shown} {link.target[:200]}".lower()) for _, page in self.pages for link in page.links
        )


def read_texts(parts: Sequence[Part]) -> Texts:
    """Returns the texts among the parts."""
    shown = [part for part in parts if not part.is_attachment]
    return Texts(
        plain=tuple(part for part in shown if part.kind == "text/plain"),
        pages=tuple((part, read_page(part.text)) for part in shown if part.kind == "text/html"),
    )


def judge_texts(texts: Texts, parts: Sequence[Part]) -> Iterator[Finding]:
    """What speaks against the texts and their links."""
    for part, page in texts.pages:
        where = f"HTML part {part.number}"
        yield from judge_links(page.links, where=where)
        yield from _judge_page(part, page, where)
    for part in texts.plain:
        where = f"text part {part.number}"
        yield from judge_links(_links_in(part.text), where=where)
        yield from _unfilled(part.text, where)
    yield from _judge_both(texts)
    says = any(part.text.strip() for part in texts.plain) or any(
        page.text.strip() or page.images for _, page in texts.pages
    )
    if not says and not any(part.is_attachment and part.size for part in parts):
        yield found("nothing-said")


def _links_in(text: str) -> list[Link]:
    links = []
    line, counted = 1, 0
    for match in _URL.finditer(text):
        line += text.count("\n", counted, match.start())
        counted = match.start()
        links.append(Link(match[0].rstrip(".,;:!?)]}'"), "", line))
    return links


def _unfilled(text: str, where: str) -> Iterator[Finding]:
    match = _TAG.search(text)
    if match is not None:
        yield found("text-unfilled", where=where, tag=match[0])


def _judge_page(part: Part, page: Page, where: str) -> Iterator[Finding]:
    size = len(part.content) if part.size <= MOST_TEXT else part.size
    if size > CLIPPED:
        yield found("html-clipped", where=where, size=f"{size / 1024:,.0f}")
    for tag in page.active:
        yield found("html-active", where=where, tag=tag)
    yield from _unfilled(page.text, where)
    words = page.words().total()
    if page.images and words < _FEW:
        yield found("html-image-only", where=where, words=words, images=page.images)
    hidden = page.hidden_words()
    if hidden > max(_MOST_HIDDEN, words // 3):  # a preview line before the text is hidden by many, and harmless
        yield found("html-hidden-text", where=where, hidden=hidden, words=words + hidden)


def _judge_both(texts: Texts) -> Iterator[Finding]:
    if not texts.pages:
        return
    if not texts.plain:
        yield found("html-only")
        return
    page = texts.pages[0][1]
    plain = "".join(each.text for each in texts.plain)
    where = f"text part {texts.plain[0].number}"
    if not plain.strip():
        yield found("text-part-empty", where=where)
        return
    words = page.words()
    if words.total() >= _FEW:
        share = (words & words_of(plain)).total() * 100 // words.total()
        if share < LEAST_SHARE:
            yield found("text-part-differs", where=where, share=share)
