"""Message ids and deliveries."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.store.builders import START
from waybill.model.message import OPEN_STATUSES, Delivery, Status, message_id_instant, new_message_id

AMAZON = "01000195b4096aae-5f1b1b1e-1b1b-4b1b-8b1b-1b1b1b1b1b1b-000000"


@given(st.integers(0, 2**48 - 1))
def test_an_id_carries_its_instant(at: int) -> None:
    """SES's shape: region, 48 bits of milliseconds, a UUID."""
    made = new_message_id(at)
    assert re.fullmatch(
        r"0100[0-9a-f]{12}-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}-000000", made
    )
    assert at == message_id_instant(made)


def test_an_id_of_amazon_ses() -> None:
    """2025-03-20T14:51:10.894Z, as its events say."""
    assert 1_742_482_270_894 == message_id_instant(AMAZON)


def test_ids_differ() -> None:
    """Of the same millisecond too."""
    assert 100 == len({new_message_id(START) for _ in range(100)})


@pytest.mark.parametrize("text", ["", "request-1", AMAZON[:-1], f"x{AMAZON}", f"zzzz{'g' * 12}{AMAZON[16:]}"])
def test_other_ids_carry_none(text: str) -> None:
    """A request id is no message id."""
    with pytest.raises(ValueError, match="is not a message id of the form 0100<12 hex>"):
        message_id_instant(text)


def test_the_domain_of_a_delivery() -> None:
    """In lower case."""
    delivery = Delivery(
        id=1,
        message_id="m",
        account="1",
        recipient='"a@b"@Receiver.Example',
        status=Status.QUEUED,
        cause=None,
        underlying_cause=None,
        attempts=0,
        accepted_at=0,
        next_at=0,
        expires_at=0,
        updated_at=0,
    )
    assert "receiver.example" == delivery.domain
    assert {Status.QUEUED, Status.DELAYED} == OPEN_STATUSES
