"""What was found in the content, as risks: the worst first, one line each."""

from collections.abc import Iterable
from dataclasses import replace

from waybill.explain.case import Case
from waybill.explain.record import BranchFinding, Evidence, Telling, Verdict
from waybill.explain.remedies import sender
from waybill.explain.said import is_captured
from waybill.explain.words import count
from waybill.model.cause import Cause
from waybill.model.clock import DAY
from waybill.model.content import ContentExamined, Finding, Severity
from waybill.model.event import Event
from waybill.model.message import Status
from waybill.model.outcome import Stage
from waybill.model.simulator import is_simulated

SHOWN = 5
"""Risks that are told; the rest is counted."""

LONG_AGO = 90 * DAY
"""A domain that took no mail from us for so long knows us no more."""

_RANKS = {severity: rank for rank, severity in enumerate(Severity)}
_NAMES = {"waybill": "Waybill", "rspamd": "Rspamd", "spamassassin": "SpamAssassin"}
_TAKEN_FOR_SPAM = frozenset({"reject", "add header", "rewrite subject"})  # Rspamd's actions
_UNSUBSCRIBING = "unsubscribe"
_SIZE = "size"

ABOUT_CONTENT = frozenset(
    {
        Cause.SPAM_CONTENT,
        Cause.PLACED_IN_SPAM,
        Cause.POLICY_REJECTED,
        Cause.CONTENT_MALFORMED,
        Cause.ATTACHMENT_REJECTED,
        Cause.MESSAGE_TOO_LARGE,
        Cause.VIRUS_DETECTED,
        Cause.LOW_REPUTATION,
        Cause.DOMAIN_BLOCKLISTED,
        Cause.UNDETERMINED,
    }
)
"""Causes for which what was found in the content may be the reason."""


def with_risks(case: Case, telling: Telling) -> Telling:
    """The telling, with what was found in the content, where that may bear on what became of the message."""
    if is_simulated(case.recipient):
        return telling
    if case.delivery.status is Status.COMPLAINED:
        return replace(telling, evidence=(*telling.evidence, *_found(case, only=_UNSUBSCRIBING), *_not_seen(case)))
    if case.cause is Cause.ACCEPTED_BY_RECEIVER:
        return replace(telling, evidence=(*telling.evidence, *_found(case), *_unknown_here(case), *_not_seen(case)))
    if not {case.cause, case.underlying_cause} & ABOUT_CONTENT or case.last_attempt is None:
        return telling
    if (
        case.last_attempt.outcome.stage is not Stage.MESSAGE
    ):  # the receiver had not seen it: of all this it knew the size
        too_large = Cause.MESSAGE_TOO_LARGE in {case.cause, case.underlying_cause}
        return replace(telling, evidence=(*telling.evidence, *_found(case, only=_SIZE))) if too_large else telling
    risks = _found(case)
    text = "Settle what stands under Risks, from the first on, and send it to an address of your own there before the rest."
    settle = (sender(text),) if risks else ()
    evidence = (*telling.evidence, *risks, *_not_seen(case))
    return replace(telling, evidence=evidence, remedies=(*settle, *telling.remedies))


def with_verdict(case: Case, finding: BranchFinding) -> BranchFinding:
    """What the spam branch came to, with a sentence about the content where somebody has looked at it."""
    verdict = _verdict(case)
    if verdict is None or finding.verdict is Verdict.NOT_APPLICABLE or is_simulated(case.recipient):
        return finding
    return replace(finding, text=f"{finding.text} {verdict}")


def describe_examined(fact: ContentExamined) -> str:
    """An examination in one line, for the timeline."""
    if fact.unseen:
        return f"content not examined by {_name(fact)}: {fact.unseen}"
    verdict = f", {_score(fact)}" if fact.score is not None else ""
    if fact.like and not fact.findings:
        return f"content made like that of message {fact.like}, which {_name(fact)} examined"
    found = count(len(fact.findings), "risk") if fact.findings else "nothing found"
    return f"content examined by {_name(fact)}: {found}{verdict}{_like(fact)}"


def _examined(case: Case) -> tuple[tuple[Event, ContentExamined], ...]:
    """The examinations on record, the newest of each examiner."""
    newest: dict[str, tuple[Event, ContentExamined]] = {}
    for event in case.events:
        if isinstance(event.fact, ContentExamined):
            newest[event.fact.by.partition(" ")[0]] = event, event.fact
    return tuple(newest.values())


def _found(case: Case, *, only: str = "") -> tuple[Evidence, ...]:
    """What each examiner found. Nothing where nobody has looked, or found nothing."""
    evidence = []
    for event, fact in _examined(case):
        findings = [finding for finding in fact.findings if finding.id.startswith(only)]
        if findings or (_is_over(fact) and not only):
            text = _risks(fact, findings)
            evidence.append(Evidence(at=event.at, kind="risks", source=_name(fact), text=text, event=event.id))
    return tuple(evidence)


def _risks(fact: ContentExamined, findings: Iterable[Finding]) -> str:
    best = sorted(findings, key=lambda finding: (_RANKS[finding.severity], -(finding.score or 0.0)))
    told = [f"{number}. {_line(finding)}" for number, finding in enumerate(best[:SHOWN], 1)]
    more = len(best) - SHOWN
    told += [f"and {more} more of less weight"] if more > 0 else []
    head = [f"{_name(fact)}: {_score(fact)}"] if fact.score is not None else []
    tail = [_like(fact).strip()] if fact.like else []
    return "\n".join([*head, *told, *tail])


def _line(finding: Finding) -> str:
    score = f" {finding.score:+g}" if finding.score is not None else ""
    place = f"   [{finding.where}]" if finding.where else ""
    return f"{finding.text}{score}{place}"


def _unknown_here(case: Case) -> tuple[Evidence, ...]:
    """A receiver that does not know us is a risk of its own."""
    history = case.history
    attempt = case.last_attempt
    if history is None or history.delivered_to_domain or (attempt is not None and is_captured(attempt)):
        return ()
    last = history.last_delivered_to_domain
    if last is not None and case.now - last < LONG_AGO:
        return ()
    often = "the first message from us" if last is None else f"the first message from us in {LONG_AGO // DAY} days"
    text = f"{often} that {case.domain} took: unknown senders are watched more closely"
    return (Evidence(at=case.now, kind="risks", source="Waybill's ledger", text=text),)


def _not_seen(case: Case) -> tuple[Evidence, ...]:
    """What nobody looked at, and why."""
    return tuple(
        Evidence(
            at=event.at,
            kind="not_seen",
            source=_name(fact),
            text=f"the content was not examined by {_name(fact)}: {fact.unseen}",
            event=event.id,
        )
        for event, fact in _examined(case)
        if fact.unseen
    )


def _verdict(case: Case) -> str | None:
    found = [fact for _, fact in _examined(case) if not fact.unseen]
    if not found:
        return None
    over = next((fact for fact in found if _is_over(fact)), None)
    if over is not None:
        return f"{_name(over)} counts the content as spam ({_score(over)})."
    findings = [finding for fact in found for finding in fact.findings]
    if not findings:
        return "Nothing was found in the content that speaks against it."
    heavy = sum(finding.severity is Severity.HIGH for finding in findings)
    return f"Risks in the content: {len(findings)}, {heavy or 'none'} of them grave."


def _name(fact: ContentExamined) -> str:
    name, space, version = fact.by.partition(" ")
    return f"{_NAMES.get(name, name)}{space}{version}"


def _is_over(fact: ContentExamined) -> bool:
    """Whether the filter takes it for spam: by its action, where it names one, else by its score."""
    if fact.action is not None:
        return fact.action in _TAKEN_FOR_SPAM
    return fact.score is not None and fact.threshold is not None and fact.score >= fact.threshold


def _score(fact: ContentExamined) -> str:
    limit = f" of {fact.threshold:g}" if fact.threshold is not None else ""
    action = f", {fact.action}" if fact.action else ""
    return f"score {fact.score:g}{limit}{action}"


def _like(fact: ContentExamined) -> str:
    return f" (found in message {fact.like}, which is made alike)" if fact.like else ""
