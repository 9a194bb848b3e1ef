"""Branch 1: was the template data wrong, so that rendering failed after the message id was given?"""

import json
import shlex
from typing import Any

from waybill.explain.case import Case
from waybill.explain.record import BranchFinding, Evidence, Remedy, Telling, Verdict, Who
from waybill.explain.words import clock, count
from waybill.model.cause import Cause, Responder, Scope
from waybill.model.event import EventKind, RenderingFailed

_SHOWN = 12


def find(case: Case) -> BranchFinding:
    """What this branch came to."""
    failed = case.event_of(EventKind.RENDERING_FAILED)
    if failed is not None:
        assert isinstance(failed.fact, RenderingFailed)
        return BranchFinding(verdict=Verdict.PROBLEM, text=f"Rendering failed: {failed.fact.error}")
    if case.message.template is None:
        return BranchFinding(verdict=Verdict.NOT_APPLICABLE, text="No stored template was used.")
    version = f" (version {case.message.template_version})" if case.message.template_version else ""
    return BranchFinding(
        verdict=Verdict.OK, text=f'Template "{case.message.template}"{version} rendered with the data given.'
    )


def tell(case: Case) -> Telling:
    """Why rendering failed, where, and what would make it work."""
    event = case.decisive
    assert event is not None
    fact = event.fact
    assert isinstance(fact, RenderingFailed)
    evidence = [Evidence(at=event.at, kind="rendering", source=_place(fact), text=fact.error, event=event.id)]
    if fact.available:
        names = ", ".join(fact.available[:_SHOWN]) + (", …" if len(fact.available) > _SHOWN else "")
        closest = f"    (closest: {fact.closest})" if fact.closest else ""
        evidence.append(
            Evidence(
                at=event.at,
                kind="template_data",
                source="the data that came with the request",
                text=f"your data has: {names}{closest}",
                event=event.id,
            )
        )
    if case.history is not None and case.history.same_cause_messages and case.history.same_cause_since is not None:
        since = clock(case.history.same_cause_since)
        also = f"{count(case.history.same_cause_messages, 'other recipient')} met the same cause since {since}"
        evidence.append(Evidence(at=case.now, kind="ledger", source="Waybill's ledger", text=also))
    return Telling(
        headline=f"{case.recipient}: not sent. {_why(fact)}",
        evidence=tuple(evidence),
        remedies=_remedies(case, fact),
        scope=Scope.CONTENT,
        responder=Responder.WAYBILL,
        permanent=True,
    )


def _name(fact: RenderingFailed) -> str:
    return f'The template "{fact.template}"' if fact.template else "The inline template"


def _place(fact: RenderingFailed) -> str:
    where = f"rendering the {fact.part}" if fact.part else "reading the template data"
    position = f" at line {fact.line}, column {fact.column}" if fact.line and fact.column else ""
    version = f", version {fact.template_version}" if fact.template_version else ""
    return f"Waybill, {where}{position}{version}"


def _why(fact: RenderingFailed) -> str:
    match fact.cause:
        case Cause.TEMPLATE_VARIABLE_MISSING:
            tag = fact.tag or f"{{{{{fact.variable}}}}}"
            return f'{_name(fact)} uses {tag}, and the data has no "{fact.variable}".'
        case Cause.TEMPLATE_DATA_INVALID:
            return "The template data is not a JSON object."
        case Cause.TEMPLATE_LIMIT_EXCEEDED:
            return f"{_name(fact)} with this data takes more time, size or depth than one message may."
        case _:
            return f"{_name(fact)} cannot be parsed."


def _remedies(case: Case, fact: RenderingFailed) -> tuple[Remedy, ...]:
    sender = Who.SENDER
    match fact.cause:
        case Cause.TEMPLATE_VARIABLE_MISSING:
            variable = fact.variable or "the variable"
            rename = f' (your data has "{fact.closest}": perhaps the same under another name)' if fact.closest else ""
            remedies = [
                Remedy(
                    who=sender,
                    text=f'Send "{variable}" in TemplateData{rename}, or guard it in the template: '
                    f"{{{{#if {variable}}}}}…{{{{/if}}}}",
                )
            ]
            if fact.template:
                remedies.append(
                    Remedy(who=sender, text="Test it before you send again.", command=_test_command(case, fact))
                )
            return tuple(remedies)
        case Cause.TEMPLATE_DATA_INVALID:
            return (Remedy(who=sender, text=f"Send TemplateData as a JSON object. The fault: {fact.error}"),)
        case Cause.TEMPLATE_LIMIT_EXCEEDED:
            return (
                Remedy(
                    who=sender, text="Make the data or the loops of the template smaller, or send several messages."
                ),
            )
        case _:
            where = f" at line {fact.line}, column {fact.column} of the {fact.part}" if fact.line else ""
            remedy = Remedy(who=sender, text=f"Correct the template{where}, and update it.")
            if not fact.template:
                return (remedy,)
            return (remedy, Remedy(who=sender, text="Then test it.", command=_test_command(case, fact)))


def _test_command(case: Case, fact: RenderingFailed) -> str:
    """A rendering with example values for every name that is known to be used."""
    data: dict[str, Any] = dict.fromkeys(fact.available[:_SHOWN], "example")
    path = (fact.variable or "").split(".")
    if fact.cause is Cause.TEMPLATE_VARIABLE_MISSING and path[0]:
        nested: Any = "example"
        for part in reversed(path):
            nested = {part: nested}
        data |= nested
    words = ["waybill", "render", fact.template or "", "--account", case.message.account]
    return shlex.join([*words, "--data", json.dumps(data, ensure_ascii=False)])
