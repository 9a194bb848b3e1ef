"""What attempts show of this machine's way out to other mail servers: who answered, and how many in a row did not."""

DOUBTED_SITES = 5
"""So many sites in a row, and none between them, that cannot be connected to: then it is worth asking whether it is us."""

_MOST_REMEMBERED = 50
_MOST_NAMED = 100


class Egress:
    """Counts; the figures are of this worker since it began. ``answered`` is called for every attempt, so it does little."""

    def __init__(self) -> None:
        self.answers = 0
        self.silences = 0
        self._silent: set[str] = set()
        self._last = ""
        self._answered: dict[str, str] = {}

    def answered(self, host: str | None, ip: str | None) -> None:
        """A server has answered."""
        self.answers += 1
        if self._silent:
            self._silent.clear()
        if ip is not None and ip not in self._answered:
            if len(self._answered) >= _MOST_REMEMBERED:
                del self._answered[next(iter(self._answered))]
            self._answered[ip] = host or ip

    def was_silent(self, site: str, words: str) -> None:
        """A site could not be connected to, or said nothing."""
        self.silences += 1
        self._last = f"{site}: {words}"
        if len(self._silent) < _MOST_NAMED:
            self._silent.add(site)

    def doubt(self) -> str | None:
        """What makes one doubt the way out; None: nothing does."""
        if len(self._silent) < DOUBTED_SITES:
            return None
        return f"{len(self._silent)} sites in a row cannot be connected to, last {self._last}"

    def witnesses(self, count: int) -> tuple[tuple[str, str], ...]:
        """Servers (host and address) that have answered, those of most lately first: if one can be reached, the way is open."""
        return tuple((host, ip) for ip, host in list(self._answered.items())[: -count - 1 : -1])
