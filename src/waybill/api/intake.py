"""What the two AWS protocols have in common: taking the body in under limits, and calling the operation."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from waybill.accept.aside import aside
from waybill.api.authenticate import Caller
from waybill.api.call import Call, Operation, Service
from waybill.api.errors import not_implemented
from waybill.api.exchange import Exchange
from waybill.api.shapes import ServiceModel
from waybill.api.spool import Body, InFlight, receive_body
from waybill.api.validate import validate


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Bounds on request bodies, in bytes.

    ``rest`` holds a message whose base64 has 40 MiB, which is SES's limit, and a little besides; ``query`` one of 10 MiB even where every byte
    is percent-encoded. ``in_flight`` bounds all bodies of the process together, those on disk included;
    ``large_at_once`` how many of those on disk are in memory at a time.
    """

    rest: int = 40 * 1024 * 1024 + 256 * 1024
    query: int = 33_000_000
    in_flight: int = 512 * 1024 * 1024
    large_at_once: int = 2
    receive_s: float = 120.0


class Intake:
    """The service, its operations and its limits, shared by every exchange of the process."""

    def __init__(self, service: Service, operations: Mapping[str, Mapping[str, Operation]], limits: Limits) -> None:
        self.service = service
        self.limits = limits
        self._operations = operations
        self._in_flight = InFlight(limit=limits.in_flight)
        self._large = asyncio.Semaphore(limits.large_at_once)

    @asynccontextmanager
    async def body(self, exchange: Exchange, limit: int) -> AsyncIterator[Body]:
        """The body of the request, until the end of the context. Raises what ``receive_body`` raises."""
        body = await receive_body(
            exchange.receive,
            declared=exchange.declared_length,
            limit=limit,
            timeout_s=self.limits.receive_s,
            in_flight=self._in_flight,
        )
        try:
            if body.large:
                async with self._large:
                    yield body
            else:
                yield body
        finally:
            body.close()

    def operation(self, model: ServiceModel, name: str) -> Operation:
        """Raises: ApiError: Waybill does not have it."""
        operation = self._operations.get(model.service, {}).get(name)
        if operation is None:
            raise not_implemented(name, model)
        return operation

    async def perform(
        self, model: ServiceModel, name: str, exchange: Exchange, caller: Caller, request: dict[str, Any]
    ) -> dict[str, Any]:
        """Validates the parameters and calls the operation. Raises what either raises."""
        operation = self.operation(model, name)
        await aside(exchange.declared_length or 0, lambda: validate(model, model.operations[name], request))
        call = Call(
            service=self.service,
            operation=name,
            account=caller.account,
            access_key_id=caller.access_key_id,
            request_id=exchange.request_id,
            received_at=self.service.clock(),
            started_at=caller.signed_at,
            ip=exchange.ip,
            tls=exchange.tls,
            user_agent=exchange.user_agent,
        )
        return await operation(call, request)
