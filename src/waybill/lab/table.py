"""Reads the tables of a scenario file; every fault names the file, the key, the value and what is allowed."""

from collections.abc import Mapping, Sequence
from typing import Any


class ScenarioError(ValueError):
    """A scenario file cannot be used; the text is one line for the person who wrote it."""


class Table:
    """One TOML table, read key by key; :meth:`finish` refuses the keys that nobody asked for.

    Raises:
        ScenarioError: a method finds a value of the wrong kind, or none where one is needed.
    """

    def __init__(self, values: Mapping[str, Any], *, where: str) -> None:
        self.where = where
        self._values = values
        self._asked: list[str] = []

    def keys(self) -> tuple[str, ...]:
        """The names of all keys."""
        return tuple(self._values)

    def fault(self, key: str, value: object, allowed: str) -> ScenarioError:
        """The error that says what is wrong with a key."""
        return ScenarioError(f"{self.where}: {key} = {value!r}; allowed is {allowed}")

    def table(self, key: str) -> "Table":
        """A table inside this one; empty where it is missing."""
        value = self._take(key, {})
        if not isinstance(value, dict):
            raise self.fault(key, value, f"a table [{key}]")
        return Table(value, where=f"{self.where}: {key}")

    def tables(self, key: str) -> "list[Table]":
        """The tables of an array ``[[key]]``, named by ``name`` where they have one, else counted from 1."""
        value = self._take(key, [])
        if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
            raise self.fault(key, value, f"an array of tables [[{key}]]")
        return [
            Table(entry, where=f"{self.where}: {key} {entry.get('name', number)}")
            for number, entry in enumerate(value, 1)
        ]

    def word(self, key: str, default: str | None = None) -> str:
        """A text; needed where there is no default."""
        value = self._take(key, default)
        if value is None:
            raise ScenarioError(f"{self.where}: {key} is missing; allowed is a text")
        if not isinstance(value, str):
            raise self.fault(key, value, "a text")
        return value

    def words(self, key: str, default: Sequence[str] = ()) -> tuple[str, ...]:
        """A list of texts."""
        value = self._take(key, list(default))
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise self.fault(key, value, "a list of texts")
        return tuple(value)

    def choice(self, key: str, allowed: Sequence[str], default: str | None = None) -> str:
        """One of the texts in ``allowed``."""
        listed = ", ".join(word for word in allowed if word)
        value = self._take(key, default)
        if value is None:
            raise ScenarioError(f"{self.where}: {key} is missing; allowed is one of {listed}")
        if value not in allowed:
            raise self.fault(key, value, f"one of {listed}")
        return str(value)

    def count(self, key: str) -> int | None:
        """A whole number from 1; None where it is missing."""
        value = self._take(key, None)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            raise self.fault(key, value, "a whole number from 1")
        return value

    def seconds(self, key: str, default: float = 0.0) -> float:
        """A number of seconds from 0."""
        value = self._take(key, default)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < float("inf"):
            raise self.fault(key, value, "a number of seconds from 0")
        return float(value)

    def flag(self, key: str) -> bool:
        """True or false; false where it is missing."""
        value = self._take(key, default=False)
        if not isinstance(value, bool):
            raise self.fault(key, value, "true or false")
        return value

    def endpoint(self, key: str, default: str | None) -> tuple[str, int]:
        """A host and port such as ``127.0.0.1:2525``; port 0 is any free one."""
        value = self.word(key, default)
        host, _, port = value.rpartition(":")
        if not host or not port.isdecimal() or not port.isascii() or int(port) > 65_535:
            raise self.fault(key, value, "an address and a port such as '127.0.0.1:2525'")
        return host.strip("[]"), int(port)

    def finish(self) -> None:
        """Refuse what is left over."""
        unknown = sorted(set(self._values) - set(self._asked))
        if unknown:
            allowed = ", ".join(sorted(self._asked))
            raise ScenarioError(f"{self.where}: unknown key {unknown[0]!r}; allowed are {allowed}")

    def _take(self, key: str, default: Any) -> Any:
        self._asked.append(key)
        return self._values.get(key, default)
