"""``waybill authentication``: what SPF, DKIM and DMARC looked like from outside when mail of a domain was sent."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from waybill.cli.session import NOT_FOUND, config_option, fail, json_option, with_store
from waybill.cli.show import harmless
from waybill.explain.authentication import dkim_words, dmarc_words, spf_words
from waybill.explain.words import clock
from waybill.mail.spf import MOST_LOOKUPS, MOST_VOID_LOOKUPS
from waybill.model.authentication import AuthenticationSeen, SpfEvaluation
from waybill.model.clock import rfc3339
from waybill.model.resource import DEFAULT_ACCOUNT


@click.command()
@click.argument("domain")
@click.option("--account", default=DEFAULT_ACCOUNT, show_default=True, help="Whose mail.")
@click.option("--limit", default=5, show_default=True, help="How many entries, the newest first.")
@json_option
@config_option
def authentication(domain: str, account: str, limit: int, config: Path | None, *, as_json: bool) -> None:
    """Show what SPF, DKIM and DMARC looked like when mail from a domain was sent, with every step of the evaluation.

    There is an entry for each address that mail left from, for as long as the same was seen.
    """
    domain = domain.lower().removesuffix(".")
    found = with_store(config, lambda store: store.authentications.of_domain(account, domain, limit=limit))
    if not found:
        raise fail(f"no mail from {domain} has been sent by this account, so nothing was seen", NOT_FOUND)
    if as_json:
        click.echo(json.dumps([_json(seen) for seen in found], indent=2, ensure_ascii=False))
        return
    for number, seen in enumerate(found):
        if number:
            click.echo()
        for line in _lines(seen):
            click.echo(harmless(line))


def _json(seen: AuthenticationSeen) -> dict[str, Any]:
    times = {"first_seen": rfc3339(seen.first_seen), "last_seen": rfc3339(seen.last_seen)}
    told: dict[str, Any] = msgspec.to_builtins(seen)
    return {**told, **times}


def _lines(seen: AuthenticationSeen) -> Iterator[str]:
    found, sending = seen.authentication, seen.authentication.sending
    via = f" by the relay {sending.via}" if sending.via else ""
    yield (
        f"{sending.from_domain}   sent from {sending.source_ip}{via}, "
        f"MAIL FROM {sending.mail_from_domain}, EHLO {sending.helo}"
    )
    until = f" to {clock(seen.last_seen)}" if seen.last_seen != seen.first_seen else ""
    yield f"  seen   {clock(seen.first_seen)}{until}"
    yield f"  SPF    {spf_words(found)}"
    if found.spf is not None:
        yield from _trace(found.spf)
    for key in found.dkim:
        yield f"  DKIM   {dkim_words(found, key)}"
        if key.record is not None:
            yield f'         {key.selector}._domainkey.{key.domain} TXT "{key.record}"'
    if not found.dkim:
        yield "  DKIM   the mail carried no signature"
    yield f"  DMARC  {dmarc_words(found)}"
    record = found.dmarc.record
    if record is not None:
        yield f'         _dmarc.{record.domain} TXT "{record.text}"'
        yield from (f"         {note}" for note in record.notes)
    yield f"         asked: {', '.join(found.dmarc.asked)}"


def _trace(spf: SpfEvaluation) -> Iterator[str]:
    """The records, then every term that was evaluated, deeper ones further in."""
    for record in spf.records:
        yield f'         {record.domain} TXT "{record.text}"'
    for term in spf.terms:
        yield f"         {'  ' * term.depth}{term.term}  {term.verdict}: {term.detail}"
    if spf.explanation:
        yield f"         {spf.domain} says: {spf.explanation}"
    yield (
        f"         {spf.lookups} of {MOST_LOOKUPS} lookups, "
        f"{spf.void_lookups} of {MOST_VOID_LOOKUPS} that may find nothing"
    )
