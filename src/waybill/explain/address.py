"""Branch 2: does the recipient not exist, is it full or disabled, or on a suppression list?"""

from waybill.explain.case import Case
from waybill.explain.commands import command, take_off_list
from waybill.explain.record import BranchFinding, Evidence, Remedy, Telling, Verdict, Who
from waybill.explain.remedies import sender
from waybill.explain.said import name_server, sentence
from waybill.explain.words import author, clock, quoted
from waybill.mail.reply import without_type
from waybill.model.cause import Branch, Cause, Responder, Scope
from waybill.model.event import EventKind, Suppressed
from waybill.model.message import Status
from waybill.model.outcome import Speaker
from waybill.model.suppression import GLOBAL, Reason, Suppression


def find(case: Case) -> BranchFinding:
    """What this branch came to."""
    status = case.delivery.status
    if status is Status.SUPPRESSED:
        return BranchFinding(verdict=Verdict.PROBLEM, text="The address is on a suppression list, so nothing was sent.")
    listed = " It is on a suppression list now." if case.suppressions else ""
    if case.blames(Branch.ADDRESS):
        if status is Status.REFUSED:
            return BranchFinding(verdict=Verdict.PROBLEM, text="The request's addresses are at fault, by their form.")
        return BranchFinding(verdict=Verdict.PROBLEM, text=f"The fault is with the address {case.recipient}.{listed}")
    if took_recipient(case):
        who = name_server(case, case.last_attempt)
        return BranchFinding(
            verdict=Verdict.OK, text=sentence(f"{who} took {case.recipient} as a recipient (RCPT TO)") + listed
        )
    text = f"No server has said yes or no to the address.{listed or ' It is on no suppression list.'}"
    return BranchFinding(verdict=Verdict.UNKNOWN, text=text)


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
    whose = "this installation's global suppression list" if on_global else "your account's suppression list"
    evidence = [Evidence(at=event.at, kind="suppression_entry", source=whose, text=_entry_text(entry), event=event.id)]
    if entry.diagnostic and not _is_simulated(entry):
        cause = (
            f"the words behind the entry, about message {entry.message_id}"
            if entry.message_id
            else "the words behind the entry"
        )
        evidence.append(
            Evidence(
                at=entry.at,
                kind="smtp_reply" if entry.reason is Reason.BOUNCE else "report",
                source=cause,
                text=quoted(without_type(entry.diagnostic)),
                event=entry.event,
            )
        )
    return Telling(
        headline=f"{case.recipient}: not sent. {_why(case, entry, whose)}",
        evidence=tuple(evidence),
        remedies=_remedies(case, entry, on_global=on_global),
        scope=Scope.RECIPIENT,
        responder=Responder.WAYBILL,
        permanent=True,
        effect="No receiver was asked.",
    )


def _stands(case: Case, entry: Suppression) -> bool:
    """Whether the entry that stopped the message is on its list still."""
    return _is_simulated(entry) or any(
        (now.account, now.address.lower()) == (entry.account, entry.address.lower()) for now in case.suppressions
    )


def _is_simulated(entry: Suppression) -> bool:
    return entry.author == "rule:simulator"


def _why(case: Case, entry: Suppression, whose: str) -> str:
    if case.cause is Cause.UNSUBSCRIBED:
        return "The recipient has unsubscribed."
    if _is_simulated(entry):
        return f"The mailbox simulator's address behaves as if it were on {whose}."
    if _stands(case, entry):
        on_list = f"The address is on {whose} since {clock(entry.at)}"
    else:
        on_list = f"The address was then on {whose} (added {clock(entry.at)}; it is on it no more)"
    if not entry.author.startswith("rule:"):
        return f"{on_list}, put there by {author(entry.author)}."
    why = "because the recipient complained" if entry.reason is Reason.COMPLAINT else "because mail to it bounced"
    return f"{on_list}, {why}."


def _entry_text(entry: Suppression) -> str:
    parts = [f"{entry.address}: reason {entry.reason.value}, added {clock(entry.at)} by {author(entry.author)}"]
    if entry.message_id:
        parts.append(f"because of message {entry.message_id}")
    if entry.expires_at is not None:
        parts.append(f"stands until {clock(entry.expires_at)}")
    return ", ".join(parts)


def _remedies(case: Case, entry: Suppression, *, on_global: bool) -> tuple[Remedy, ...]:
    if _is_simulated(entry):
        text = "Nothing: this address of the mailbox simulator always behaves so, to let you test what you do then."
        return (Remedy(who=Who.NOBODY, text=text),)
    who = Who.OPERATOR if on_global else Who.SENDER
    if case.cause is Cause.UNSUBSCRIBED:
        return (Remedy(who=Who.NOBODY, text="Nothing: respect it. Only the recipient can opt in again."),)
    if not _stands(case, entry):
        remedies = [sender("The address is off that list now: send the message again, Waybill does not resend.")]
        return (*remedies, *_look_at_origin(entry))
    again = "then send again: Waybill does not resend"
    if entry.reason is Reason.COMPLAINT:
        text = f"Take it off only if the recipient has asked you to write again; {again}."
    else:
        text = f"If the address is right and takes mail again, take it off the list; {again}."
    take_off = Remedy(who=who, text=text, command=take_off_list(case, entry.address, on_global=on_global))
    return (take_off, *_look_at_origin(entry))


def _look_at_origin(entry: Suppression) -> tuple[Remedy, ...]:
    if not entry.message_id:
        return ()
    return (sender("The message that caused the entry:", command("explain", argument=entry.message_id)),)
