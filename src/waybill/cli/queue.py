"""``waybill queue``: what waits, and holding, releasing and hurrying it; also while the service is down."""

import asyncio
import json
import shlex
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import click

from waybill.cli.instant import read_instant
from waybill.cli.queue_page import (
    UNKNOWN_SITE,
    Waiting,
    held_text,
    report_lines,
    site_lines,
    suspension_lines,
    waiting_json,
)
from waybill.cli.queue_page import waiting_lines as lines_of
from waybill.cli.session import NOT_FOUND, USAGE, F, config_option, fail, json_option, with_store
from waybill.deliver.provider import PROVIDERS
from waybill.model.cause import Cause
from waybill.model.clock import Instant, now, rfc3339
from waybill.model.event import Held
from waybill.model.resource import EVERY_SITE, INSTALLATION, Probe, Suspension
from waybill.serve.report import site_json, suspension_json
from waybill.settings.value import parse_duration
from waybill.store.protocol import Store
from waybill.store.queueing import Selection

T = TypeVar("T")

OPERATOR = "operator"
_SUSPENSION = "suspension"
_UNREACHABLE = "unreachable"
_SELECTORS = "--site, --domain, --cause, --message, --account"

_MOST_PROBED = 100
"""Rests at so many sites are ended one by one; more than these are all."""

_PORTION = 500
_BREATH = 0.02
"""Seconds between two portions, so that the service's own writing goes on."""


@click.group()
def queue() -> None:
    """Look at what waits, hold it, release it, try it now."""


def _selectors(command: F) -> F:
    for name, meaning in reversed(
        [
            ("--site", "Mail to this provider or host, as `waybill queue list` names it."),
            ("--domain", "Mail to recipients of this domain."),
            ("--cause", "Mail that waits for this cause (docs/causes.md)."),
            ("--message", "The recipients of the message of this id."),
            ("--account", "Mail of this account."),
        ]
    ):
        command = click.option(name, help=meaning)(command)
    return command


def _selection(which: dict[str, str | None], *, held: bool | None = None) -> Selection:
    cause = which["cause"]
    if cause is not None and cause not in set(Cause):
        raise fail(f"--cause {cause!r} is not allowed; docs/causes.md lists the causes", USAGE)
    site = which["site"]
    return Selection(
        account=which["account"],
        sites=(site.lower(),) if site else (),
        domain=which["domain"],
        message_id=which["message"],
        cause=Cause(cause) if cause is not None else None,
        held=held,
    )


def _changed(which: dict[str, str | None], *, everything: bool) -> Selection:
    """What a command is to change: it must be said, and all of it in so many words."""
    selection = _selection(which)
    if (selection == Selection()) is not everything:
        raise fail(f"say which mail: at least one of {_SELECTORS}, or else --all", USAGE)
    return selection


def _site_alone(selection: Selection) -> str | None:
    """The site, where nothing but a site was given: then the site itself is suspended or resumed."""
    return selection.sites[0] if selection.sites and selection == Selection(sites=selection.sites) else None


def _print(as_json: bool, document: object, lines: Callable[[], list[str]]) -> None:  # noqa: FBT001 - its callers say which by name
    click.echo(json.dumps(document, indent=2, ensure_ascii=False) if as_json else "\n".join(lines()))


@queue.command("list")
@_selectors
@click.option("--held", is_flag=True, help="Only mail that Waybill holds back.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000))
@json_option
@config_option
def list_queue(config: Path | None, limit: int, *, held: bool, as_json: bool, **which: str | None) -> None:
    """Show what waits: by site; with a selector each recipient, and why it waits."""
    at = now()
    selection = _selection(which, held=held or None)
    if selection == Selection():
        sites = with_store(config, lambda store: store.queue_by_site(at, limit=limit))
        _print(as_json, [site_json(one) for one in sites], lambda: site_lines(sites, at))
        return

    async def read(store: Store) -> list[Waiting]:
        found = await store.queued(selection, limit=limit)
        events = {}
        for message_id in {one.message_id for one in found}:
            ledger = await store.ledger(message_id)
            events[message_id] = ledger.events if ledger else ()
        return [Waiting.of(one, events[one.message_id]) for one in found]

    waiting = with_store(config, read)
    if not waiting:
        raise fail("no mail that waits fits that", NOT_FOUND)
    _print(as_json, [waiting_json(one) for one in waiting], lambda: lines_of(waiting, at))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Queue:
    """What a selection finds before it is changed."""

    waiting: int
    held: int
    in_hand: int
    sites: frozenset[str]


async def _look(store: Store, selection: Selection, at: Instant) -> _Queue:
    found = await store.queue_by_site(at, selection=selection, limit=100_000)
    return _Queue(
        waiting=sum(one.waiting for one in found),
        held=sum(one.held for one in found),
        in_hand=sum(one.under_lease for one in found),
        sites=frozenset(one.site for one in found),
    )


async def _in_portions(step: Callable[[], Awaitable[int]], word: str) -> int:
    """How many all portions did together; a terminal sees them being counted."""
    total = 0
    while True:
        count = await step()
        total += count
        if count < _PORTION:
            break
        if sys.stderr.isatty():
            click.echo(f"\r{total} {word} ...", err=True, nl=False)
        await asyncio.sleep(_BREATH)
    if total >= _PORTION and sys.stderr.isatty():
        click.echo("\r\x1b[K", err=True, nl=False)
    return total


def _end(until: str | None, lasts: str | None) -> Instant | None:
    if until is not None and lasts is not None:
        raise fail("give --until or --for, not both", USAGE)
    try:
        end = now() + parse_duration(lasts) if lasts is not None else None
        end = read_instant(until) if until is not None else end
    except ValueError as error:
        raise fail(f"{'--for must be' if lasts else '--until'} {error}", USAGE) from None
    if end is not None and end <= now():
        raise fail(f"--until {until} is in the past", USAGE)
    return end


@queue.command()
@_selectors
@click.option("--all", "everything", is_flag=True, help="All that waits.")
@click.option("--until", help="When it ends by itself (RFC 3339, UTC); else until somebody releases it.")
@click.option("--for", "lasts", help='How long it lasts, such as "2h".')
@click.option("--reason", default="", help="Why; people who ask about the mail are told.")
@json_option
@config_option
def hold(config: Path | None, reason: str, *, everything: bool, as_json: bool, **which: str | None) -> None:
    """Hold mail back. With --site alone the site is suspended: new mail to it waits, too."""
    end = _end(which.pop("until"), which.pop("lasts"))
    selection = _changed(which, everything=everything)
    site, at = _site_alone(selection), now()
    suspension = None
    if site is not None:
        suspension = Suspension(
            account=INSTALLATION, name=site, by=OPERATOR, reason=reason or "no reason was given", at=at, until=end
        )
    held = Held(
        limit=OPERATOR if suspension is None else _SUSPENSION,
        by=OPERATOR,
        text=held_text(reason, suspension),
        until=end,
    )

    async def change(store: Store) -> tuple[_Queue, int, bool]:
        before = await _look(store, selection, at)
        known = suspension is None or await _is_known(store, suspension.name, before)
        if suspension is not None:
            _check_site(suspension.name, before)
            await store.put(suspension)
        count = await _in_portions(lambda: store.hold(selection, held, now=now(), limit=_PORTION), "held")
        return before, count, known

    before, count, known = with_store(config, change)
    if not before.waiting and suspension is None:
        raise fail("no mail that waits fits that", NOT_FOUND)
    document = {
        "held": count,
        "in_hand": before.in_hand,
        "until": None if end is None else rfc3339(end),
        "suspension": None if suspension is None else suspension_json(suspension),
        "known": known,
    }
    undo = f"resume {_words([site], config)}" if site else f"release {_options(which, config, everything=everything)}"
    _print(as_json, document, lambda: report_lines(document, undo))


def _check_site(site: str, before: _Queue) -> None:
    if before.sites and site not in before.sites and site not in PROVIDERS.by_name:
        goes_to = " and ".join(sorted(before.sites))
        raise fail(
            f"{site} is no site: its mail goes to {goes_to}, which --site holds with all its domains; --domain {site} holds this one",
            USAGE,
        )


async def _is_known(store: Store, site: str, found: _Queue) -> bool:
    """Whether mail can be held under that name, as far as anybody knows."""
    return site in PROVIDERS.by_name or site in found.sites or await store.knows_site(site)


def _options(which: dict[str, str | None], config: Path | None, *, everything: bool) -> str:
    given = [word for name, value in which.items() if value for word in (f"--{name}", value)]
    return _words(["--all"] if everything else given, config)


def _words(words: list[str], config: Path | None) -> str:
    return shlex.join([*words, *([] if config is None else ["--config", str(config)])])


@queue.command()
@_selectors
@click.option("--all", "everything", is_flag=True, help="All that is held.")
@json_option
@config_option
def release(config: Path | None, *, everything: bool, as_json: bool, **which: str | None) -> None:
    """End holds: the mail is due now, and sites that nobody answered for are tried again. With --site alone its suspension ends, too."""
    selection = _changed(which, everything=everything)
    site = _site_alone(selection)
    done = with_store(config, lambda store: _release(store, selection, resume=site))
    if not done["resumed"] and not done["released"]:
        raise fail(f"nothing that is held fits that{_unknown(done)}", NOT_FOUND)
    _print(as_json, done, lambda: report_lines(done))


def _unknown(done: dict[str, Any]) -> str:
    return "" if done["known"] else f": {UNKNOWN_SITE}"


async def _release(
    store: Store, selection: Selection, *, resume: str | None, limits: tuple[str | None, ...] = (None,)
) -> dict[str, Any]:
    """Ends the suspension and rests of sites, and holds for these limits (None: for any): what was done."""
    before = await _look(store, selection, now())
    resumed = resume is not None and await store.delete(Suspension, INSTALLATION, resume)
    known = resume is None or await _is_known(store, resume, before)
    probed = await _probe(store, selection)
    count = sum([await _release_held(store, replace(selection, held_for=limit)) for limit in limits])
    stopped = [one.name for one in await store.scan(Suspension, INSTALLATION) if _stops(one, before)]
    return {
        "released": count,
        "resumed": [resume] if resumed else [],
        "suspended": stopped,
        "probed": probed,
        "known": known,
    }


async def _release_held(store: Store, selection: Selection) -> int:
    return await _in_portions(lambda: store.release(selection, by=OPERATOR, now=now(), limit=_PORTION), "released")


async def _probe(store: Store, selection: Selection) -> list[str]:
    """Has workers end the rests of the selection's sites, before its mail is due: the sites at which some of it is held for one."""
    at = now()
    sites = sorted((await _look(store, selection, at)).sites)
    for name in [EVERY_SITE] if selection == Selection() or len(sites) > _MOST_PROBED else sites:
        await store.put(Probe(account=INSTALLATION, name=name, by=OPERATOR, at=at))
    return sorted((await _look(store, replace(selection, held_for=_UNREACHABLE), at)).sites)


def _stops(suspension: Suspension, queue: _Queue) -> bool:
    return suspension.name in queue.sites and not suspension.per_minute and suspension.holds(now())


@queue.command("retry-now")
@_selectors
@click.option("--all", "everything", is_flag=True, help="All that waits for another attempt.")
@json_option
@config_option
def retry_now(config: Path | None, *, everything: bool, as_json: bool, **which: str | None) -> None:
    """Make mail due now that waits for a later attempt, or for servers of which none answered. What is held for another reason stays held."""
    selection = _changed(which, everything=everything)

    async def change(store: Store) -> tuple[_Queue, dict[str, Any]]:
        before = await _look(store, selection, now())
        probed = await _probe(store, selection)
        count = await _release_held(store, replace(selection, held_for=_UNREACHABLE))
        count += await _in_portions(lambda: store.retry_now(selection, now=now(), limit=_PORTION), "due")
        after = await _look(store, replace(selection, held=True), now())
        return before, {"due": count, "held": after.held, "in_hand": before.in_hand, "probed": probed}

    before, done = with_store(config, change)
    if not before.waiting:
        raise fail("no mail that waits fits that", NOT_FOUND)
    undo = f"release {_options(which, config, everything=everything)}"
    _print(as_json, done, lambda: report_lines(done, undo))


@queue.command()
@json_option
@config_option
def suspensions(config: Path | None, *, as_json: bool) -> None:
    """List the sites that mail is held back from: by whom, why, until when."""

    async def read(store: Store) -> list[Suspension]:
        return [one for one in await store.scan(Suspension, INSTALLATION) if one.holds(now())]

    found = with_store(config, read)
    _print(as_json, [suspension_json(one) for one in found], lambda: suspension_lines(found))


@queue.command()
@click.argument("site")
@json_option
@config_option
def resume(config: Path | None, site: str, *, as_json: bool) -> None:
    """End the suspension of a site, whoever set it, and its rest where nobody answered; what they held is due now."""
    name = site.lower()

    selection, limits = Selection(sites=(name,)), (_SUSPENSION, _UNREACHABLE)
    done = with_store(config, lambda store: _release(store, selection, resume=name, limits=limits))
    if not done["resumed"] and not done["released"]:
        raise fail(f"{site} is not suspended{_unknown(done)}", NOT_FOUND)
    _print(as_json, done, lambda: report_lines(done))
