"""What mailbox providers write of their own: Gmail, Yahoo, iCloud, GMX and Proton."""

import re
from collections.abc import Iterator, Sequence

from waybill.mail.verdict import Filed, Said, Verdict, number

_GMX = re.compile(r"^\s*(-?\d+)\s*(?:\(([^)]*)\))?")
_JUNK_FOLDERS = frozenset({"junk", "spam", "bulk", "bulk mail", "junk email", "junk e-mail"})


def read(said: Said) -> Sequence[Verdict]:
    """The verdicts of mailbox providers."""
    return [*_gmail(said), *_yahoo(said), *_icloud(said), *_gmx(said), *_proton(said)]


def _gmail(said: Said) -> Iterator[Verdict]:
    labels = said.first("x-gmail-labels")
    if labels is not None:
        spam = "spam" in {label.strip().strip('"').lower() for label in labels.split(",")}
        yield Verdict(
            system="Gmail",
            header="X-Gmail-Labels",
            words=labels,
            text=f"the mailbox's export has it {'in Spam' if spam else 'not in Spam'}: labels {labels}",
            filed=Filed.SPAM if spam else Filed.INBOX,
            is_folder=True,
        )
    for name, what in (("X-Gm-Spam", "spam"), ("X-Gm-Phishy", "phishing")):
        value = said.first(name.lower())
        if value is not None and value.strip() in {"0", "1"}:
            yes = value.strip() == "1"
            yield Verdict(
                system="Gmail",
                header=name,
                words=value,
                text=f"Google Workspace took it for {what}" if yes else f"Google Workspace did not take it for {what}",
                filed=Filed.SPAM if yes else Filed.INBOX if what == "spam" else Filed.NOT_TOLD,
            )
    delivered = said.first("x-gm-message-state") or said.first("x-google-smtp-source")
    by_google = any("mx.google.com" in value for value in said.all("authentication-results"))
    if (delivered or by_google) and labels is None and said.first("x-gm-spam") is None:
        yield Verdict(
            system="Gmail",
            header="Authentication-Results",
            words="mx.google.com",
            text="Gmail does not write into the header whether it filed a message as spam; only the mailbox shows it",
        )


def _yahoo(said: Said) -> Iterator[Verdict]:
    bulk = said.first("x-yahoofilteredbulk")
    if bulk is not None:
        yield Verdict(
            system="Yahoo",
            header="X-YahooFilteredBulk",
            words=bulk,
            text=f"Yahoo put it into Spam (filtered as bulk, from {bulk})",
            filed=Filed.SPAM,
            is_folder=True,
        )
    apparently = said.first("x-apparently-to")
    if apparently is not None:
        yield Verdict(
            system="Yahoo",
            header="X-Apparently-To",
            words=apparently,
            text=f"Yahoo delivered it to {apparently.partition(';')[0].strip()}"
            + ("" if bulk else "; it writes X-YahooFilteredBulk into some of what it files as spam, not into all"),
        )


def _icloud(said: Said) -> Iterator[Verdict]:
    folder = said.first("x-apple-movetofolder")
    if folder is None:
        return
    spam = folder.strip().lower() in _JUNK_FOLDERS
    yield Verdict(
        system="iCloud",
        header="X-Apple-MoveToFolder",
        words=folder,
        text=f"iCloud put it into {folder}",
        filed=Filed.SPAM if spam else Filed.INBOX if folder.strip().lower() == "inbox" else Filed.NOT_TOLD,
        is_folder=True,
    )


def _gmx(said: Said) -> Iterator[Verdict]:
    value = said.first("x-gmx-antispam")
    match = _GMX.match(value or "")
    if value is None or match is None:
        return
    spam = int(match[1]) > 0
    why = f": {match[2]}" if match[2] else ""
    yield Verdict(
        system="GMX",
        header="X-GMX-Antispam",
        words=value,
        text=f"{'taken for spam' if spam else 'not taken for spam'}{why}",
        filed=Filed.SPAM if spam else Filed.INBOX,
        score=float(match[1]),
    )


def _proton(said: Said) -> Iterator[Verdict]:
    action, score = said.first("x-pm-spam-action"), number(said.first("x-pm-spamscore"))
    if action is None and score is None:
        return
    spam = (action or "").strip().lower() in {"spam", "phishing", "quarantine"}
    yield Verdict(
        system="Proton",
        header="X-Pm-Spam-Action" if action else "X-Pm-SpamScore",
        words=action or said.first("x-pm-spamscore") or "",
        text=f"Proton's filter says {action or 'nothing but a score'}",
        filed=Filed.SPAM if spam else Filed.NOT_TOLD,
        score=score,
    )
