"""Reads what a request claims about who signed it: AWS Signature Version 4 in a header or in the query string."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum, auto
from urllib.parse import unquote_to_bytes

from waybill.model.clock import SECOND, Instant
from waybill.model.record import record

ALGORITHM = "AWS4-HMAC-SHA256"
TERMINATOR = "aws4_request"
LONGEST_PRESIGNED = 7 * 24 * 3600

_AMZ_DATE = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Fault(Enum):
    """What is wrong with the authentication of a request."""

    MISSING = auto()
    INCOMPLETE = auto()
    UNKNOWN_KEY = auto()
    MISMATCH = auto()
    EXPIRED = auto()


class NotAuthentic(Exception):  # noqa: N818 - a state of the request
    """The request is not authentic; ``text`` is what the client is told."""

    def __init__(self, fault: Fault, text: str) -> None:
        super().__init__(text)
        self.fault = fault
        self.text = text


@record(frozen=True, kw_only=True, slots=True)
class Head:
    """What is signed of a request besides its body, raw: field names lower case, in the order they came."""

    method: str
    path: bytes
    query: bytes
    fields: Sequence[tuple[bytes, bytes]]


@record(frozen=True, kw_only=True, slots=True)
class Credential:
    """The credential scope."""

    access_key_id: str
    date: str
    region: str
    service: str

    @property
    def scope(self) -> str:
        """``20261124/us-east-1/ses/aws4_request``."""
        return f"{self.date}/{self.region}/{self.service}/{TERMINATOR}"


@record(frozen=True, kw_only=True, slots=True)
class Authorization:
    """What a request claims. ``signed_at`` is the client's clock; ``expires_in`` seconds is set on a presigned URL."""

    credential: Credential
    signed_headers: tuple[str, ...]
    signature: str
    amz_date: str
    signed_at: Instant
    expires_in: int | None = None


def field_values(head: Head, name: bytes) -> list[bytes]:
    """All values of a header field."""
    return [value for field, value in head.fields if field == name]


def read_authorization(head: Head, services: Sequence[str]) -> Authorization:
    """The claim that a request makes; its signature is not checked yet.

    ``services`` are the signing names that this endpoint answers to. Any region is taken: a client may keep the one
    it was configured with.

    Raises:
        NotAuthentic: there is no claim, it lacks a part, it is scoped to another service, or it is of temporary credentials.
    """
    headers = field_values(head, b"authorization")
    if headers:
        authorization = _from_header(head, headers[0].decode("latin-1"))
    elif b"X-Amz-Signature=" in head.query or b"X-Amz-Algorithm=" in head.query:
        authorization = _from_query(head)
    else:
        raise NotAuthentic(Fault.MISSING, "Missing Authentication Token")
    credential = authorization.credential
    if credential.service not in services:
        allowed = " or ".join(f"'{service}'" for service in services)
        raise NotAuthentic(Fault.MISMATCH, f"Credential should be scoped to correct service: {allowed}. ")
    if credential.date != authorization.amz_date[:8]:
        raise NotAuthentic(
            Fault.MISMATCH,
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{credential.date}' != '{authorization.amz_date[:8]}', from '{authorization.amz_date}'.",
        )
    if "host" not in authorization.signed_headers:
        raise NotAuthentic(Fault.MISMATCH, "'Host' must be a 'SignedHeader' in the AWS Authorization.")
    return authorization


def _from_header(head: Head, text: str) -> Authorization:
    algorithm, _, rest = text.strip().partition(" ")
    if algorithm != ALGORITHM:
        raise NotAuthentic(Fault.INCOMPLETE, f"Unsupported AWS 'algorithm': '{algorithm[:64]}'; use '{ALGORITHM}'.")
    parts = dict.fromkeys(("Credential", "Signature", "SignedHeaders"), "")
    for part in rest.split(","):
        name, _, value = part.strip().partition("=")
        parts[name] = value
    dates = field_values(head, b"x-amz-date")
    missing = [f"Authorization header requires '{name}' parameter." for name, value in parts.items() if not value]
    if not dates:
        missing.append("Authorization header requires existence of an 'X-Amz-Date' header.")
    if missing:
        raise NotAuthentic(Fault.INCOMPLETE, " ".join(missing))
    if field_values(head, b"x-amz-security-token"):
        raise _temporary()
    signed_headers = tuple(parts["SignedHeaders"].lower().split(";"))
    if "x-amz-date" not in signed_headers:
        raise NotAuthentic(Fault.MISMATCH, "'X-Amz-Date' must be a 'SignedHeader' in the AWS Authorization.")
    amz_date = dates[0].decode("latin-1").strip()
    return Authorization(
        credential=_credential(parts["Credential"]),
        signed_headers=signed_headers,
        signature=parts["Signature"],
        amz_date=amz_date,
        signed_at=_signed_at(amz_date),
    )


def _from_query(head: Head) -> Authorization:
    parameters = _parameters(head.query)
    if parameters.get("X-Amz-Algorithm") != ALGORITHM:
        raise NotAuthentic(Fault.INCOMPLETE, f"AWS query-string parameters must include 'X-Amz-Algorithm={ALGORITHM}'.")
    names = ("X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date", "X-Amz-Expires")
    missing = [name for name in names if not parameters.get(name)]
    if missing:
        listed = ", ".join(f"'{name}'" for name in missing)
        raise NotAuthentic(Fault.INCOMPLETE, f"AWS query-string parameters must include {listed}.")
    if "X-Amz-Security-Token" in parameters:
        raise _temporary()
    expires = parameters["X-Amz-Expires"]
    if not (expires.isascii() and expires.isdigit() and len(expires) < 7 and 0 < int(expires) <= LONGEST_PRESIGNED):
        raise NotAuthentic(
            Fault.INCOMPLETE, f"X-Amz-Expires must be a number of seconds from 1 to {LONGEST_PRESIGNED}."
        )
    return Authorization(
        credential=_credential(parameters["X-Amz-Credential"]),
        signed_headers=tuple(parameters["X-Amz-SignedHeaders"].lower().split(";")),
        signature=parameters["X-Amz-Signature"],
        amz_date=parameters["X-Amz-Date"],
        signed_at=_signed_at(parameters["X-Amz-Date"]),
        expires_in=int(expires),
    )


def _parameters(query: bytes) -> Mapping[str, str]:
    pairs = (field.partition(b"=") for field in query.split(b"&"))
    return {name.decode("latin-1"): unquote_to_bytes(value).decode("latin-1") for name, _, value in pairs}


def _credential(text: str) -> Credential:
    parts = text.split("/")
    if len(parts) != 5 or not all(_TOKEN.fullmatch(part) for part in parts):
        raise NotAuthentic(
            Fault.INCOMPLETE,
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.",
        )
    if parts[4] != TERMINATOR:
        raise NotAuthentic(
            Fault.MISMATCH, f"Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{parts[4]}'."
        )
    return Credential(access_key_id=parts[0], date=parts[1], region=parts[2], service=parts[3])


def _signed_at(amz_date: str) -> Instant:
    if _AMZ_DATE.fullmatch(amz_date):
        try:
            parsed = datetime.fromisoformat(amz_date)
        except ValueError:
            pass  # a 13th month: as wrong as any other text
        else:
            return int(parsed.timestamp()) * SECOND
    raise NotAuthentic(
        Fault.INCOMPLETE,
        f"Date must be in ISO-8601 'basic format'. Got '{amz_date[:64]}'; write it as 20261124T023000Z.",
    )


def _temporary() -> NotAuthentic:
    return NotAuthentic(
        Fault.UNKNOWN_KEY,
        "The security token included in the request is invalid. Waybill has no temporary credentials: use an access key "
        "of Waybill's, without a session token.",
    )
