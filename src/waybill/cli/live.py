"""The live probes of ``waybill explain --live``; a terminal sees them at work."""

import sys
from collections.abc import Mapping
from pathlib import Path

import click

from waybill.cli.session import settings_of
from waybill.explain import Facts
from waybill.inquire import Look
from waybill.model.clock import now
from waybill.model.probe import NotProbed, Probed, ProbeStep
from waybill.serve.live import Prober
from waybill.standing.probe import tell_nobody
from waybill.store.protocol import Store

_CLEARED = "\r\x1b[K"
"""Back to the beginning of the line, and the line empty."""


def looker(store: Store, config: Path | None) -> Look:
    """What walks to the recipients' servers."""
    watched = sys.stderr.isatty()
    prober = Prober(settings=settings_of(config), clock=now, told=_show_step if watched else tell_nobody)

    async def look(facts: Facts) -> Mapping[int, Probed | NotProbed]:
        try:
            return await prober.look(store, facts)
        finally:
            if watched:
                click.echo(_CLEARED, err=True, nl=False)

    return look


def _show_step(step: ProbeStep) -> None:
    where = f" {step.host}" if step.host else ""
    click.echo(f"{_CLEARED}{step.step.value}{where}, {step.ms:,} ms", err=True, nl=False)
