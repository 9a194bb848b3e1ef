"""Which addresses could not be spoken to a moment ago, so that the others are tried first."""

from dataclasses import dataclass
from typing import TypeAlias

from waybill.model.clock import MINUTE, Instant, rfc3339
from waybill.net.smtp_target import Fault, SmtpError, Target

FIRST_REST = 2 * MINUTE
LONGEST_REST = 10 * MINUTE
MAX_FAILED = 10_000

_Place: TypeAlias = tuple[str, int, str | None]

_WORDS = {
    Fault.CONNECTION_REFUSED: "it refused connections",
    Fault.CONNECTION_TIMEOUT: "it did not answer",
    Fault.UNREACHABLE: "there was no way to it",
    Fault.CONNECTION_LOST: "it dropped the connection before it greeted",
    Fault.TIMEOUT: "it did not greet",
    Fault.MALFORMED_REPLY: "it greeted with what is no SMTP",
}


@dataclass(kw_only=True, slots=True)
class _Rest:
    until: Instant
    words: str
    times: int
    number: int


class FailedHosts:
    """Remembers failures to connect and to greet, for each address and source. A success ends the rest. Bounded."""

    def __init__(self) -> None:
        self._failed: dict[_Place, _Rest] = {}
        self.mark = 0  # how many failures there have been

    def fail(self, target: Target, error: SmtpError, now: Instant) -> None:
        """The target could not be spoken to: it rests, from the second time in a row on for longer."""
        place = _place(target)
        self.mark += 1
        rest = self._failed.pop(place, None)
        if rest is not None and now < rest.until:  # tried all the same, for want of another
            self._failed[place] = rest
            return
        times = rest.times + 1 if rest is not None else 1
        if len(self._failed) >= MAX_FAILED:
            del self._failed[next(iter(self._failed))]
        words = _WORDS.get(error.fault) if error.fault is not None else None
        if words is None:
            words = f'it greeted with "{error.text}"'
        self._failed[place] = _Rest(
            until=now + min(LONGEST_REST, FIRST_REST << min(times - 1, 8)),
            words=f"{words} at {rfc3339(now)[11:19]} UTC",
            times=times,
            number=self.mark,
        )

    def succeed(self, target: Target) -> None:
        """The target has greeted."""
        if self._failed:
            self._failed.pop(_place(target), None)

    def resting(self, target: Target, now: Instant, mark: int) -> str | None:
        """Why the target is left for last; None where nothing speaks against it, or only what came after ``mark``.

        An attempt asks with the mark at its beginning: two hosts that share an address are both tried.
        """
        if not self._failed:
            return None
        rest = self._failed.get(_place(target))
        return rest.words if rest is not None and rest.number <= mark and now < rest.until else None


def _place(target: Target) -> _Place:
    return target.ip, target.port, target.source_ip
