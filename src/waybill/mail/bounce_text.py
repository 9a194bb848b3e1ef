"""Bounces that follow no standard: who failed and why, from the words alone.

The detectors of flufl.bounce know many old forms; where they find nothing, the addresses in the text before the returned
mail are taken, less those of the sender.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from email.message import Message

from flufl.bounce import all_failures

from waybill.mail.delivery_status import ReportedRecipient
from waybill.mail.report_parts import Parts, addresses

MAX_RECIPIENTS = 100
MAX_DIAGNOSTIC = 600

_DAEMON = re.compile(
    r"mailer[-_. ]?daemon|post[-_. ]?master|mail delivery (?:sub)?system|mail administrator", re.IGNORECASE
)
_ANSWERS = re.compile(r"^(?:re|fwd?|aw|wg|sv|antw|tr|rv)\s*:", re.IGNORECASE)
_QUOTED = re.compile(r"^[ \t]*>.*$", re.MULTILINE)
_SUBJECT = re.compile(
    r"undeliver|returned mail|failure notice|deliver[a-z]* (?:status|fail|has failed|notif|problem|report|error)|mail delivery|mail error"
    r"|failed delivery|fail(?:ed|ure) (?:to )?deliver|could not (?:be )?deliver|not deliver|bounce|returning message|delayed mail|mail failure"
    r"|error sending|nondeliver|non-deliver|has failed|message rejected",
    re.IGNORECASE,
)
_WORDS = re.compile(
    r"(?:could|can|was|were|has|have|been|is)(?: ?not|n't)(?: yet)? (?:be )?deliver|delivery (?:to|of|has|failed|failure)|undeliverable|permanent"
    r" (?:fatal )?error|user unknown|unknown user|no such user|mailbox (?:is )?full|mailbox unavailable|returned to (?:the )?sender"
    r"|failed (?:address|recipient)|delivery (?:attempt|notification)|unable to deliver|did not reach|mail system|\b[45]\d\d[ -][45]\.\d\.\d",
    re.IGNORECASE,
)
_DELAYED = re.compile(
    r"delay(?:ed)?\b|warning|still being retried|will (?:be )?re-?tr(?:y|ied)|not yet been delivered", re.IGNORECASE
)
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
# Lines and remarks that name somebody else: the sender, or the alias that led to the address that failed.
_NOT_FAILED = re.compile(
    r"^[ \t]*(?:mail from|from|sender|reply-to|cc|message-id)[ \t]*:.*$|\(generated from [^)]*\)|\bmailer-daemon@\S+",
    re.IGNORECASE | re.MULTILINE,
)
_REPLY = re.compile(r"(?<![\d.])([45]\d\d)[ #-]{1,3}(?:([45]\.\d{1,3}\.\d{1,3})\b)?.*")
_ENHANCED = re.compile(r"(?<![\d.])([45]\.\d{1,3}\.\d{1,3})(?![\d.])")
_EXPIRED = re.compile(r"\b(?:too long|expired|giv(?:en|ing) up|for \d+ (?:hours|days))\b", re.IGNORECASE)


def failures(parts: Parts, message: Message) -> tuple[ReportedRecipient, ...]:
    """The recipients that failed, each with the words that stand by it; empty where it is no bounce.

    People write about bounces, too. What they answer or quote is none, and of what else they send only that is one whose
    subject and text both say so, and which has an SMTP reply for its recipient.
    """
    own = _QUOTED.sub("", parts.human)
    if is_from_daemon(parts):
        about_it = _says_so(parts) or _WORDS.search(own[:20_000])
        return _named(parts, message) if about_it or not is_answer(parts) else ()
    if is_answer(parts) or not _says_so(parts) or not _WORDS.search(own[:20_000]):
        return ()
    return tuple(each for each in _named(replace(parts, human=own), message) if each.status is not None)


def is_from_mailer(parts: Parts) -> bool:
    """Whether sender or subject say so. What a person has written about an absence may have any words in it."""
    return is_from_daemon(parts) or _says_so(parts)


def is_from_daemon(parts: Parts) -> bool:
    """Whether a mail server sent it, by its own name for itself, and nobody with a name."""
    if parts.header("x-failed-recipients") or parts.header("return-path") == "<>":
        return True
    return _DAEMON.search(parts.header("from")) is not None


def is_answer(parts: Parts) -> bool:
    """Whether it answers a mail, or hands one on."""
    if parts.header("in-reply-to") or parts.header("references"):
        return True
    return _ANSWERS.match(parts.subject) is not None


def _says_so(parts: Parts) -> bool:
    return bool(parts.header("x-failed-recipients")) or _SUBJECT.search(parts.subject) is not None


def says_delayed(parts: Parts) -> bool:
    """Whether it is only a warning: the mail is still being tried."""
    return _DELAYED.search(parts.subject) is not None and not _EXPIRED.search(parts.human[:2_000])


def _named(parts: Parts, message: Message) -> tuple[ReportedRecipient, ...]:
    """The recipients that failed, each with the words that stand by it; empty where none can be made out."""
    words = _NOT_FAILED.sub("", parts.human)
    own = _own_addresses(parts)
    found = addresses(parts.header("x-failed-recipients"))
    if not found:
        known = [each for each in _by_flufl(message) if each.lower() not in own and each.lower() in words.lower()]
        found = _in_text(parts, words, own, known)
    if not found:
        found = parts.original_recipients[:1]
    return tuple(_with_words(address, parts.human) for address in dict.fromkeys(found))[:MAX_RECIPIENTS]


def with_words_beside(recipient: ReportedRecipient, human: str) -> ReportedRecipient:
    """The recipient with the words that stand by its address in the text, where the report itself gives it none."""
    if recipient.diagnostic or recipient.recipient.lower() not in human.lower():
        return recipient
    found = _with_words(recipient.recipient, human)
    if found.diagnostic is None or (found.status or recipient.status or "5")[0] != (recipient.status or "5")[0]:
        return recipient
    return replace(recipient, diagnostic=found.diagnostic, status=specific(recipient.status, found.status))


def specific(status: str | None, other: str | None) -> str | None:
    """Of two statuses the one that says more: ``5.0.0`` and the like say nothing beyond their class."""
    if status is None or (status.endswith(".0.0") and other is not None and other[0] == status[0]):
        return other
    return status


def _by_flufl(message: Message) -> tuple[str, ...]:
    try:
        temporary, permanent = all_failures(message)
    except Exception:  # noqa: BLE001 - its detectors raise many things on mail they were not written for
        return ()
    found = (
        each.decode("ascii", "replace") if isinstance(each, bytes) else str(each) for each in {*temporary, *permanent}
    )
    return tuple(sorted(each for each in found if _ADDRESS.fullmatch(each)))


def _own_addresses(parts: Parts) -> set[str]:
    """The addresses of those who sent the mail and the bounce: never the ones that failed."""
    names = ("from", "to", "cc", "reply-to", "return-path", "sender")
    own = _folded(each for name in names for each in addresses(parts.header(name)))
    return own | _folded(addresses(parts.returned.get("from", ""))) - _folded(parts.original_recipients)


def _in_text(parts: Parts, words: str, own: set[str], known: list[str]) -> tuple[str, ...]:
    """The addresses that the words name; if some surely failed (known, meant, beside a reply), only those."""
    meant = _folded(parts.original_recipients)
    named = dict.fromkeys(known, True)
    for line in words.splitlines():
        beside_reply = _REPLY.search(line) is not None or _ENHANCED.search(line) is not None
        for address in _ADDRESS.findall(line):
            if address.lower() not in own:
                bare = line.strip().strip("<>():;,. ").lower() == address.lower()
                named[address] = named.get(address, False) or bare or beside_reply or address.lower() in meant
    sure = [address for address, certain in named.items() if certain]
    return tuple(sure or named)[:MAX_RECIPIENTS]


def _folded(found: Iterable[str]) -> set[str]:
    return {each.lower() for each in found}


def _with_words(address: str, human: str) -> ReportedRecipient:
    """The recipient with the SMTP reply, or else the lines, that follow its address in the text."""
    at = human.lower().find(address.lower())
    near = human[at : at + 1500] if at >= 0 else human[:3000]
    reply = _REPLY.search(near) or _REPLY.search(human[:20_000])
    enhanced = _ENHANCED.search(reply[0] if reply else near)
    status = enhanced[1] if enhanced else (f"{reply[1][0]}.0.0" if reply else None)
    if reply is not None:
        words = reply[0]
    else:
        lines = [" ".join(line.split()) for line in near.splitlines()[:6]]
        words = " ".join(line for line in lines if line)
    return ReportedRecipient(
        recipient=address,
        status=status,
        action="delayed" if status is not None and status[0] == "4" else "failed",
        diagnostic=words.strip()[:MAX_DIAGNOSTIC] or None,
    )
