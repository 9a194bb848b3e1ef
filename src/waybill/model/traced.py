"""What a received copy's header showed, kept in the ledger: the only word there is on what became of a message after the 250."""

from waybill.model.record import record

SPAM = "spam"
QUARANTINE = "quarantine"


@record(frozen=True, kw_only=True, slots=True)
class CopyTraced:
    """A copy that came back from its reader. ``by`` is who kept it, ``found_by`` what tied it to this delivery.

    ``filed`` is ``spam``, ``quarantine``, ``inbox`` or ``not_told``, by the verdict of ``system`` in the field ``header``;
    ``is_folder``: that field names the folder itself. ``after_ms`` is the time inside the receiver by its own clocks,
    ``slowest`` the server that had it longest, ``skew_ms`` by how much the receiver's clock is off.
    """

    by: str
    filed: str
    found_by: str = ""
    system: str | None = None
    header: str | None = None
    words: str | None = None
    text: str | None = None
    grounds: tuple[str, ...] = ()
    reason: str | None = None
    is_folder: bool = False
    after_ms: int | None = None
    slowest: str | None = None
    skew_ms: int | None = None

    @property
    def is_spam(self) -> bool:
        """Whether it was taken for spam, wherever that put it."""
        return self.filed in {SPAM, QUARANTINE}
