"""What an examination of a message's content found: the words of its findings, and who found them."""

from enum import StrEnum

from waybill.model.record import record


class Severity(StrEnum):
    """How likely it is that receivers file or refuse the message for it."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@record(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that speaks against the content. ``id`` names the rule or symbol; ``where`` is the part, header field or link.

    ``source`` says whose rule it is (an RFC, a provider's page); None for what a filter found by itself. ``score`` is the
    filter's own weight, where it gives one.
    """

    id: str
    severity: Severity
    text: str
    where: str | None = None
    source: str | None = None
    score: float | None = None


@record(frozen=True, kw_only=True, slots=True)
class ContentExamined:
    """The message as it was sent, looked at by ``by`` (``waybill``, ``rspamd 3.4``, ``spamassassin 4.0.1``).

    ``score``, ``threshold`` and ``action`` are a filter's verdict. ``like`` is the id of the message of the same make that was
    examined in this one's place: in the ledger the findings stand there alone. ``unseen`` says what was not looked at, and why.
    """

    by: str
    findings: tuple[Finding, ...] = ()
    score: float | None = None
    threshold: float | None = None
    action: str | None = None
    like: str | None = None
    unseen: str | None = None
