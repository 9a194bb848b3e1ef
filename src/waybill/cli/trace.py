"""``waybill trace``: where a received copy spent its time, where it was filed and on what grounds, by its header."""

import json
import shutil
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click

from waybill.api.own_trace import MOST_OCTETS, NO_MESSAGE, OPERATOR, trace_alone
from waybill.api.own_trace import keep as write_down
from waybill.api.own_trace import trace as trace_with
from waybill.cli.session import NO, UNREACHABLE, USAGE, config_option, fail, json_option, on_store, settings_of
from waybill.cli.show import LABEL, MARGIN, NARROWEST, harmless
from waybill.explain.trace import Trace
from waybill.explain.trace_json import trace_json
from waybill.explain.trace_words import describe, headline
from waybill.model.clock import now
from waybill.store.protocol import Store, StoreUnavailable


@click.command()
@click.argument("file")
@click.option("--keep", is_flag=True, help="Write what the copy shows into the ledger, so that explain tells it.")
@json_option
@config_option
def trace(file: str, config: Path | None, *, keep: bool, as_json: bool) -> None:
    """Say where a received copy spent its time, whether it was filed as spam, and who says so.

    FILE is the copy as its mailbox shows its source (.eml), or only its header; - reads it from standard input. Where
    the ledger can be opened and knows the message, both sides' times are shown beside each other.
    """
    found, kept = _trace(_read(file), config, keep=keep)
    if found is None:
        raise fail(f"{file}: {NO_MESSAGE}", NO)
    if as_json:
        click.echo(json.dumps({"file": file, **trace_json(found), "kept": kept}, indent=2, ensure_ascii=False))
        return
    for line in _lines(found, _remark(kept=kept) if keep else None):
        click.echo(line)


def _remark(*, kept: bool) -> str:
    if kept:
        return "What the copy shows is in the ledger now: explain tells it."
    return "Nothing was written: the copy is tied to no message of the ledger that has been delivered."


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read(MOST_OCTETS)
    try:
        with Path(file).open("rb") as stream:
            return stream.read(MOST_OCTETS)
    except OSError as error:
        raise fail(f"{file}: cannot be read: {error.strerror}", USAGE) from None


def _trace(data: bytes, config: Path | None, *, keep: bool) -> tuple[Trace | None, bool]:
    """The account, and whether it was written down. Without a ledger it is made of the header alone, unless it is to be kept."""
    settings = settings_of(config)

    async def look(store: Store) -> tuple[Trace | None, bool]:
        found = await trace_with(store, data, now())
        if found is None or not keep:
            return found, False
        return found, await write_down(store, found, by=OPERATOR, now=now())

    try:
        return on_store(settings, look)
    except StoreUnavailable as error:
        if keep:
            raise fail(str(error), UNREACHABLE) from None
        return trace_alone(data, f"not asked: {error}"), False


def _lines(found: Trace, remark: str | None) -> Iterator[str]:
    """The account in lines; on a terminal they are broken between words, in a pipe never."""
    width = _width()
    for line in _broken(headline(found), 0, width):
        yield click.style(line, bold=True)
    for label, text in (*describe(found), *((("Kept", remark),) if remark else ())):
        indent = MARGIN + LABEL + 1
        for number, line in enumerate(_broken(text, indent, width)):
            shown = label if number == 0 else ""
            yield f"{' ' * MARGIN}{click.style(f'{shown:{LABEL + 1}}', fg='cyan')}{line}".rstrip()


def _width() -> int | None:
    if not sys.stdout.isatty():
        return None
    return shutil.get_terminal_size().columns


def _broken(text: str, indent: int, width: int | None) -> Iterator[str]:
    for line in harmless(text).split("\n"):
        if width is None:
            yield line
        else:
            room = max(NARROWEST, width - indent)
            yield from textwrap.wrap(line, room, break_long_words=False, break_on_hyphens=False) or [""]
