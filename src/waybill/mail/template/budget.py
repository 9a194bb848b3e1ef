"""How much work one rendering may take, so that no template and no data can hold up the service."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """The limits of one rendering.

    ``steps`` counts tags rendered, loop rounds and values read: the same template and data always take the same
    number. ``output`` is in characters. ``depth`` is the nesting of blocks and partials while rendering.
    ``clock`` is monotonic, in seconds.
    """

    steps: int = 100_000
    output: int = 10 * 1024 * 1024
    depth: int = 64
    seconds: float = 2.0
    clock: Callable[[], float] = time.monotonic


DEFAULT_BUDGET = Budget()

STEPS_BETWEEN_LOOKS_AT_THE_CLOCK = 512


class BudgetExceeded(Exception):  # noqa: N818 - says what happened
    """A limit of the budget is reached; the text says which."""


class Meter:
    """Counts the work of one rendering against its budget; every method raises ``BudgetExceeded`` past a limit."""

    __slots__ = ("_budget", "_deadline", "_depth", "_next_look", "_output", "_steps")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._deadline = budget.clock() + budget.seconds
        self._steps = self._output = self._depth = 0
        self._next_look = STEPS_BETWEEN_LOOKS_AT_THE_CLOCK

    def work(self, steps: int = 1) -> None:
        """Count steps."""
        self._steps += steps
        if self._steps > self._budget.steps:
            raise BudgetExceeded(f"rendering takes more than {self._budget.steps} steps")
        if self._steps >= self._next_look:
            self._next_look = self._steps + STEPS_BETWEEN_LOOKS_AT_THE_CLOCK
            if self._budget.clock() > self._deadline:
                raise BudgetExceeded(f"rendering takes longer than {self._budget.seconds:g} seconds")

    def write(self, characters: int) -> None:
        """Count output."""
        self._output += characters
        if self._output > self._budget.output:
            raise BudgetExceeded(f"the rendered text is longer than {self._budget.output} characters")

    def enter(self, steps: int) -> None:
        """A block or partial begins, whose body takes so many steps by itself."""
        self.work(steps)
        self._depth += 1
        if self._depth > self._budget.depth:
            raise BudgetExceeded(f"blocks and partials are nested more than {self._budget.depth} deep")

    def leave(self) -> None:
        """It ends."""
        self._depth -= 1
