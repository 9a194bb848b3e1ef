"""What the supervisor decides before any worker runs: ports, names, and what ``--dev`` changes."""

import io
import logging
from dataclasses import replace

import pytest

from waybill.serve.plan import (
    Plan,
    SimulatorAddress,
    captures_all,
    dev_settings,
    read_plan,
    reserve,
    shared_socket,
    with_names,
    worker_name,
    write_plan,
)
from waybill.settings import Endpoint, Settings, SettingsError

ANY = Endpoint("127.0.0.1", 0)


def test_a_reserved_port_is_open_to_its_own_workers_only() -> None:
    """Workers share it, before and after they listen; another installation gets it at no time."""
    held, real = reserve(ANY)
    with held:
        with pytest.raises(OSError, match="in use"):
            reserve(real)
        with shared_socket(real) as first, shared_socket(real) as second:
            first.listen()
            second.listen()
            with pytest.raises(OSError, match="in use"):
                reserve(real)
    again, same = reserve(real)
    again.close()
    assert real == same


def test_a_plan_reaches_the_worker_as_it_was() -> None:
    """What goes over the pipe comes out the same, and leaves the rest of the pipe alone."""
    simulator = SimulatorAddress(zone="z", dns="127.0.0.1:1", smtp_host="127.0.0.1", smtp_port=2, capture=True)
    plan = Plan(
        worker=worker_name(0),
        number=0,
        workers=1,
        settings=Settings(),
        simulator=simulator,
        log_level=logging.INFO,
        lease=30_000,
    )
    pipe = io.BytesIO()
    write_plan(plan, pipe)
    assert plan == read_plan(io.BytesIO(pipe.getvalue()))


def test_no_two_workers_have_one_name() -> None:
    """A worker that is started again must not take itself for the one that died."""
    assert 50 == len({worker_name(0) for _ in range(50)})


@pytest.mark.parametrize(
    ("listen", "public_url", "expected"),
    [
        (Endpoint("127.0.0.1", 8025), "", "http://127.0.0.1:8025"),
        (Endpoint("::1", 8025), "", "http://[::1]:8025"),
        (Endpoint("0.0.0.0", 80), "", "http://mail.shop.example:80"),
        (Endpoint("::", 80), "", "http://mail.shop.example:80"),
        (Endpoint("0.0.0.0", 80), "https://ses.shop.example", "https://ses.shop.example"),
    ],
)
def test_the_url_for_others_is_one_that_others_can_open(listen: Endpoint, public_url: str, expected: str) -> None:
    """Who listens everywhere is reached by name; what the settings say stands."""
    settings = Settings()
    settings = replace(
        settings,
        http=replace(settings.http, listen=listen, public_url=public_url),
        delivery=replace(settings.delivery, hostname="mail.shop.example"),
    )
    assert expected == with_names(settings).http.public_url


def test_dev_trusts_every_sender_and_stays_on_this_machine() -> None:
    """Only loopback addresses are allowed, at each of the three doors."""
    changed = dev_settings(Settings())
    assert ("none", True) == (changed.identities.verification, changed.publish.allow_private)
    settings = Settings()
    everywhere = Endpoint("0.0.0.0", 25)
    for wrong in (
        replace(settings, http=replace(settings.http, listen=everywhere)),
        replace(settings, submission=replace(settings.submission, listen=everywhere)),
        replace(settings, inbound=replace(settings.inbound, listen=everywhere)),
    ):
        with pytest.raises(SettingsError, match=r"listen = '0\.0\.0\.0:25' is not allowed"):
            dev_settings(wrong)


def test_dev_keeps_all_mail_unless_there_is_somewhere_to_send_it() -> None:
    """A resolver or a relay of one's own says that mail is meant to go there."""
    settings = Settings()
    assert captures_all(settings, dev=True)
    assert not captures_all(settings, dev=False)
    assert not captures_all(replace(settings, dns=replace(settings.dns, servers=("127.0.0.1:5353",))), dev=True)
    assert not captures_all(replace(settings, delivery=replace(settings.delivery, relay="smtp://x")), dev=True)
    assert not captures_all(replace(settings, service=replace(settings.service, simulator=False)), dev=True)
