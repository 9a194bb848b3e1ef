"""What the kernel says of this machine's network."""

import pytest

from waybill.net.machine import Machine, source_towards


def test_own_addresses() -> None:
    """Loopback is ours; documentation addresses are nobody's (RFC 5737, RFC 3849)."""
    machine = Machine()
    assert [machine.owns(ip) for ip in ("127.0.0.1", "192.0.2.1", "2001:db8::1")] == [True, False, False]


def test_answers_are_kept_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that comes up is seen a minute later."""
    is_up = {1.0: False, 2.0: True, 70.0: True, 71.0: False, 131.0: False}
    now = [0.0]
    monkeypatch.setattr("waybill.net.machine._can_bind", lambda _: is_up[now[0]])
    monkeypatch.setattr("waybill.net.machine.source_towards", lambda _: "2001:db8::5" if is_up[now[0]] else None)
    machine = Machine(lambda: now[0])
    seen = []
    for now[0] in is_up:
        seen.append((machine.owns("192.0.2.1"), machine.reaches_ipv6()))
    assert seen == [(False, False), (False, False), (True, True), (True, True), (False, False)]


def test_a_link_local_address_reaches_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not the way to the internet, whatever the routing table says."""
    monkeypatch.setattr("waybill.net.machine.source_towards", lambda _: "fe80::1")
    assert Machine().reaches_ipv6() is False


def test_the_way_to_loopback() -> None:
    """From itself."""
    assert source_towards("127.0.0.1") == "127.0.0.1"
