"""A trace as ``waybill trace --json`` and ``POST /api/trace`` give it."""

from typing import Any

from waybill.explain.record import part_json
from waybill.explain.trace import Trace, TracedStep
from waybill.explain.trace_words import clocks_in_words, headline, is_doubtful, method_in_words, recipient_of
from waybill.mail.arc import ArcChain
from waybill.mail.authentication_results import AuthenticationResults
from waybill.mail.verdict import Filed, Verdict
from waybill.model.clock import Instant, rfc3339

VERSION = 1


def trace_json(trace: Trace) -> dict[str, Any]:
    """Everything that a trace holds."""
    copy = trace.copy
    decided = copy.decided
    return {
        "version": VERSION,
        "headline": headline(trace),
        "recipient": recipient_of(trace),
        "message_id": copy.message_id,
        "from": copy.sender,
        "subject": copy.subject,
        "date": _instant(copy.date),
        "filed": {
            "as": (decided.filed if decided else Filed.NOT_TOLD).value,
            "by": decided.system if decided else None,
            "header": decided.header if decided else None,
            "is_folder": decided.is_folder if decided else False,
            "grounds": list(decided.grounds) if decided else [],
        },
        "total_ms": trace.total_ms,
        "parts": [part_json(part) for part in trace.parts],
        "hops": [_hop_json(traced) for traced in trace.steps],
        "reversed_order": copy.path.reversed_order,
        "hops_left_out": copy.path.left_out,
        "verdicts": [_verdict_json(verdict) for verdict in copy.verdicts],
        "authentication": [
            {**_results_json(seen.results), "before_the_receiver": is_doubtful(seen, trace)} for seen in copy.seen
        ],
        "arc": _arc_json(copy.arc) if copy.arc is not None else None,
        "ledger": _tied_json(trace),
        "not_tied": trace.why_not_tied if trace.tied is None else None,
    }


def _instant(at: Instant | None) -> str | None:
    return None if at is None else rfc3339(at)


def _hop_json(traced: TracedStep) -> dict[str, Any]:
    step, hop = traced.step, traced.step.hop
    return {
        "number": step.number,
        "where": traced.where,
        "at": _instant(hop.at),
        "delay_ms": step.delay_ms,
        "skew_ms": step.skew_ms,
        "has_zone": hop.has_zone,
        "from": hop.sender,
        "helo": hop.helo,
        "ip": hop.ip,
        "by": hop.by,
        "by_ip": hop.by_ip,
        "software": hop.software,
        "via": hop.via,
        "with": hop.protocol,
        "tls": hop.tls,
        "id": hop.id,
        "for": hop.recipient,
        "envelope_from": hop.envelope_from,
        "field": hop.name,
        "raw": hop.raw,
    }


def _verdict_json(verdict: Verdict) -> dict[str, Any]:
    return {
        "system": verdict.system,
        "header": verdict.header,
        "words": verdict.words,
        "text": verdict.text,
        "filed": verdict.filed.value,
        "is_folder": verdict.is_folder,
        "score": verdict.score,
        "threshold": verdict.threshold,
        "grounds": list(verdict.grounds),
    }


def _results_json(results: AuthenticationResults) -> dict[str, Any]:
    return {
        "server": results.server,
        "field": results.name,
        "results": [
            {
                "method": each.method,
                "result": each.result,
                "reason": each.reason,
                "comment": each.comment,
                "properties": each.properties,
                "text": method_in_words(each),
            }
            for each in results.results
        ],
        "raw": results.raw,
    }


def _arc_json(arc: ArcChain) -> dict[str, Any]:
    return {
        "sets": [
            {
                "instance": each.instance,
                "domain": each.domain,
                "selector": each.selector,
                "cv": each.cv,
                "results": _results_json(each.results) if each.results is not None else None,
            }
            for each in arc.sets
        ],
        "fault": arc.fault,
        "seals": "not verified by us",
    }


def _tied_json(trace: Trace) -> dict[str, Any] | None:
    tied, clocks = trace.tied, trace.clocks
    if tied is None:
        return None
    attempt = tied.handed_over
    return {
        "message_id": tied.message.id,
        "recipient": tied.recipient.recipient,
        "status": tied.recipient.status.value,
        "cause": tied.recipient.cause,
        "headline": tied.recipient.telling.headline,
        "found_by": tied.by,
        "accepted_at": rfc3339(tied.message.accepted_at),
        "handed_over_at": _instant(attempt.ended_at if attempt else None),
        "first_hop_at": _instant(clocks.theirs if clocks else None),
        "clock_skew_ms": clocks.skew_ms if clocks else None,
        "clocks": clocks_in_words(trace) if clocks else None,
    }
