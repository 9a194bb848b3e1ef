"""What a trace says to a person: the headline, and each part of the account in lines under a label."""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from waybill.explain.commands import command
from waybill.explain.record import AFTER_ACCEPTANCE, AT_RECEIVER, BEFORE_ACCEPTANCE, IN_WAYBILL, DelayPart
from waybill.explain.trace import ON_THE_WAY, Trace, TracedStep
from waybill.explain.words import clock, count, span
from waybill.mail.authentication_results import MethodResult
from waybill.mail.received_copy import Seen
from waybill.mail.verdict import Filed, Verdict, plain
from waybill.model.clock import DAY, MINUTE, SECOND, Instant, rfc3339

_PLACES = {
    BEFORE_ACCEPTANCE: "before us",
    IN_WAYBILL: "in Waybill",
    AT_RECEIVER: "to the receiver",
    AFTER_ACCEPTANCE: "inside the receiver",
    ON_THE_WAY: "on the way",
}
_FOLDERS = {Filed.SPAM: "spam", Filed.QUARANTINE: "quarantined", Filed.INBOX: "not spam"}
_SHORT_TOTAL = MINUTE
_CODED = re.compile(r"(?:category |SFV |-?[\d.]+ )?[A-Z][A-Z0-9_]+(?: \[[^\]]*\])?: (?:(?:BODY|URI|HEADER): ?)?(.+)")


def headline(trace: Trace) -> str:
    """One sentence on where it was filed and by whom, one on where the time went."""
    to = recipient_of(trace)
    filed = _filed(trace)
    return f"{to}: {filed[0].lower()}{filed[1:]} {_time(trace)}" if to else f"{filed} {_time(trace)}"


def recipient_of(trace: Trace) -> str | None:
    """Whose copy it is: by the ledger, else by what servers wrote."""
    if trace.tied is not None:
        return trace.tied.recipient.recipient
    return trace.copy.delivered_to[0] if trace.copy.delivered_to else None


def _filed(trace: Trace) -> str:
    verdict = trace.copy.decided
    if verdict is None:
        return "Whether it was filed as spam, its header does not say."
    judged = _judgement(verdict, trace.copy.verdicts)
    who = f"{verdict.system}{_score(judged)}"
    if verdict.filed is Filed.INBOX:
        return f"Put into the inbox by {who}." if verdict.is_folder else f"Not taken for spam by {who}."
    reason = _reason(judged)
    why = f": {reason}" if reason else ""
    if verdict.filed is Filed.QUARANTINE:
        return f"Fit for quarantine, by the verdict of {who}{why}."
    return f"{'Filed as' if verdict.is_folder else 'Taken for'} spam by {who}{why}."


def reason_of(trace: Trace) -> str | None:
    """The weightiest ground of whoever took it for spam, in words; None where none is given."""
    verdict = trace.copy.decided
    return (_reason(_judgement(verdict, trace.copy.verdicts)) or None) if verdict is not None else None


def _judgement(verdict: Verdict, verdicts: Sequence[Verdict]) -> Verdict:
    """The filter's own verdict behind the folder that was chosen, where it says the same."""
    if verdict.score is not None or not verdict.is_folder:
        return verdict
    alike = (one for one in verdicts if one.system == verdict.system and one.filed is verdict.filed)
    return next((one for one in alike if one.score is not None), verdict)


def _reason(verdict: Verdict) -> str:
    """The weightiest ground in words, without the code before it."""
    match = _CODED.match(verdict.grounds[0]) if verdict.grounds else None
    return "" if match is None or match[1] == "spam" else match[1]


def _score(verdict: Verdict) -> str:
    if verdict.score is None:
        return ""
    if verdict.system == "Microsoft":
        return f" (SCL {plain(verdict.score)})"
    of = f" of {plain(verdict.threshold)}" if verdict.threshold is not None else ""
    return f" ({plain(verdict.score)}{of} points)"


def _time(trace: Trace) -> str:
    total = trace.total_ms
    if total is None:
        return "Where its time went cannot be told: there are no two dates that fit together."
    if total < _SHORT_TOTAL:
        return f"It took {span(total)} in all."
    longest = max(trace.parts, key=lambda part: part.ms)
    return f"{span(longest.ms)} of the {span(total)} went by {_at(longest)}."


def _at(part: DelayPart) -> str:
    if part.where in {ON_THE_WAY, AFTER_ACCEPTANCE}:
        return "before the first server had it" if part.by == "the sender's side" else f"at {part.by}"
    if part.where == AT_RECEIVER:
        return f"while {part.by} kept us waiting" if part.by not in {"dns", "network"} else f"for the {part.by}"
    return "before Waybill had it" if part.where == BEFORE_ACCEPTANCE else "in Waybill"


def describe(trace: Trace) -> Iterator[tuple[str, str]]:
    """The account, as labels and texts; a text may have several lines."""
    yield from _describe_filing(trace)
    yield from _describe_time(trace)
    yield from _describe_path(trace)
    yield from _describe_authentication(trace)
    yield from _describe_tie(trace)


def _describe_filing(trace: Trace) -> Iterator[tuple[str, str]]:
    for verdict in trace.copy.verdicts:
        folder = _FOLDERS.get(verdict.filed, "")
        means = f"{verdict.system}: {verdict.text}"
        yield "Filed" if verdict is trace.copy.decided else "Said by", f"{folder}, {means}" if folder else means
        yield "Words", f"{verdict.header}: {verdict.words}"
        for number, ground in enumerate(verdict.grounds):
            yield "" if number else "Because", ground
    if not trace.copy.verdicts:
        yield "Unknown", "inbox, Junk or quarantine: no filter on the way wrote its verdict into the header"


def _describe_time(trace: Trace) -> Iterator[tuple[str, str]]:
    sums: dict[str, int] = {}
    for part in trace.parts:
        sums[part.where] = sums.get(part.where, 0) + part.ms
    told = [f"{_PLACES[where]} {span(ms)}" for where, ms in sums.items()]
    yield "Time", " · ".join(told) or "not known"
    for part in trace.parts:
        if part.ms >= MINUTE:
            yield "", f"{span(part.ms)} from {clock(part.start)}: {part.text}"
    if trace.clocks is not None:
        yield "Clocks", clocks_in_words(trace)


def clocks_in_words(trace: Trace) -> str:
    """Both times of the handover side by side."""
    clocks = trace.clocks
    assert clocks is not None
    ours, theirs = _time_of_day(clocks.ours, clocks.theirs), _time_of_day(clocks.theirs, clocks.ours)
    told = f"we handed it over at {ours}; their first hop has {theirs}"
    if not clocks.skew_ms:
        return f"{told}: the clocks agree"
    return f"{told}: their clock is {span(abs(clocks.skew_ms))} {'behind' if clocks.skew_ms < 0 else 'ahead'}"


def _time_of_day(at: Instant, other: Instant) -> str:
    return clock(at) if abs(at - other) >= DAY else rfc3339(at)[11:19]


def _describe_path(trace: Trace) -> Iterator[tuple[str, str]]:
    if not trace.steps:
        yield "Path", "no server has written a Received field; this may be a draft, or a copy from a Sent folder"
        return
    for number, traced in enumerate(trace.steps):
        yield "" if number else "Path", hop_in_words(traced, trace)
    if trace.copy.path.reversed_order:
        yield "", "The oldest field stood on top, against the standard; here they are in order of time."
    if trace.copy.path.left_out:
        yield "", f"{count(trace.copy.path.left_out, 'older field')} left out."


def hop_in_words(traced: TracedStep, trace: Trace) -> str:
    """A hop in one line: when, how long after the one before, who had it from whom."""
    step, hop = traced.step, traced.step.hop
    at = "(no date)          " if hop.at is None else rfc3339(hop.at)[:19].replace("T", " ")
    zone = "" if hop.has_zone else " (no zone is written, so this is taken for UTC)"
    address = f" [{hop.ip}]" if hop.ip and hop.ip != hop.origin else ""
    whom = f" from {hop.origin}{address}" if hop.origin else ""
    how = f", {hop.tls}" if hop.tls else f", {hop.protocol}" if hop.protocol else ""
    mark = " (here we handed it over)" if trace.border == step.place else ""
    return f"{step.number:>2}  {at}  {_since(traced):>9}  {hop.place}{whom}{how}{mark}{zone}"


def _since(traced: TracedStep) -> str:
    step = traced.step
    if step.skew_ms is not None:
        return f"clock {'-' if step.skew_ms < 0 else '+'}{span(abs(step.skew_ms))}"
    return (
        f"+{step.delay_ms // SECOND} s"
        if step.delay_ms is not None and step.delay_ms < MINUTE
        else _long(step.delay_ms)
    )


def _long(delay: int | None) -> str:
    return "" if delay is None else f"+{span(delay)}"


def _describe_authentication(trace: Trace) -> Iterator[tuple[str, str]]:
    label = "Checked"
    for (who, name), group in groupby(trace.copy.seen, key=lambda one: (one.results.server, one.results.name)):
        for seen in group:
            if not seen.results.results:
                continue
            told = " · ".join(method_in_words(result) for result in seen.results.results)
            by = who or "a server that does not say its name"
            yield label, f"{told}   (by {by}, {name}{_doubt(seen, trace)})"
            label = ""
    arc = trace.copy.arc
    if arc is None:
        return
    sealed = ", ".join(f"{each.instance} {each.domain or 'nobody'} (cv={each.cv or 'nothing'})" for each in arc.sets)
    state = f"broken: {arc.fault}" if arc.fault else "whole as it is written"
    yield (
        "Forwarded",
        f"ARC chain of {count(len(arc.sets), 'set')}, {state}: {sealed}. Its seals are not verified by us.",
    )
    for each in arc.sets:
        if each.results is not None and each.results.results:
            told = " · ".join(method_in_words(result) for result in each.results.results)
            yield "", f"set {each.instance}, as {each.results.server or each.domain} saw it: {told}"


def is_doubtful(seen: Seen, trace: Trace) -> bool:
    """Whether anybody may have written it: it stands below the receiver's own Received field, and does not bear its name.

    A field with the receiver's name would have been taken out (RFC 8601 §5), and some filters add theirs below.
    """
    if trace.border is None or seen.place < trace.border:
        return False
    by = next((traced.step.hop.by for traced in trace.steps if traced.step.place == trace.border), None)
    return seen.results.server is None or _organisation(seen.results.server) != _organisation(by or "")


def _organisation(host: str) -> str:
    """The last two labels of a name: enough to tell the receiver's own servers from others."""
    return ".".join(host.lower().rstrip(".").split(".")[-2:])


def _doubt(seen: Seen, trace: Trace) -> str:
    return (
        "; it may have stood there before the receiver had it, so it proves little" if is_doubtful(seen, trace) else ""
    )


def method_in_words(result: MethodResult) -> str:
    """``DKIM pass for shop.example``."""
    about = {
        "spf": result.first("smtp.mailfrom", "smtp.helo", "smtp.mail"),
        "dkim": result.first("header.d", "header.i", "header.from"),
        "dmarc": result.first("header.from", "from"),
        "arc": None,
    }.get(result.method)
    name = {"spf": "SPF", "dkim": "DKIM", "dmarc": "DMARC", "arc": "ARC", "iprev": "PTR"}.get(
        result.method, result.method
    )
    whom = f" for {about.rpartition('@')[2] or about}" if about else ""
    why = result.reason or result.comment if result.result not in {"pass", "none"} else None
    return f"{name} {result.result}{whom}{f' ({why})' if why else ''}"


def _describe_tie(trace: Trace) -> Iterator[tuple[str, str]]:
    if trace.tied is None:
        yield "Ledger", trace.why_not_tied or "not asked"
        return
    tied = trace.tied
    yield "Ledger", f"{tied.message.id} to {tied.recipient.recipient}, found by {tied.by}"
    yield "", tied.recipient.telling.headline
    yield "", f"    {command('explain', argument=tied.message.id)}"
