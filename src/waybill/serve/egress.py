"""Whether other mail servers can be reached at all: asked only when attempts to several sites in a row have failed."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeAlias

from waybill.queue.egress import Egress
from waybill.serve.health import PartHealth, State

WITNESSES = 3
PATIENCE = 5.0
CHECK_EVERY = 10.0
"""Seconds between two active checks while the doubt lasts."""

Connect: TypeAlias = Callable[[str], Awaitable[str | None]]
"""Connects to an address and hangs up; None: it can be reached, else why not."""


async def connect_to(ip: str, port: int) -> str | None:
    """The ``Connect`` of a machine, for one port."""
    try:
        async with asyncio.timeout(PATIENCE):
            _, writer = await asyncio.open_connection(ip, port)
    except TimeoutError:
        return f"no answer within {PATIENCE:g} s"
    except OSError as error:
        return os.strerror(error.errno) if error.errno else str(error)  # asyncio puts other words in its place
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return None


def figures(egress: Egress) -> str:
    """What is said of it while all is well."""
    return f"{egress.answers:,} attempts were answered, {egress.silences:,} found nobody, since this worker began"


async def judge(egress: Egress, connect: Connect, *, resolver_well: bool) -> PartHealth:
    """The way out, from what attempts show; where that raises a doubt, servers that answered before are asked."""
    doubt = egress.doubt()
    if doubt is None:
        return PartHealth(state=State.OK, evidence=figures(egress))
    witnesses = egress.witnesses(WITNESSES)
    answers = await asyncio.gather(*(connect(ip) for _, ip in witnesses))
    reached = [f"{host} [{ip}]" for (host, ip), answer in zip(witnesses, answers, strict=True) if answer is None]
    if reached:
        return PartHealth(
            state=State.OK, evidence=f"{doubt}; the way out is open, since {reached[0]} can be connected to"
        )
    network = (
        "; the DNS answers, so the network is there, and the port may be closed on the way out" if resolver_well else ""
    )
    if not witnesses:
        return PartHealth(
            state=State.DEGRADED, evidence=f"{doubt}; nobody has answered before who could be asked{network}"
        )
    asked = ", ".join(f"{host} [{ip}] ({answer})" for (host, ip), answer in zip(witnesses, answers, strict=True))
    return PartHealth(state=State.FAILING, evidence=f"{doubt}; nor can those who answered before: {asked}{network}")
