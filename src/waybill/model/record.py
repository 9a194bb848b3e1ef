"""How the records of a message's way are declared: frozen for whoever writes code, cheap for whoever sends mail."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

__all__ = ["record"]

T = TypeVar("T")

if TYPE_CHECKING:
    from dataclasses import dataclass as record
else:

    def record(*, frozen: bool, **options: bool) -> Callable[[type[T]], type[T]]:
        """A dataclass that the type checker keeps frozen, and that is not frozen at run time.

        A frozen one sets each of its fields through ``object.__setattr__``: with some forty records, a twelfth of all
        that a message costs besides its signature. Equality and hash are those of a frozen one.
        """
        return dataclass(**options, unsafe_hash=frozen)
