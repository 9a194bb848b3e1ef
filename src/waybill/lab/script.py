"""What a scripted receiver does: which extensions it offers, what it answers at each stage, and how it misbehaves."""

import ssl
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase

from waybill.model.outcome import Stage


class AfterEffect(StrEnum):
    """What comes back to the envelope sender a moment after the 250, as real receivers do it."""

    BOUNCE = "bounce"  # an RFC 3464 DSN: the mailbox does not exist
    COMPLAINT = "complaint"  # an RFC 5965 report: marked as spam
    DELAY = "delay"  # an RFC 3464 DSN: not passed on yet, and tried on
    AUTO_REPLY = "auto-reply"  # an RFC 3834 out-of-office answer


@dataclass(frozen=True, kw_only=True, slots=True)
class Offers:
    """The EHLO keywords. ``starttls`` is the context that STARTTLS begins with; None: not offered."""

    pipelining: bool = True
    eight_bit: bool = True
    smtputf8: bool = True
    enhanced_status_codes: bool = True
    chunking: bool = False
    size: int | None = 10_485_760
    starttls: ssl.SSLContext | None = None
    ehlo: bool = True  # False: an old server that knows HELO only

    def keywords(self, *, encrypted: bool) -> tuple[str, ...]:
        """The keywords in the EHLO reply; STARTTLS only where TLS has not begun (RFC 3207 §4.2)."""
        return tuple(
            word
            for word, offered in (
                ("PIPELINING", self.pipelining),
                (f"SIZE {self.size}", self.size is not None),
                ("STARTTLS", self.starttls is not None and not encrypted),
                ("8BITMIME", self.eight_bit),
                ("CHUNKING", self.chunking),
                ("ENHANCEDSTATUSCODES", self.enhanced_status_codes),
                ("SMTPUTF8", self.smtputf8),
            )
            if offered
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One line of the script: at this stage, for these recipients, this is what happens.

    ``recipient`` is a shell pattern on the address in lower case, with or without its ``+label``; before RCPT only
    rules for ``*`` apply. ``reply`` is sent as it stands, one line for each line, malformed where it is malformed;
    empty: the usual answer. ``times`` is how often the rule applies to each recipient (None: always).
    ``delay`` are the seconds before the answer. ``disconnect`` closes the connection after the reply, if there is one.
    """

    stage: Stage
    recipient: str = "*"
    reply: str = ""
    times: int | None = None
    delay: float = 0.0
    disconnect: bool = False
    after: AfterEffect | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Script:
    """The part that a receiver plays. The first rule that fits decides.

    ``domains`` are those it takes mail for (empty: all); ``taken`` is the reply to a message it takes.
    """

    name: str = "mx.lab.example"
    domains: tuple[str, ...] = ()
    offers: Offers = Offers()
    rules: tuple[Rule, ...] = ()
    taken: str = "250 2.0.0 Ok: queued"
    not_ours: str = "554 5.7.1 <{recipient}>: Relay access denied"


def greylist(*, attempts: int = 1, recipient: str = "*") -> Rule:
    """A rule that puts each recipient off for its first ``attempts``."""
    return Rule(
        stage=Stage.RCPT,
        recipient=recipient,
        reply="451 4.7.1 Greylisting in action, please come back later",
        times=attempts,
    )


@dataclass(slots=True)
class Prompter:
    """Finds the rule for each moment of a performance, and counts how often each has been used up."""

    script: Script
    _used: Counter[tuple[int, str]] = field(default_factory=Counter)

    def find(self, stage: Stage, recipients: Sequence[str] = ()) -> Rule | None:
        """The rule that decides at ``stage``, marked as used once more; None: the usual answer."""
        for place, rule in enumerate(self.script.rules):
            if rule.stage is not stage:
                continue
            met = next((address for address in recipients or ("",) if _fits(rule.recipient, address)), None)
            if met is None:
                continue
            if rule.times is not None:
                if self._used[place, met] >= rule.times:
                    continue
                self._used[place, met] += 1
            return rule
        return None

    def is_ours(self, recipient: str) -> bool:
        """Whether the receiver takes mail for this recipient's domain."""
        domain = recipient.rpartition("@")[2].lower()
        return not self.script.domains or any(fnmatchcase(domain, pattern) for pattern in self.script.domains)


def _fits(pattern: str, address: str) -> bool:
    if pattern == "*":
        return True
    lowered = address.lower()
    local, at, domain = lowered.rpartition("@")
    return fnmatchcase(lowered, pattern) or fnmatchcase(f"{local.partition('+')[0]}{at}{domain}", pattern)
