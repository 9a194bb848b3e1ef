"""``waybill standing``: bounce and complaint rates, who is paused, what blocklists say, and what there is to put right."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from waybill.appraise import Appraisal, appraisal_json, appraise, troubles
from waybill.cli.session import NO, NOT_FOUND, config_option, fail, json_option, with_store
from waybill.cli.show import harmless
from waybill.explain.words import author, clock
from waybill.model.clock import now, rfc3339
from waybill.model.resource import INSTALLATION, Account, ConfigurationSet
from waybill.model.standing import Listed, ListingState
from waybill.standing.reputation import PAUSED, WORDS, Judgement, Kind, Level, Rate, describe, percent
from waybill.standing.standing_json import undo
from waybill.store.protocol import Store

_WIDTH = 44


@click.command()
@click.option("--account", help="Only of this account.")
@json_option
@config_option
def standing(account: str | None, config: Path | None, *, as_json: bool) -> None:
    """Say how we stand: rates, pauses, blocklists; exit 1 if somebody is paused by a rule or surely over a threshold."""

    async def look(store: Store) -> Appraisal | None:
        if account is not None and await store.get(Account, INSTALLATION, account) is None:
            return None
        return await appraise(store, now(), account)

    found = with_store(config, look)
    if found is None:
        raise fail(f"no account {account!r}", NOT_FOUND)
    if as_json:
        click.echo(json.dumps(appraisal_json(found), indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(harmless(line) for line in _lines(found)))
    if any(one.level >= Level.UNDER_REVIEW for one in found.judgements):
        raise click.exceptions.Exit(NO)


def _lines(found: Appraisal) -> Iterator[str]:
    if not found.judgements:
        yield "Nothing was sent in the last 30 days, so there is nothing to judge."
    for judged in found.judgements:
        yield _rate_line(judged, paused=found.is_paused(judged))
    for stopped in found.stopped:
        yield from _pause_lines(stopped)
    yield from _listing_lines(found.listings)
    for one in found.recommendations:
        if one.fixed_at is None:
            yield f"to do          {one.text} {one.fix}"


def standing_lines(found: Appraisal) -> Iterator[str]:
    """What is not well, for ``waybill status``: a line each for rates, and for what is on a blocklist."""
    for judged in troubles(found):
        state = PAUSED if found.is_paused(judged) else WORDS[judged.level]
        yield f"standing     {state:10} {judged.subject}: {describe(judged.worst, judged.window)}; more: waybill standing"
    for one in found.listings:
        if one.state is ListingState.LISTED:
            yield f"standing     listed     {one.text} (since {rfc3339(one.since)}); more: waybill standing"


def _rate_line(judged: Judgement, *, paused: bool) -> str:
    state = PAUSED if paused else WORDS[judged.level]
    name = f"{judged.subject.kind} {judged.subject.name}"
    figures = judged.figures
    if judged.subject.kind is Kind.ACCOUNT and not figures.sent:
        return f"{state:14} {name}"
    excused = f", {figures.excused:,} more in an incident" if figures.excused else ""
    return (
        f"{state:14} {name:{_WIDTH}} {figures.sent:,} sent in {judged.window}:"
        f" {_share(judged.bounce)} bounced for good{excused}, {_share(judged.complaint)} complained"
    )


def _share(rate: Rate) -> str:
    if not rate.is_judged:
        return f"{rate.cases:,}"
    return f"{rate.cases:,} ({percent(rate.share)})"


def _pause_lines(stopped: Account | ConfigurationSet) -> Iterator[str]:
    is_set = isinstance(stopped, ConfigurationSet)
    account = stopped.account if is_set else stopped.name
    what = f"configuration set {stopped.name} of account {account}" if is_set else f"account {account}"
    pause = stopped.paused
    who = f" by {author(pause.by)} since {clock(pause.at)}: {pause.reason}" if pause else ""
    yield f"paused         {what}{who}"
    yield f"               {undo(account, stopped.name if is_set else None)}"


def _listing_lines(listings: Sequence[Listed]) -> Iterator[str]:
    for subject in dict.fromkeys(one.subject for one in listings):
        own = [one for one in listings if one.subject == subject]
        for one in own:
            if one.state is ListingState.LISTED:
                yield f"listed         {subject}: {one.text}; since {clock(one.since)}, asked last at {clock(one.asked_at)}"
        clear = [one.blocklist for one in own if one.state is ListingState.CLEAR]
        if clear:
            asked = max(one.asked_at for one in own)
            yield f"not listed     {subject}: by {', '.join(clear)}, asked last at {clock(asked)}"
        for one in own:
            if one.state in {ListingState.REFUSED, ListingState.UNKNOWN}:
                yield f"not known      {subject}: {one.text}"
