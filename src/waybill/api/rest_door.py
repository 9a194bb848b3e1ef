"""SES v2: REST-JSON under ``/v2/email/``."""

from functools import partial

from waybill.api.authenticate import read_claim
from waybill.api.call import ApiError
from waybill.api.errors import to_api_error
from waybill.api.exchange import Answer, Exchange
from waybill.api.intake import Intake
from waybill.api.parse import parse_rest
from waybill.api.route import Routes
from waybill.api.serialise import json_error, json_result
from waybill.api.shapes import load_model
from waybill.api.spool import ClientGone

_JSON = "application/json"


class RestDoor:
    """Answers the operations of SES v2."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._model = load_model("sesv2")
        self._routes = Routes(self._model)

    async def answer(self, exchange: Exchange) -> Answer:
        """The response, whatever happens. Raises: ClientGone: there is nobody to answer."""
        try:
            return Answer(status=200, content_type=_JSON, body=await self._result(exchange))
        except ClientGone:
            raise
        except Exception as error:  # noqa: BLE001 - a door answers whatever happens; to_api_error logs it
            told = to_api_error(error, self._model, exchange.request_id)
            return Answer(status=told.status or 400, content_type=_JSON, body=json_error(told), error_type=told.code)

    async def _result(self, exchange: Exchange) -> bytes:
        intake, head = self._intake, exchange.head
        route = self._routes.find(head.method, head.path)
        if route is None:
            path = head.path.decode("utf-8", "replace")[:256]
            raise ApiError("UnknownOperationException", f"{head.method} {path} names no operation.", status=404)
        claim = await read_claim(intake.service.store, head, ("ses",), intake.service.clock())
        operation = self._model.operations[route.operation]
        async with intake.body(exchange, intake.limits.rest) as body:
            claim.prove(body.sha256)
            intake.operation(self._model, route.operation)
            parse = partial(parse_rest, self._model, operation, route.labels, head.query)
            request = await body.apply(parse)
            result = await intake.perform(self._model, route.operation, exchange, claim.caller, request)
        return json_result(self._model, operation, result)
