"""Long work does not hold up the event loop."""

import threading

import pytest

from tests.accept.accepting import World, request
from waybill.accept.aside import LIGHT, aside
from waybill.accept.request import RawContent
from waybill.model.cause import Cause


@pytest.mark.parametrize(("weight", "here"), [(0, True), (LIGHT, True), (LIGHT + 1, False)])
async def test_heavy_work_goes_to_a_thread(weight: int, here: bool) -> None:
    """And what it returns or raises comes back."""
    assert here is (await aside(weight, threading.get_ident) == threading.get_ident())
    with pytest.raises(ZeroDivisionError):
        await aside(weight, lambda: 1 // 0)


async def test_a_large_message_is_accepted_as_a_small_one(world: World) -> None:
    """The same content, the same record."""
    data = b"From: a@shop.example\r\nSubject: Hello\r\n\r\n" + b"x" * 70 * 2_000 + b"\r\n"
    ledger = await world.accept(request(content=RawContent(data=data)))
    assert "Hello" == ledger.message.subject
    assert ledger.message.size > len(data)


async def test_an_absurd_number_of_recipients_is_not_read(world: World) -> None:
    """The refusal comes at once, and the ledger keeps the first of them."""
    refused = await world.refuse(request(to=("b@r.test",) * 100_000))
    assert (Cause.TOO_MANY_RECIPIENTS, "Recipient count exceeds 50.") == (refused.cause, refused.text)
    assert refused.detail == {"recipients": "100000"}
