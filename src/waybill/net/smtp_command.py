"""SMTP commands as a server reads them (RFC 5321 §4.1): pure functions from the bytes of a line to a record."""

import base64
import binascii
import re

from waybill.model.record import record

# Path (RFC 5321 §4.1.2): an optional source route, to be ignored (appendix C), and a mailbox whose local part may be
# quoted; what a mailbox may look like beyond that is for the policy to judge. Spaces after the colon are no
# syntax, yet many clients write them.
_PATH = re.compile(r' *<(?:@[^:<>"]*:)?((?:"(?:[^"\\]|\\.)*"|[^"<>])*)>(?: +(.*))?')
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~]*))?")
_SIZE = re.compile(r"[0-9]{1,20}")


class CommandError(Exception):
    """A command that cannot be obeyed as it is written; ``code`` and ``text`` are the reply to it."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text


@record(frozen=True, slots=True)
class Command:
    """A command line: the verb in upper case, and the rest as it came."""

    verb: str
    argument: str


@record(frozen=True, slots=True)
class ReversePath:
    """What MAIL FROM says: ``address`` is empty for the null path ``<>``; ``size`` is what the client declared (RFC 1870)."""

    address: str
    size: int | None = None
    body: str | None = None


def parse_command(line: bytes) -> Command:
    """The command on a line that was cut at its LF, which it still holds.

    Raises:
        CommandError: the line does not end in CRLF, or holds a bare CR, another control character or a byte
            above 127 (RFC 5321 §2.3.8, §2.4).
    """
    if not line.endswith(b"\r\n"):
        raise CommandError(500, "Syntax error: a line ends with <CR><LF> (RFC 5321 section 2.3.8)")
    if not line.isascii():
        raise CommandError(500, "Syntax error: a command holds ASCII characters only")
    text = line[:-2].decode()
    if not text.isprintable():
        raise CommandError(500, "Syntax error: a command holds no control characters")
    verb, _, argument = text.partition(" ")
    return Command(verb.upper(), argument.strip(" "))


def parse_mail(argument: str) -> ReversePath:
    """What follows ``MAIL``: ``FROM:<path> [SIZE=n] [BODY=…] [AUTH=…]`` (RFC 5321 §4.1.1.2, RFC 1870, RFC 6152, RFC 4954 §5).

    Raises:
        CommandError: it is no such thing, or names a parameter that the server has not offered.
    """
    address, parameters = _path(argument, "FROM:", "Invalid MAIL FROM address provided")
    size = body = None
    for key, value in parameters:
        match key:
            case "SIZE" if value is not None and _SIZE.fullmatch(value):
                size = int(value)
            case "BODY" if value is not None and value.upper() in ("7BIT", "8BITMIME"):
                body = value.upper()
            case "AUTH" if value:
                pass  # RFC 4954 §5: whom a relaying client trusts; it says nothing to a submission server
            case "SIZE" | "BODY" | "AUTH":
                raise CommandError(501, f"Syntax error in the value of the parameter {key}")
            case _:
                raise CommandError(555, f"MAIL FROM parameter {key} is not supported")
    return ReversePath(address, size, body)


def parse_rcpt(argument: str) -> str:
    """The address in ``TO:<path>`` (RFC 5321 §4.1.1.3). RCPT has no parameters here: DSN (RFC 3461) is not offered.

    Raises:
        CommandError: it is no such thing, has no address or has parameters.
    """
    address, parameters = _path(argument, "TO:", "Invalid RCPT TO address provided")
    if not address:
        raise CommandError(501, "Invalid RCPT TO address provided")
    if parameters:
        raise CommandError(555, f"RCPT TO parameter {parameters[0][0]} is not supported")
    return address


def parse_plain(response: bytes) -> tuple[str, str]:
    """The name and the password in the response of AUTH PLAIN (RFC 4616 §2), base64 as it came.

    Raises:
        CommandError: it is no base64, or not of the form authorization NUL name NUL password.
    """
    authorization, *rest = decode_base64(response).split("\0")
    if len(rest) != 2:
        raise CommandError(501, "Syntax error in the AUTH PLAIN response: [authzid] NUL authcid NUL passwd is wanted")
    name, password = rest
    if authorization not in ("", name):
        raise CommandError(535, "Authentication Credentials Invalid")
    return name, password


def decode_base64(response: bytes) -> str:
    """The text of a response to an AUTH challenge (RFC 4954 §4), ``=`` being the empty one.

    Raises:
        CommandError: it is no base64 of UTF-8 text.
    """
    try:
        return base64.b64decode(b"" if response == b"=" else response, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise CommandError(501, "Syntax error: the AUTH response is no base64 of UTF-8 text") from None


def _path(argument: str, keyword: str, fault: str) -> tuple[str, list[tuple[str, str | None]]]:
    if argument[: len(keyword)].upper() != keyword:
        raise CommandError(501, f"Syntax error: {keyword}<address> is wanted")
    path = _PATH.fullmatch(argument, len(keyword))
    if path is None:
        raise CommandError(501, fault)
    address, rest = path.groups()
    parameters: list[tuple[str, str | None]] = []
    for word in (rest or "").split():
        parameter = _PARAMETER.fullmatch(word)
        if parameter is None:
            raise CommandError(501, "Syntax error in the parameters")
        parameters.append((parameter[1].upper(), parameter[2]))
    return address, parameters
