"""Examines a message as it was sent: everything that speaks against it, the worst first."""

from waybill.mail.header import find_body, scan
from waybill.mail.lint.bodies import judge_texts, read_texts
from waybill.mail.lint.files import judge_files
from waybill.mail.lint.headers import Circumstances, Header, judge_header, judge_line_ends, judge_unsubscribing
from waybill.mail.lint.links import hosts_of
from waybill.mail.lint.parts import read_parts
from waybill.mail.lint.rules import found
from waybill.model.content import Finding, Severity
from waybill.model.record import record

MOST_FINDINGS = 40
_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


@record(frozen=True, kw_only=True, slots=True)
class Examination:
    """The findings, the worst first, and the hosts that links lead to."""

    findings: tuple[Finding, ...]
    hosts: tuple[str, ...] = ()


def examine(data: bytes, known: Circumstances) -> Examination:
    """Returns what speaks against the message. Never raises, whatever the bytes; the time grows with their number."""
    fields, body = scan(data)
    header = Header(fields)
    parts, hollow = read_parts(data, fields, body)
    texts = read_texts(parts)
    findings = [
        *judge_header(header, data, find_body(data)[0], known),
        *judge_unsubscribing(header, known, offers=texts.offers_to_unsubscribe),
        *judge_line_ends(data),
        *(found("multipart-malformed", where=f"part {number}") for number in hollow[:1]),
        *judge_texts(texts, parts),
        *judge_files(parts, len(data)),
    ]
    findings.sort(key=lambda finding: _RANKS[finding.severity])
    return Examination(findings=tuple(findings[:MOST_FINDINGS]), hosts=hosts_of(texts.links))
