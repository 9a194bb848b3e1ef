"""Branch 1: was the template data wrong, so that rendering failed after the message id was given?"""

import json
import re
from typing import Any

from waybill.explain.case import Case
from waybill.explain.commands import account_of, command
from waybill.explain.evidence import ledger_evidence
from waybill.explain.record import BranchFinding, Evidence, Remedy, Telling, Verdict, Who
from waybill.explain.words import clock, count, quoted
from waybill.model.cause import Branch, Cause, Responder, Scope
from waybill.model.event import EventKind, RenderingFailed
from waybill.model.message import Status

_SHOWN = 12
_DOTTED = re.compile(r"[\w-]+(?:\.[\w-]+)*")


def find(case: Case) -> BranchFinding:
    """What this branch came to."""
    failed = case.event_of(EventKind.RENDERING_FAILED)
    if failed is not None:
        assert isinstance(failed.fact, RenderingFailed)
        return BranchFinding(verdict=Verdict.PROBLEM, text=f"Rendering failed: {failed.fact.error}")
    if case.blames(Branch.TEMPLATE):
        return BranchFinding(verdict=Verdict.PROBLEM, text="The template that the request names or brings is at fault.")
    if case.delivery.status is Status.REFUSED:
        return BranchFinding(
            verdict=Verdict.NOT_APPLICABLE, text="The request was refused before anything was rendered."
        )
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
    evidence = [Evidence(at=event.at, kind="rendering", source=_place(fact), text=quoted(fact.error), event=event.id)]
    if fact.available and fact.cause is Cause.TEMPLATE_VARIABLE_MISSING:
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
    evidence.extend(_alike(case, fact))
    return Telling(
        headline=f"{case.recipient}: not sent. {_why(fact)}",
        evidence=tuple(evidence),
        remedies=_remedies(case, fact),
        scope=Scope.CONTENT,
        responder=Responder.WAYBILL,
        permanent=True,
    )


def _alike(case: Case, fact: RenderingFailed) -> tuple[Evidence, ...]:
    """How many other messages failed for the same reason, and whether one release of the template is to blame."""
    alike = case.likeness.failed if case.likeness else None
    if alike is None:
        return ()
    often = f"at least {alike.messages:,} other messages" if alike.more else count(alike.messages, "other message")
    text = f"{often} failed for the same reason since {clock(alike.since)}"
    own = fact.template_version
    if own is not None and alike.versions == (own,):
        text += f"; all came from the same release of the template (version {own})"
    elif len(alike.versions) > 1:
        text += f"; they came from the template's versions {', '.join(map(str, alike.versions))}"
    return ledger_evidence(case, text)


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
            variable = fact.variable or "a variable"
            tag = fact.tag or f"{{{{{variable}}}}}"
            return f'{_name(fact)} uses {tag}, and the data has no "{variable}".'
        case Cause.TEMPLATE_DATA_INVALID:
            return "The template data is not a JSON object."
        case Cause.TEMPLATE_LIMIT_EXCEEDED:
            return f"{_name(fact)} with this data takes more time, size or depth than one message may."
        case _ if fact.variable:
            return f'{_name(fact)} calls "{fact.variable}", which is no helper that templates have.'
        case _:
            return f"{_name(fact)} cannot be parsed."


def _remedies(case: Case, fact: RenderingFailed) -> tuple[Remedy, ...]:
    sender = Who.SENDER
    match fact.cause:
        case Cause.TEMPLATE_VARIABLE_MISSING:
            variable = fact.variable or "the variable"
            rename = f' (your data has "{fact.closest}": is that the same?)' if fact.closest else ""
            text = f'Send "{variable}" in TemplateData{rename}, or guard it in the template: {_guard(fact, variable)}'
            remedies = [Remedy(who=sender, text=text)]
            if fact.template:
                text = "Test it before you send again, with your data in place of these examples:"
                remedies.append(Remedy(who=sender, text=text, command=_test_command(case, fact)))
            return tuple(remedies)
        case Cause.TEMPLATE_DATA_INVALID:
            text = 'Send TemplateData as a JSON object, such as {"name": "Ada"}, encoded as one text.'
            return (Remedy(who=sender, text=text),)
        case Cause.TEMPLATE_LIMIT_EXCEEDED:
            return (
                Remedy(
                    who=sender, text="Make the data or the loops of the template smaller, or send several messages."
                ),
            )
        case _:
            where = f" at line {fact.line}, column {fact.column} of the {fact.part}" if fact.line else ""
            meant = f' Did you mean "{fact.closest}"?' if fact.closest else ""
            known = f" There are: {', '.join(fact.available[:_SHOWN])}." if fact.variable and fact.available else ""
            text = f"Correct the template{where}, and update it.{meant}{known}"
            remedy = Remedy(who=sender, text=text)
            if not fact.template:
                return (remedy,)
            return (remedy, Remedy(who=sender, text="Then test it:", command=_test_command(case, fact)))


def _guard(fact: RenderingFailed, variable: str) -> str:
    tag = fact.tag or f"{{{{{variable}}}}}"
    return f"{{{{#if {variable}}}}}{tag}{{{{/if}}}}"


def _test_command(case: Case, fact: RenderingFailed) -> str:
    """A rendering with example values for every name that is known to be used."""
    variable = fact.variable or ""
    names: dict[str, Any] = {}
    if fact.cause is Cause.TEMPLATE_VARIABLE_MISSING and _DOTTED.fullmatch(variable):
        *outer, last = variable.split(".")
        names = dict.fromkeys((*fact.available[:_SHOWN], last), "example")
        for name in reversed(outer):
            names = {name: names}
    data = ("--data", json.dumps(names, ensure_ascii=False))
    return command("render", argument=fact.template or "", options=(*data, *account_of(case)))
