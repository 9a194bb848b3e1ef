"""Refusing a request: the one exception that the doors translate into SES's error."""

from waybill.model.cause import Cause


class Rejected(Exception):  # noqa: N818 - the word SES uses
    """A request is refused; no message id is given.

    ``code`` is an error code of the SES v2 model (``MessageRejected``, ``BadRequestException``, ``NotFoundException``,
    ``TooManyRequestsException``, ``LimitExceededException``, ``SendingPausedException``, ``MailFromDomainNotVerifiedException``,
    ``AccountSuspendedException``, ``AlreadyExistsException``, …). ``code_v1`` is the v1 code where v1 differs
    (``ConfigurationSetDoesNotExist``); ``smtp`` the reply line for SMTP. ``cause`` is the catalogue's, for the ledger.
    """

    def __init__(
        self,
        text: str,
        *,
        code: str,
        cause: Cause,
        code_v1: str | None = None,
        smtp: str | None = None,
        detail: dict[str, str] | None = None,
    ) -> None:
        super().__init__(text)
        self.text = text
        self.code = code
        self.cause = cause
        self.code_v1 = code_v1 or code
        self.smtp = smtp or f"554 {text}"
        self.detail = detail or {}
