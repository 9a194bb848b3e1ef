"""Long work goes to a thread, so that one client's large message does not make all others wait."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LIGHT = 64 * 1024
"""Octets or characters that are worked on at once: a hop to a thread costs as much as some kilobytes."""


async def aside(weight: int, work: Callable[[], T]) -> T:
    """What ``work`` returns; where its ``weight`` is more than ``LIGHT``, from a thread. Raises what it raises."""
    return work() if weight <= LIGHT else await asyncio.to_thread(work)
