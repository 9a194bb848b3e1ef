"""The AWS doors as one plain ASGI application: SES v2 under ``/v2/email/``, SES v1 and SNS on ``/``."""

from collections.abc import Callable, Mapping

from waybill.api.call import Operation, Service
from waybill.api.exchange import Scope, Send, answer, begin
from waybill.api.intake import Intake, Limits
from waybill.api.query_door import QueryDoor
from waybill.api.rest_door import RestDoor
from waybill.api.spool import ClientGone, Receive
from waybill.model.random_id import new_uuid


class AwsApi:
    """Authenticates, parses, validates, calls the operation, and answers in the protocol of the request."""

    def __init__(self, intake: Intake, new_request_id: Callable[[], str]) -> None:
        self._new_request_id = new_request_id
        self._query, self._rest = QueryDoor(intake), RestDoor(intake)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one HTTP request. Paths other than ``/`` and the operations of SES v2 get an error of status 404."""
        if scope["type"] != "http":
            raise ValueError(f"the AWS doors speak HTTP, not {scope['type']}")
        exchange = begin(scope, receive, self._new_request_id())
        door = self._query if exchange.head.path == b"/" else self._rest
        try:
            reply = await door.answer(exchange)
        except ClientGone:
            return
        await answer(send, exchange.request_id, reply)


def aws_app(
    service: Service,
    operations: Mapping[str, Mapping[str, Operation]],
    *,
    limits: Limits | None = None,
    new_request_id: Callable[[], str] = new_uuid,
) -> AwsApi:
    """The ASGI application. ``operations`` are those of ``sesv2``, ``ses`` and ``sns``, by the models' names."""
    return AwsApi(Intake(service, operations, limits or Limits()), new_request_id)
