"""Branch 2: does the recipient not exist, is it full or disabled, or on a suppression list?"""

import shlex

from waybill.explain.case import Case
from waybill.explain.record import BranchFinding, Evidence, Remedy, Telling, Verdict, Who
from waybill.explain.remedies import command
from waybill.explain.words import clock, possessive
from waybill.model.cause import CATALOGUE, Branch, Responder, Scope
from waybill.model.event import EventKind, Suppressed
from waybill.model.message import Status
from waybill.model.outcome import Speaker
from waybill.model.suppression import GLOBAL, Reason, Suppression


def find(case: Case) -> BranchFinding:
    """What this branch came to."""
    if case.delivery.status is Status.SUPPRESSED:
        return BranchFinding(verdict=Verdict.PROBLEM, text="The address is on a suppression list, so nothing was sent.")
    causes = (case.delivery.cause, case.delivery.underlying_cause)
    if any(cause is not None and CATALOGUE[cause].branch is Branch.ADDRESS for cause in causes):
        return BranchFinding(verdict=Verdict.PROBLEM, text=f"The fault is with the address {case.recipient} itself.")
    if took_recipient(case):
        return BranchFinding(
            verdict=Verdict.OK, text=f"{possessive(case.domain)} took {case.recipient} as a recipient (RCPT TO)."
        )
    listed = " It is on a suppression list now." if case.suppressions else " It is on no suppression list."
    return BranchFinding(verdict=Verdict.UNKNOWN, text=f"No server was, or could be, asked about the address.{listed}")


def took_recipient(case: Case) -> bool:
    """Whether a receiver's transcript shows RCPT TO answered with 250 or 251 in any attempt."""
    for _, attempted in case.attempted:
        awaited = []
        for line in attempted.attempt.transcript:
            if line.who is Speaker.CLIENT:
                awaited.append(line.text.upper().startswith("RCPT TO"))
            elif line.who is Speaker.SERVER and line.text[3:4] != "-" and awaited:
                answers_recipient = awaited.pop(0)
                if answers_recipient and line.text.startswith("25"):
                    return True
    return case.event_of(EventKind.DELIVERED) is not None


def tell(case: Case) -> Telling:
    """Which entry of which list stopped it, who made the entry, and because of what."""
    event = case.decisive
    assert event is not None
    fact = event.fact
    assert isinstance(fact, Suppressed)
    entry = fact.entry
    on_global = entry.account == GLOBAL
    whose = "the global suppression list of this installation" if on_global else "your account's suppression list"
    evidence = [Evidence(at=event.at, kind="suppression_entry", source=whose, text=_entry_text(entry), event=event.id)]
    if entry.diagnostic:
        evidence.append(
            Evidence(
                at=entry.at,
                kind="smtp_reply",
                source=f"the reply that caused the entry, to message {entry.message_id}"
                if entry.message_id
                else "what caused the entry",
                text=entry.diagnostic,
                event=entry.event,
            )
        )
    since = f" since {clock(entry.at)}"
    why = "after the recipient complained" if entry.reason is Reason.COMPLAINT else "after mail to it bounced"
    by_hand = not entry.author.startswith("rule:")
    how = "put there by hand" if by_hand else why
    return Telling(
        headline=f"{case.recipient}: not sent. The address is on {whose}{since}, {how}.",
        evidence=tuple(evidence),
        remedies=_remedies(case, entry, on_global=on_global),
        scope=Scope.RECIPIENT,
        responder=Responder.WAYBILL,
        permanent=True,
        effect="Nothing was sent, and no receiver was asked.",
    )


def _entry_text(entry: Suppression) -> str:
    parts = [f"{entry.address}: reason {entry.reason.value}, added {clock(entry.at)} by {entry.author}"]
    if entry.message_id:
        parts.append(f"because of message {entry.message_id}")
    if entry.expires_at is not None:
        parts.append(f"until {clock(entry.expires_at)}")
    return ", ".join(parts)


def _remedies(case: Case, entry: Suppression, *, on_global: bool) -> tuple[Remedy, ...]:
    if entry.author == "rule:simulator":
        return (
            Remedy(
                who=Who.NOBODY,
                text="Nothing: this address of the mailbox simulator always behaves so, to let you test your handling.",
            ),
        )
    if on_global:
        remove = shlex.join(["waybill", "suppression", "remove", entry.address, "--global"])
        who = Who.OPERATOR
    else:
        remove = command(case, "suppression", "remove", entry.address)
        who = Who.SENDER
    if entry.reason is Reason.COMPLAINT:
        text = "The recipient marked your mail as spam: remove the entry only if they have asked you to write again."
    else:
        text = "If the address is right and can receive mail again, take it off the list; then send again, Waybill does not resend."
    remedies = [Remedy(who=who, text=text, command=remove)]
    if entry.message_id:
        look = shlex.join(["waybill", "explain", entry.message_id])
        remedies.append(Remedy(who=Who.SENDER, text="See the message that caused the entry.", command=look))
    return tuple(remedies)
