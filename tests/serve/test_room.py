"""Connections at the doors never need more descriptors than there are."""

import pytest

from waybill.serve.room import KEPT, full_doors, room_in


@pytest.mark.parametrize("descriptors", [160, 256, 1_024, 4_096, 16_384, 1_048_576])
def test_all_doors_full_leave_descriptors(descriptors: int) -> None:
    """With a kept connection beside each delivery's own."""
    room = room_in(descriptors)
    assert KEPT <= descriptors - (room.submission + room.inbound + room.http + 2 * room.deliveries)


def test_a_usual_limit_changes_nothing() -> None:
    """What the doors may have by themselves."""
    room = room_in(16_384)
    assert (1_000, 500, 4_000, 500) == (room.submission, room.inbound, room.http, room.deliveries)


def test_next_to_none_still_opens_the_doors() -> None:
    """Whoever gives so few is told by the health page, not by doors that stay shut."""
    room = room_in(10)
    assert 2 == min(room.submission, room.inbound, room.http, room.deliveries)


def test_full_doors_are_named() -> None:
    """With what happens to those who come."""
    assert full_doors({"SMTP": (1, 2), "HTTP": (0, 2)}) is None
    assert "SMTP has all its 2 connections in use: more are told to come again" == full_doors(
        {"SMTP": (2, 2), "HTTP": (0, 2)}
    )
