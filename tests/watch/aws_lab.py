"""AWS on loopback: SES v2 as Waybill itself serves it, and SQS, SNS and STS of moto."""

import asyncio
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import uvicorn
from moto.server import ThreadedMotoServer

from tests.api.operations_world import World, open_world
from tests.watch import events
from waybill.api.asgi import aws_app
from waybill.api.registry import OPERATIONS
from waybill.model import clock
from waybill.model.resource import INSTALLATION, AccessKey, Account, ConfigurationSet, Identity, Template
from waybill.model.suppression import Reason, Suppression

REGION = "eu-west-1"
KEY_ID, SECRET = "AKIDEXAMPLE", "secret"
LISTED_AT = 1_790_928_000_000


@dataclass(frozen=True, kw_only=True)
class AwsLab:
    """Where the services listen."""

    ses_url: str
    moto_url: str

    def environment(self) -> dict[str, str]:
        """What leads boto3 and the AWS CLI here."""
        return {
            "AWS_ENDPOINT_URL_SESV2": self.ses_url,
            "AWS_ENDPOINT_URL_STS": self.moto_url,
            "AWS_ENDPOINT_URL_SQS": self.moto_url,
            "AWS_ENDPOINT_URL_SNS": self.moto_url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_CONFIG_FILE": "/nonexistent",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        }

    def client(self, service: str) -> Any:
        """A boto3 client of moto's."""
        make: Any = boto3.client
        return make(
            service,
            endpoint_url=self.moto_url,
            region_name=REGION,
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=SECRET,
        )


async def _furnish(world: World) -> None:
    """The account of the events, with a listed address, an identity, a template and a configuration set."""
    store, account, at = world.store, events.ACCOUNT, clock.now()
    await store.create(Account(account=INSTALLATION, name=account, created_at=at))
    await store.create(
        AccessKey(account=INSTALLATION, name=KEY_ID, owner=account, label="lab", secret=SECRET, created_at=at)
    )
    await store.create(Identity(account=account, name="shop.example", created_at=at, token="t", verified_at=at))
    await store.create(ConfigurationSet(account=account, name="transactional", created_at=at))
    await store.create(
        Template(
            account=account,
            name="OrderShipped",
            subject="{{orderNumber}}",
            text="Hello",
            html=None,
            created_at=at,
            updated_at=at,
        )
    )
    await relist(world)


async def relist(world: World) -> None:
    """Puts the recipient of the events onto the account's list."""
    entry = Suppression(
        account=events.ACCOUNT,
        address=events.TO,
        reason=Reason.BOUNCE,
        at=LISTED_AT,
        author="operator",
        message_id="010201a0f0000000-aaaaaaaa-0000-4000-8000-000000000000-000000",
    )
    await world.store.suppress([entry])


@contextmanager
def aws_lab(folder: Path) -> Iterator[AwsLab]:
    """Both servers, for as long as the block runs."""
    started, loops = threading.Event(), list[uvicorn.Server]()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        async def serve() -> None:
            async with open_world(folder, now=clock.now()) as world:
                await _furnish(world)
                config = uvicorn.Config(aws_app(world.service(), OPERATIONS), lifespan="off", log_level="warning")
                server = uvicorn.Server(config)
                loops.append(server)
                serving = asyncio.create_task(server.serve(sockets=[listening]))
                started.set()
                await serving

        thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
        thread.start()
        assert started.wait(10), "the lab did not start"
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        moto.start()
        host, port = moto.get_host_and_port()
        try:
            yield AwsLab(ses_url=f"http://127.0.0.1:{listening.getsockname()[1]}", moto_url=f"http://{host}:{port}")
        finally:
            moto.stop()
            loops[0].should_exit = True
            thread.join(10)


@contextmanager
def pointed_at(lab: AwsLab, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """The environment of an operator of that account."""
    for name, value in lab.environment().items():
        patch.setenv(name, value)
    patch.delenv("AWS_PROFILE", raising=False)
    patch.delenv("AWS_SESSION_TOKEN", raising=False)
    yield
