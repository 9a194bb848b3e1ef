"""``waybill check``: is this sending domain set up so that receivers take its mail, and what to publish where it is not."""

import asyncio
import json
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import click

from waybill.api.identity import domain_name
from waybill.cli.check_page import changes, page
from waybill.cli.session import NO, UNREACHABLE, USAGE, config_option, fail, json_option, settings_of
from waybill.model.clock import now, rfc3339
from waybill.model.resource import DEFAULT_ACCOUNT
from waybill.serve.domain_checks import Question, check_domain, published_already
from waybill.settings import Settings
from waybill.standing.checks.check import DnsRecord
from waybill.standing.checks.run import Report, report_json
from waybill.store.open import open_store
from waybill.store.protocol import Store, StoreUnavailable

WATCH_EVERY = 15.0
"""Seconds between the end of one look and the next."""


@click.command()
@click.argument("domain")
@click.option("--ip", "ips", multiple=True, help="An address that mail comes from, in place of the configured ones.")
@click.option("--selector", "selectors", multiple=True, help="A DKIM selector, in place of those of the identity.")
@click.option("--watch", is_flag=True, help="Look again until nothing fails, and show what has changed.")
@click.option("--every", default=WATCH_EVERY, show_default=True, help="Seconds between two looks.")
@click.option("--account", default=DEFAULT_ACCOUNT, show_default=True)
@json_option
@config_option
def check(config: Path | None, *, as_json: bool, watch: bool, every: float, **asked: Any) -> None:
    """Say whether a domain is set up so that receivers take its mail, and which DNS records to publish where it is not.

    Looks at DNS, blocklists and the domain's servers now, and sends no mail. Works while the service is down. Exit 1:
    something fails; 3: DNS answered nothing.
    """
    if not 0 < every < 86_400:
        raise fail(f"--every {every:g} is not allowed; it must be a number of seconds above 0, and below a day", USAGE)
    look = _Look(question=_question(**asked), settings=settings_of(config), as_json=as_json)
    with suppress(KeyboardInterrupt):  # what was found last stands
        asyncio.run(look.watch(every) if watch else look.once())
    if look.found is not None and look.found.is_blind:
        raise click.exceptions.Exit(UNREACHABLE)
    if look.found is None or look.found.fails:
        raise click.exceptions.Exit(NO)


def _question(domain: str, ips: tuple[str, ...], selectors: tuple[str, ...], account: str) -> Question:
    name = domain_name(domain)
    if name is None:
        raise fail(f"{domain!r} is not allowed; it must be a domain such as shop.example", USAGE)
    return Question(
        domain=name, account=account, ips=tuple(map(_ip, ips)), selectors=tuple(each.lower() for each in selectors)
    )


def _ip(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise fail(
            f"--ip {text!r} is not allowed; it must be an address such as 192.0.2.7 or 2001:db8::7", USAGE
        ) from None


@dataclass(kw_only=True, slots=True)
class _Look:
    """Looks, and prints what it found."""

    question: Question
    settings: Settings
    as_json: bool
    found: Report | None = None
    told: set[DnsRecord] = field(default_factory=set)

    async def once(self) -> None:
        self.found = await self._check()
        self._print(
            json.dumps(report_json(self.found), indent=2, ensure_ascii=False) if self.as_json else page(self.found)
        )

    async def watch(self, every: float) -> None:
        """JSON: one line for each look that saw something new."""
        while True:
            last, self.found = self.found, await self._check()
            new = changes(last, self.found) if last is not None else page(self.found)
            if new:
                self._print(json.dumps(report_json(self.found), ensure_ascii=False) if self.as_json else new)
            if not self.found.fails:
                return
            if last is None and not self.as_json:
                self._print(f"\nLooking again every {every:g} s until nothing fails (Ctrl-C ends it).")
            await self._tell_published(self.found)
            await asyncio.sleep(every)

    async def _tell_published(self, report: Report) -> None:
        """Says once of each record that it is published, and that only the resolver's memory is in the way."""
        for seen in await published_already(report, self.settings):
            if not self.as_json and seen.record not in self.told:
                self.told.add(seen.record)
                self._print(
                    f"{rfc3339(report.at)[11:19]}  {seen.server} has {seen.record.name} {seen.record.type} already; "
                    f"the resolver keeps its old answer for up to {seen.kept} s"
                )

    async def _check(self) -> Report:
        store: Store | None = None
        try:
            store = await open_store(self.settings.store, clock=now, create=False)
        except StoreUnavailable as error:
            if self.found is None:
                click.echo(f"waybill: without the store, its identities and mail are not known: {error}", err=True)
        try:
            return await check_domain(self.question, self.settings, store, now, progress=self._progress)
        finally:
            if store is not None:
                await store.close()
            self._progress(0, 0)

    def _print(self, text: str) -> None:
        click.echo(text)
        sys.stdout.flush()

    def _progress(self, done: int, total: int) -> None:
        if sys.stderr.isatty():
            click.echo(
                f"\r\x1b[K{f'checking {self.question.domain}: {done} of {total}' if total else ''}", err=True, nl=False
            )
