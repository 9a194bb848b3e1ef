"""Many rows with one statement.

Python's lock is let go and taken again around every step of a statement; beside a busy event loop each of those
may wait for milliseconds. So a batch writes its rows with a few long statements instead of hundreds of short ones.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, TypeAlias

from waybill.store.sqlite.writer import Transaction

Row: TypeAlias = tuple[Any, ...]

# Few different lengths, so that the prepared statements are found again.
_LENGTHS = (64, 16, 4, 1)


def insert(transaction: Transaction, table: str, columns: str, rows: Sequence[Row]) -> None:
    """Inserts the rows; ``columns`` are their names, separated by commas."""
    sql = f"INSERT INTO {table} ({columns}) VALUES {{rows}}"  # noqa: S608 - names of this package alone
    statement(transaction, sql, rows)


def statement(transaction: Transaction, sql: str, rows: Sequence[Row]) -> None:
    """Runs a statement that holds ``{rows}`` where a list of rows belongs, as often as their number needs."""
    done = 0
    for length in _LENGTHS:
        while len(rows) - done >= length:
            part = rows[done : done + length]
            transaction.connection.execute(_spelled(sql, length, len(part[0])), tuple(chain.from_iterable(part)))
            done += length


@lru_cache(maxsize=64)
def _spelled(sql: str, length: int, width: int) -> str:
    row = f"({', '.join('?' * width)})"
    return sql.format(rows=", ".join([row] * length))
