"""SES v1 and SNS: Query requests on ``/``, answered in XML.

Both share the path. The service that the request is signed for says which is meant.
"""

from functools import partial
from typing import Any

from waybill.api.authenticate import Claim, read_claim, unsigned_caller
from waybill.api.authorization import Fault, NotAuthentic
from waybill.api.call import ApiError
from waybill.api.errors import to_api_error
from waybill.api.exchange import Answer, Exchange
from waybill.api.intake import Intake
from waybill.api.query import parse_form, parse_query
from waybill.api.serialise import xml_error, xml_result
from waybill.api.shapes import ServiceModel, load_model
from waybill.api.spool import ClientGone

_XML = "text/xml"


class QueryDoor:
    """Answers the operations of SES v1 and of SNS."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._ses, self._sns = load_model("ses"), load_model("sns")

    async def answer(self, exchange: Exchange) -> Answer:
        """The response, whatever happens. Raises: ClientGone: there is nobody to answer."""
        model = self._ses
        try:
            fields = parse_form(exchange.head.query)
            if fields.get("Version") == self._sns.version:
                model = self._sns
            claim = await self._claim(exchange, fields)
            model = self._ses if claim is not None and claim.signing_name == "ses" else self._sns
            body = await self._result(exchange, model, claim, fields)
        except ClientGone:
            raise
        except Exception as error:  # noqa: BLE001 - a door answers whatever happens; to_api_error logs it
            told = to_api_error(error, model, exchange.request_id)
            return Answer(
                status=told.status or 400, content_type=_XML, body=xml_error(model, told, exchange.request_id)
            )
        return Answer(status=200, content_type=_XML, body=body)

    async def _claim(self, exchange: Exchange, fields: dict[str, str]) -> Claim | None:
        service = self._intake.service
        try:
            return await read_claim(service.store, exchange.head, ("ses", "sns"), service.clock())
        except NotAuthentic as error:
            if error.fault is Fault.MISSING and unsigned_caller(fields) is not None:
                return None
            raise

    async def _result(
        self, exchange: Exchange, model: ServiceModel, claim: Claim | None, fields: dict[str, str]
    ) -> bytes:
        intake = self._intake
        async with intake.body(exchange, intake.limits.query) as body:
            if claim is not None:
                claim.prove(body.sha256)
            name, request = await body.apply(partial(self._read, model, fields))
            caller = unsigned_caller(fields) if claim is None else claim.caller
            assert caller is not None
            result = await intake.perform(model, name, exchange, caller, request)
        return xml_result(model, name, model.operations[name], result, exchange.request_id)

    def _read(self, model: ServiceModel, fields: dict[str, str], text: bytes) -> tuple[str, dict[str, Any]]:
        # An unsigned request is one whose query string names an open action: its body must not name another.
        together = parse_form(text) | fields
        name = together.get("Action", "")
        if not name:
            raise ApiError("MissingAction", "The request is missing an Action parameter.", status=400)
        version = together.get("Version", model.version)
        if name not in model.operations or version != model.version:
            text_ = f"Could not find operation {name[:64]} for version {version[:64]}"
            raise ApiError("InvalidAction", text_, status=400)
        self._intake.operation(model, name)
        return name, parse_query(model, model.operations[name], together)
