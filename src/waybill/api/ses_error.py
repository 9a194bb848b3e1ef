"""Errors that SES v2 and SES v1 name differently, and how an operation of v1 speaks them."""

from typing import Any

from waybill.api.call import ApiError, Call, Operation


class SesError(ApiError):
    """An error raised by what v1 and v2 share: ``code`` and ``text`` are v2's, the others v1's."""

    def __init__(self, text: str, *, v2: str, v1: str, text_v1: str | None = None) -> None:
        super().__init__(v2, text)
        self.code_v1 = v1
        self.text_v1 = text_v1 or text


def in_v1(operation: Operation) -> Operation:
    """The same operation, whose errors carry v1's codes."""

    async def answer(call: Call, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return await operation(call, request)
        except SesError as error:
            raise ApiError(error.code_v1, error.text_v1, status=error.status) from error

    return answer


def invalid(text: str) -> SesError:
    """A parameter's value is at fault; ``text`` names the parameter and what is allowed."""
    return SesError(text, v2="BadRequestException", v1="InvalidParameterValue")
