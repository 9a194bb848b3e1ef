"""Aggregate reports about our mail as a whole: DMARC (RFC 9990, and RFC 7489 before it) and SMTP TLS (RFC 8460)."""

import email
import email.policy
import gzip
import io
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from email.message import Message
from typing import Any
from xml.parsers import expat

from waybill.model.clock import SECOND, Instant

MAX_FILE = 20 * 1024 * 1024
"""Octets of an unpacked report: a small archive can hold a very large file."""

MAX_ROWS = 5_000
MAX_DEPTH = 20
MAX_TEXT = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Aggregate:
    """An aggregate report: ``kind`` is ``dmarc`` or ``tlsrpt``, ``domain`` whose mail it is about, ``summary`` what it says of it."""

    kind: str
    reporter: str
    report_id: str
    domain: str
    begin: Instant
    end: Instant
    summary: dict[str, object]


class UnreadableReport(ValueError):  # noqa: N818 - what is said of the mail
    """No report of either kind can be made out; the text says what is in the way."""


def read_aggregate(data: bytes) -> Aggregate:
    """The report in a mail (or in a bare file): DMARC's XML or TLS's JSON, plain, gzipped or zipped.

    Raises:
        UnreadableReport: there is none.
    """
    trouble = "no report is attached"
    for file in _files(data):
        try:
            text = _unpack(file)
        except (
            OSError,
            EOFError,
            zlib.error,
            zipfile.BadZipFile,
            ValueError,
            NotImplementedError,
            RuntimeError,
        ) as error:
            trouble = f"the attached file cannot be unpacked: {error}"
            continue
        start = text[:200].lstrip(b"\xef\xbb\xbf \t\r\n")
        read = _read_tls if start.startswith(b"{") else _read_dmarc if start.startswith(b"<") else None
        if read is None:
            continue
        try:
            return read(text)
        except (
            ValueError,
            TypeError,
            KeyError,
            AttributeError,
            IndexError,
            RecursionError,
            OverflowError,
            expat.ExpatError,
        ) as error:
            trouble = f"the report cannot be read: {error}"
    raise UnreadableReport(trouble)


def _files(data: bytes) -> Iterator[bytes]:
    """The file itself, or the attachments of the mail."""
    if data[:200].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"<", b"{") or data[:2] in (b"\x1f\x8b", b"PK"):
        yield data
        return
    try:
        parts = list(email.message_from_bytes(data, policy=email.policy.compat32).walk())
    except Exception as error:
        raise UnreadableReport(f"the mail cannot be read: {error}") from error
    for part in parts[:50]:
        octets = _payload(part)
        if octets:
            yield octets


def _payload(part: Message) -> bytes | None:
    if part.is_multipart():
        return None
    octets = part.get_payload(decode=True)
    return octets if isinstance(octets, bytes) else None


def _unpack(data: bytes) -> bytes:
    """The file, out of its archive where it is in one. Raises: OSError, EOFError, zlib.error, BadZipFile, ValueError."""
    if data[:2] == b"\x1f\x8b":
        return _bounded(gzip.GzipFile(fileobj=io.BytesIO(data)).read)
    if data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(archive.infolist()[0]) as file:
            return _bounded(file.read)
    return data[:MAX_FILE]


def _bounded(read: Callable[[int], bytes]) -> bytes:
    octets = read(MAX_FILE + 1)
    if len(octets) > MAX_FILE:
        raise ValueError(f"it is larger than {MAX_FILE} bytes")
    return octets


@dataclass(kw_only=True, slots=True)
class _Element:
    name: str
    text: str = ""
    children: list["_Element"] = field(default_factory=list)

    def all(self, name: str) -> list["_Element"]:
        """The children of this name."""
        return [child for child in self.children if child.name == name]

    def get(self, *path: str) -> str:
        """The text at the path; "" where there is none."""
        element = self
        for name in path:
            found = element.all(name)
            if not found:
                return ""
            element = found[0]
        return element.text.strip()[:MAX_TEXT]

    def child(self, name: str) -> "_Element":
        """The first child of this name, or an empty one."""
        return next(iter(self.all(name)), _Element(name=name))


def _parse(text: bytes) -> _Element:
    """The XML as a tree, without name spaces. Entities and document types are refused: nothing but elements is expected."""
    root = _Element(name="")
    open_elements = [root]
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def start(name: str, _: dict[str, str]) -> None:
        if len(open_elements) > MAX_DEPTH:
            raise ValueError("it is nested too deeply")
        element = _Element(name=name.rpartition(":")[2])
        open_elements[-1].children.append(element)
        open_elements.append(element)

    def end(_: str) -> None:
        open_elements.pop()

    def characters(text: str) -> None:
        open_elements[-1].text += text

    def refuse(*_: object) -> None:
        raise ValueError("it declares a document type")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.Parse(text.lstrip(b"\xef\xbb\xbf \t\r\n"), True)  # noqa: FBT003 - the signature is the standard library's
    return root


def _read_dmarc(text: bytes) -> Aggregate:
    feedback = _parse(text).child("feedback")
    metadata, published = feedback.child("report_metadata"), feedback.child("policy_published")
    records = feedback.all("record")
    domain = published.get("domain").lower().rstrip(".")
    if not domain or not metadata.get("report_id"):
        raise ValueError("it names no domain or no report id")
    rows = [_row(record) for record in records[:MAX_ROWS]]
    messages = sum(int(str(row["count"])) for row in rows)
    passed = sum(int(str(row["count"])) for row in rows if "pass" in (row["dkim"], row["spf"]))
    return Aggregate(
        kind="dmarc",
        reporter=metadata.get("org_name") or metadata.get("email"),
        report_id=metadata.get("report_id"),
        domain=domain,
        begin=_seconds(metadata.get("date_range", "begin")),
        end=_seconds(metadata.get("date_range", "end")),
        summary={
            "policy": {name: found for name in ("p", "sp", "np", "adkim", "aspf") if (found := published.get(name))},
            "messages": messages,
            "passed": passed,
            "rows": rows,
            "rows_left_out": max(0, len(records) - MAX_ROWS),
        },
    )


def _row(record: _Element) -> dict[str, object]:
    row, results = record.child("row"), record.child("auth_results")
    return {
        "source_ip": row.get("source_ip"),
        "count": max(0, int(row.get("count") or 0)),
        "disposition": row.get("policy_evaluated", "disposition"),
        "dkim": row.get("policy_evaluated", "dkim").lower(),
        "spf": row.get("policy_evaluated", "spf").lower(),
        "header_from": record.get("identifiers", "header_from"),
        "dkim_results": [
            {"domain": each.get("domain"), "selector": each.get("selector"), "result": each.get("result")}
            for each in results.all("dkim")[:10]
        ],
        "spf_results": [
            {"domain": each.get("domain"), "result": each.get("result")} for each in results.all("spf")[:10]
        ],
        "reasons": [each.get("type") for each in row.child("policy_evaluated").all("reason")[:10]],
    }


def _read_tls(text: bytes) -> Aggregate:
    report = json.loads(text)
    policies = [_policy(each) for each in report["policies"][:100]]
    domains = [str(each["domain"]) for each in policies if each["domain"]]
    if not domains or not report.get("report-id"):
        raise ValueError("it names no domain or no report id")
    period = report["date-range"]
    return Aggregate(
        kind="tlsrpt",
        reporter=str(report.get("organization-name") or report.get("contact-info") or "")[:MAX_TEXT],
        report_id=str(report["report-id"])[:MAX_TEXT],
        domain=domains[0].lower().rstrip("."),
        begin=_moment(period["start-datetime"]),
        end=_moment(period["end-datetime"]),
        summary={
            "successful": sum(each["successful"] for each in policies),
            "failed": sum(each["failed"] for each in policies),
            "policies": policies,
        },
    )


def _policy(given: dict[str, Any]) -> dict[str, Any]:
    policy, summary = given["policy"], given.get("summary") or {}
    return {
        "type": str(policy.get("policy-type", ""))[:MAX_TEXT],
        "domain": str(policy.get("policy-domain", ""))[:MAX_TEXT],
        "successful": int(summary.get("total-successful-session-count") or 0),
        "failed": int(summary.get("total-failure-session-count") or 0),
        "failures": [
            {
                "result": str(each.get("result-type", ""))[:MAX_TEXT],
                "sessions": int(each.get("failed-session-count") or 0),
                "receiving_mx": str(each.get("receiving-mx-hostname", ""))[:MAX_TEXT],
                "sending_ip": str(each.get("sending-mta-ip", ""))[:MAX_TEXT],
                "reason": str(each.get("failure-reason-code", ""))[:MAX_TEXT],
            }
            for each in (given.get("failure-details") or [])[:100]
        ],
    }


def _seconds(text: str) -> Instant:
    return int(float(text)) * SECOND


def _moment(text: str) -> Instant:
    return round(datetime.fromisoformat(text).timestamp() * SECOND)
