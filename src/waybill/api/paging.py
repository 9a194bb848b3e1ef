"""Lists in pages: a NextToken carries the last name of the page before, so that pages hold while the list changes."""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from waybill.api.ses_error import SesError, invalid
from waybill.store.protocol import R, Store

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """What to list: at most ``limit`` names after ``after``."""

    after: str
    limit: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """The page sizes that an operation allows, by the name of its parameter; ``default`` where none is given."""

    parameter: str
    default: int
    maximum: int


def open_page(token: str | None, size: int | None, allowed: Range, *, code: str = "BadRequestException") -> Page:
    """The page that a request asks for. Sizes over the maximum get the maximum, as SES does.

    Raises:
        SesError: a token of no list (``code`` is what v2 calls it); a size below 1.
    """
    if size is not None and size < 1:
        raise invalid(f"{allowed.parameter} is {size}; allowed are 1 to {allowed.maximum}.")
    return Page(after=_after(token, code), limit=min(size or allowed.default, allowed.maximum))


def _after(token: str | None, code: str) -> str:
    if not token:
        return ""
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise SesError(
            "The NextToken is not one that this list has returned.", v2=code, v1="InvalidParameterValue"
        ) from None


def cut(found: list[T], page: Page, name: Callable[[T], str]) -> tuple[list[T], str | None]:
    """The page out of a list asked with one entry more than the page holds, and the token of the next page."""
    if len(found) <= page.limit:
        return found, None
    shown = found[: page.limit]
    return shown, base64.urlsafe_b64encode(name(shown[-1]).encode()).decode()


async def list_page(store: Store, kind: type[R], account: str, page: Page) -> tuple[list[R], str | None]:
    """A page of the account's resources of a kind and the token of the next page."""
    found = await store.scan(kind, account, after=page.after, limit=page.limit + 1)
    return cut(found, page, lambda record: record.name)
