"""Receivers' own words in a copy's header: whether it was taken for spam, on what grounds, and which header says so.

Each filter writes fields of its own. What they say is decoded as far as their makers document it; nothing here raises.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from waybill.mail import verdict_filters, verdict_mailboxes, verdict_microsoft
from waybill.mail.header import Field
from waybill.mail.verdict import Filed, Said, Verdict

_READERS: tuple[Callable[[Said], Iterable[Verdict]], ...] = (
    verdict_microsoft.read,
    verdict_mailboxes.read,
    verdict_filters.read_rspamd,
    verdict_filters.read_spamassassin,
    verdict_filters.read_proofpoint,
    verdict_filters.read_barracuda,
    verdict_filters.read_mimecast,
    verdict_filters.read_others,
)

_ORDER: Mapping[Filed, int] = {Filed.SPAM: 0, Filed.QUARANTINE: 1, Filed.INBOX: 2, Filed.NOT_TOLD: 3}


def read_verdicts(fields: Sequence[Field]) -> tuple[Verdict, ...]:
    """What the filters on the way wrote, those that name a folder first, then those that say spam."""
    said = Said.of(fields)
    found = [verdict for read in _READERS for verdict in read(said)]
    return tuple(sorted(found, key=lambda verdict: (not verdict.is_folder, _ORDER[verdict.filed])))


def decide(verdicts: Sequence[Verdict]) -> Verdict | None:
    """The verdict that settles where the copy went: a folder that is named, else whoever says spam, else who says that it is none."""
    for verdict in verdicts:
        if verdict.filed is not Filed.NOT_TOLD:
            return verdict
    return None
