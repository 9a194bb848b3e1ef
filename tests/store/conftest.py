"""The engines that the conformance suite runs on."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.store.conformance import ENGINES, Engine
from waybill.store.protocol import Store


@pytest.fixture(params=sorted(ENGINES))
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Engine]:
    """An empty database of each engine."""
    engine: Engine = ENGINES[request.param](folder=tmp_path)
    yield engine
    await engine.close()


@pytest.fixture
async def store(engine: Engine) -> Store:
    """A store on the engine's database."""
    return await engine.open()
