"""The world that the stories play in: a small internet with a receiver for each, and two running services."""

import asyncio
import sys
import threading
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tests.flow import serve_shifted
from tests.flow.installation import Installation, free_port
from tests.stories.story import CUT_OFF, DISOWNED, LOST, OPEN, STRICT, Story
from waybill.lab.dns import LabDns
from waybill.lab.feedback import Feedback
from waybill.lab.receiver import Receiver
from waybill.lab.script import Offers, Rule, Script
from waybill.model.clock import HOUR

T = TypeVar("T")

GOOD = "good.example"
"""A domain that takes everything."""
PLAIN = "127.0.0.2"
"""Where a receiver lives that offers nothing."""
NOBODY = "127.0.0.3"
"""Where nobody listens."""
NOT_OURS = "198.51.100.77"
"""An address that this machine does not have (RFC 5737)."""
FIRST_OWN = 10
"""The receivers of stories that speak before RCPT live at 127.0.0.10 and up: they cannot know for whom the message is."""


@dataclass(frozen=True, kw_only=True)
class World:
    """What the stories hold in their hands: the services by name."""

    services: dict[str, Installation]

    @property
    def service(self) -> Installation:
        """The one that takes every sender."""
        return self.services[OPEN]


@contextmanager
def running_world(stories: Sequence[Story], folder: Path) -> Iterator[World]:
    """The world, up for as long as the block runs."""
    feedback_port, smtp_port = free_port(), free_port()
    with ExitStack() as stack:
        dns = stack.enter_context(_internet(stories, smtp_port, feedback_port))
        sections: dict[str, dict[str, Any]] = {
            "service": {"workers": 1},
            "dns": {"servers": [dns]},
            "inbound": {"listen": f"127.0.0.1:{feedback_port}"},
            "delivery": {
                "port": smtp_port,
                "allow_private": True,
                "hostname": "mail.shop.example",
                "retry": ["300ms", "300ms", "300ms", "1h"],
            },
            "identities": {"verification": "none"},
            "standing": {"pause": False},
        }
        services = {}
        for name, changed in _SERVICES.items():
            own = folder / name
            own.mkdir()
            merged = {
                section: {**sections.get(section, {}), **changed.get(section, {})}
                for section in {**sections, **changed}
            }
            installation = Installation(own, merged)
            if name == LOST:
                (own / "shift").write_text(str(-HOUR), "ascii")
                installation.command = (sys.executable, str(Path(serve_shifted.__file__)))
            stack.callback(installation.abandon)
            installation.start()
            services[name] = installation
        yield World(services=services)
        for installation in services.values():
            if installation.process is not None:
                installation.stop()


_ELSEWHERE = {"inbound": {"listen": "127.0.0.1:0"}}
_SERVICES: dict[str, dict[str, dict[str, Any]]] = {
    OPEN: {},
    STRICT: {**_ELSEWHERE, "identities": {"verification": "dns"}},
    CUT_OFF: {**_ELSEWHERE, "delivery": {"source_addresses": [NOT_OURS]}},
    LOST: _ELSEWHERE,
    DISOWNED: _ELSEWHERE,
}


@contextmanager
def _internet(stories: Sequence[Story], port: int, feedback_port: int) -> Iterator[str]:
    """The DNS server's address."""
    receivers, zones = _plan(stories)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="internet")
    thread.start()

    def run(work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result(20)

    feedback = Feedback(host="127.0.0.1", port=feedback_port, delay=0.2)
    servers = [Receiver(script, host=host, port=port, feedback=feedback) for host, script in receivers.items()]

    async def start() -> LabDns:
        for server in servers:
            await server.start()
        dns = LabDns(zones)
        await dns.start()
        return dns

    async def stop(dns: LabDns) -> None:
        await dns.close()
        for server in servers:
            await server.close()

    dns = run(start())
    try:
        yield dns.address
    finally:
        run(stop(dns))
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def _plan(stories: Sequence[Story]) -> tuple[dict[str, Script], dict[str, list[str]]]:
    """The receivers by address, and what the DNS says."""
    shared = []
    for story in stories:
        if story.rule is not None and story.rule.recipient != "*":
            if story.accepts_first:
                shared.append(Rule(stage=story.rule.stage, recipient=story.rule.recipient, times=1))
            shared.append(story.rule)
    receivers = {
        "127.0.0.1": Script(name="mx.lab.example", rules=tuple(shared)),
        PLAIN: Script(name="old.lab.example", offers=Offers(size=2000, smtputf8=False, eight_bit=False)),
    }
    zones: dict[str, list[str]] = {
        "shop.example": ["MX 10 mx.shop.example"],
        "mx.shop.example": ["A 127.0.0.1"],
        GOOD: ["MX 10 mx.shop.example"],
    }
    for story in stories:
        zones |= story.zone
        if story.mx is None:
            continue
        address = "127.0.0.1"
        if story.rule is not None and story.rule.recipient == "*":
            address = f"127.0.0.{FIRST_OWN + len(receivers)}"
            receivers[address] = Script(name=story.mx, rules=(story.rule,))
        zones[story.recipient.rpartition("@")[2]] = [f"MX 10 {story.mx}"]
        zones.setdefault(story.mx, [f"A {address}"])
    return receivers, zones
