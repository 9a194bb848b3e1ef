"""A real store, a recording ``accept`` and a set clock, in which tests call the operations directly."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape

from waybill.accept.request import SendRequest
from waybill.api.call import Call, Service
from waybill.api.registry import OPERATIONS
from waybill.model.clock import DAY, Instant
from waybill.model.resource import DEFAULT_ACCOUNT
from waybill.store.protocol import Notice, Store
from waybill.store.sqlite import open_sqlite

MODELS = {name: ServiceModel(Loader().load_service_model(name, "service-2"), name) for name in ("sesv2", "ses", "sns")}
_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "double": float,
    "timestamp": int,
    "blob": bytes,
}

_LEFT_OUT = frozenset({"BounceTopic", "ComplaintTopic", "DeliveryTopic"})
"""Required by the model, and still left out by SES where there is no topic."""

START: Instant = 1_767_225_600_000
ACCOUNT = DEFAULT_ACCOUNT


def check_answer(shape: Shape | None, value: Any, path: str) -> None:
    """Holds an answer against the service model: its members, their types, and what must be there."""
    match shape:
        case None:
            assert value == {}, path
        case StructureShape():
            given = {name for name, member in value.items() if member is not None}
            assert given <= set(shape.members), f"{path} has {given - set(shape.members)}"
            lacking = set(shape.required_members) - given - _LEFT_OUT
            assert not lacking, f"{path} lacks {lacking}"
            for name in given:
                check_answer(shape.members[name], value[name], f"{path}.{name}")
        case ListShape():
            for item in value:
                check_answer(shape.member, item, f"{path}[]")
        case MapShape():
            for key, item in value.items():
                check_answer(shape.value, item, f"{path}[{key}]")
        case _:
            assert isinstance(value, _TYPES[shape.type_name]), f"{path} is {value!r}, not {shape.type_name}"
            assert value in shape.metadata.get("enum", [value]), f"{path} is {value!r}"


@dataclass
class RecordingAccept:
    """Keeps the requests; raises what ``answer`` raises, else gives ``message-1``, ``message-2``, …"""

    requests: list[SendRequest] = field(default_factory=list)
    answer: Callable[[SendRequest], None] = lambda _request: None

    async def accept(self, request: SendRequest) -> str:
        self.requests.append(request)
        number = len(self.requests)
        self.answer(request)
        return f"message-{number}"


@dataclass
class World:
    """What a test of the operations looks at."""

    store: Store
    accept: RecordingAccept = field(default_factory=RecordingAccept)
    now: Instant = START
    verified: list[tuple[str, str]] = field(default_factory=list)
    every_sender: bool = False
    silent_dns: bool = False

    def service(self) -> Service:
        return Service(
            store=self.store,
            accept=self.accept,
            clock=lambda: self.now,
            region="us-east-1",
            every_sender=self.every_sender,
            default_max_send_rate=0,
            default_max_24_hour_send=0,
            verify_identity=self._verify,
            longest_look_s=0.01,
        )

    async def _verify(self, account: str, name: str) -> None:
        self.verified.append((account, name))
        if self.silent_dns:
            await asyncio.Event().wait()

    async def v2(self, operation: str, account: str = ACCOUNT, **request: Any) -> dict[str, Any]:
        return await self._ask("sesv2", operation, account, request)

    async def v1(self, operation: str, account: str = ACCOUNT, **request: Any) -> dict[str, Any]:
        return await self._ask("ses", operation, account, request)

    async def sns(
        self, operation: str, account: str = ACCOUNT, *, signed: bool = True, **request: Any
    ) -> dict[str, Any]:
        return await self._ask("sns", operation, account, request, "AKIDEXAMPLE" if signed else "")

    async def _ask(
        self, service: str, operation: str, account: str, request: dict[str, Any], key: str = "AKIDEXAMPLE"
    ) -> dict[str, Any]:
        function = OPERATIONS[service][operation]
        call = Call(
            service=self.service(),
            operation=operation,
            account=account,
            access_key_id=key,
            request_id="request-1",
            received_at=self.now,
            ip="192.0.2.1",
            tls="TLSv1.3",
            user_agent="test",
            started_at=self.now - 5,
        )
        answer = await function(call, request)
        check_answer(MODELS[service].operation_model(operation).output_shape, answer, operation)
        return answer

    async def notices(self) -> list[Notice]:
        return await self.store.claim_notices("test", self.now + DAY, limit=100, lease_until=self.now + 2 * DAY)


@asynccontextmanager
async def open_world(folder: Path, **settings: Any) -> AsyncIterator[World]:
    """A world on a new database in ``folder``."""
    store = await open_sqlite(folder / "waybill.db", clock=lambda: START)
    try:
        yield World(store=store, **settings)
    finally:
        await store.close()
