"""AWS's own API through boto3, an optional extra (``pip install 'waybill[amazon]'``), and its errors in words."""

import importlib
from collections.abc import Sequence
from typing import Any, Protocol

_DENIED = "no permission for {action}"
_THROTTLED = "AWS asked to slow down"
_WRONG_KEYS = "AWS does not take these credentials"
_CODES = {
    **dict.fromkeys(("AccessDenied", "AccessDeniedException", "UnauthorizedOperation"), _DENIED),
    **dict.fromkeys(("Throttling", "ThrottlingException", "TooManyRequestsException", "RequestThrottled"), _THROTTLED),
    **dict.fromkeys(("UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId"), _WRONG_KEYS),
    **dict.fromkeys(("SignatureDoesNotMatch", "InvalidSignatureException"), _WRONG_KEYS),
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException"), "the AWS credentials have expired"),
}
_KINDS = {
    "NoCredentialsError": "no AWS credentials",
    "PartialCredentialsError": "no AWS credentials",
    "NoRegionError": "no AWS region: set AWS_DEFAULT_REGION",
    "EndpointConnectionError": "AWS could not be reached",
    "ConnectTimeoutError": "AWS could not be reached",
    "ProxyConnectionError": "AWS could not be reached",
    "ReadTimeoutError": "AWS gave no answer in time",
    "SSLError": "AWS could not be reached securely",
}


class NotAsked(Exception):  # noqa: N818 - it says what became of the question
    """AWS was not asked, or did not answer; the text says why. ``code`` is AWS's own word, where there is one."""

    def __init__(self, text: str, code: str = "") -> None:
        super().__init__(text)
        self.code = code


class Ask(Protocol):
    """Asks one operation of one AWS service."""

    def __call__(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """What it answers. Blocks. Raises: NotAsked."""


def aws_client(region: str | None) -> Ask:
    """AWS as boto3 reaches it: credentials, endpoints and defaults are those of the environment.

    Raises:
        NotAsked: boto3 is not installed.
    """
    try:  # only here: it takes a third of a second, and most commands never ask AWS
        boto3: Any = importlib.import_module("boto3")
        exceptions: Any = importlib.import_module("botocore.exceptions")
    except ImportError:
        raise NotAsked("boto3 is not installed: pip install 'waybill[amazon]'") from None
    session = boto3.session.Session()
    clients: dict[str, Any] = {}

    def ask(service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        try:
            if service not in clients:
                clients[service] = session.client(service, region_name=region)
            answer: dict[str, Any] = getattr(clients[service], operation)(**parameters)
        except (exceptions.ClientError, exceptions.BotoCoreError) as error:
            raise _in_words(error, service, operation) from None
        return answer

    return ask


def _in_words(error: Any, service: str, operation: str) -> NotAsked:
    """Why AWS did not answer."""
    response = getattr(error, "response", None)
    if not isinstance(response, dict):
        return NotAsked(_KINDS.get(type(error).__name__) or " ".join(str(error).split())[:300])
    told = response.get("Error") or {}
    code, said = str(told.get("Code", "")), " ".join(str(told.get("Message", "")).split())[:300]
    said = "" if said.startswith("<") else said  # a page of whatever stands before AWS
    action = f"{'ses' if service == 'sesv2' else service}:{''.join(part.title() for part in operation.split('_'))}"
    known = _CODES.get(code)
    return NotAsked(known.format(action=action) if known else f"AWS answered {code}: {said}".removesuffix(": "), code)


def names(values: Sequence[str]) -> str:
    """The values on one line, for people."""
    return ", ".join(values) or "none"
