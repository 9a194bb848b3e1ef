"""The client's side of AUTH (RFC 4954): what it says, and what the transcript shows in the place of secrets."""

from base64 import b64encode

from waybill.net.smtp_target import Credentials


def write_login(credentials: Credentials, mechanisms: str) -> tuple[tuple[str, str], ...]:
    """The lines to send in turn, each with what is shown of it, for the mechanisms that the server offers.

    LOGIN only where PLAIN (RFC 4616) is not offered; a server that offers nothing says best itself what is wrong.
    """
    offered = mechanisms.upper().split()
    user, password = credentials.user.encode(), credentials.password.encode()
    if "LOGIN" in offered and "PLAIN" not in offered:
        return ("AUTH LOGIN", "AUTH LOGIN"), (_base64(user), "(user name)"), (_base64(password), "(password)")
    initial = _base64(b"\0" + user + b"\0" + password)
    return ((f"AUTH PLAIN {initial}", "AUTH PLAIN (secret)"),)


def _base64(octets: bytes) -> str:
    return b64encode(octets).decode("ascii")
