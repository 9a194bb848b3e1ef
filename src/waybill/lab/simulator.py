"""The mailbox simulator: a DNS server and receivers on loopback that let every fate of a message be seen."""

import contextlib
import ssl
from contextlib import AsyncExitStack
from dataclasses import replace
from types import TracebackType
from typing import Self

from waybill.lab.certificate import self_signed_context
from waybill.lab.dns import LabDns
from waybill.lab.feedback import Feedback
from waybill.lab.receiver import Received, Receiver
from waybill.lab.script import Offers, Rule, Script
from waybill.lab.simulated import SIMULATED, ZONE
from waybill.model.clock import Clock, now
from waybill.model.outcome import Stage

USER_AGENT = "Amazon SES Mailbox Simulator"
CAPTURED = "250 2.0.0 Ok: captured by Waybill, not sent on"
TAKEN = "250 2.6.0 Ok: taken by the mailbox simulator"

_TLS_HOST = "127.0.0.1"
_CLEAR_HOST = "127.0.0.2"  # same port, no STARTTLS: what is offered is decided before the recipient is known
_SILENT_HOST = "127.0.0.9"  # nothing listens there

_OWN_MAIL = tuple(Rule(stage=Stage.MESSAGE, recipient=pattern, reply=TAKEN) for pattern in (f"*@{ZONE}", f"*@*.{ZONE}"))

ZONES = {
    ZONE: [f"MX 10 mx.{ZONE}"],
    f"mx.{ZONE}": [f"A {_TLS_HOST}"],
    f"notls.{ZONE}": [f"MX 10 mx.notls.{ZONE}"],
    f"mx.notls.{ZONE}": [f"A {_CLEAR_HOST}"],
    f"unreachable.{ZONE}": [f"MX 10 mx.unreachable.{ZONE}"],
    f"mx.unreachable.{ZONE}": [f"A {_SILENT_HOST}"],
    f"nullmx.{ZONE}": ["MX 0 ."],
    f"nodomain.{ZONE}": ["NXDOMAIN"],
    f"noroute.{ZONE}": [],
    f"dnsfail.{ZONE}": ["SERVFAIL"],
    f"dnstimeout.{ZONE}": ["TIMEOUT"],
}


class Simulator:
    """The running simulator; made by :func:`start_simulator`. Mail for ``zone`` goes to ``smtp_port``."""

    zone = ZONE

    def __init__(self, *, dns: LabDns, receiver: Receiver, running: AsyncExitStack) -> None:
        self.dns_address = dns.address
        self.smtp_port = receiver.port
        self.smtp_host = receiver.host
        self._receiver = receiver
        self._running = running

    @property
    def received(self) -> tuple[Received, ...]:
        """The messages taken lately, the newest last."""
        return tuple(self._receiver.received)

    async def close(self) -> None:
        """Stop listening, drop connections, and send no more feedback."""
        await self._running.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def start_simulator(
    feedback_to: tuple[str, int] | None, *, capture: bool = False, feedback_delay: float = 0.5, clock: Clock = now
) -> Simulator:
    """Start the simulator on free ports of loopback.

    ``feedback_to`` is where bounce mails, complaints and auto-replies are posted (None: nowhere). With ``capture`` the
    receiver takes mail for every other domain too, and keeps it; otherwise it refuses to relay.

    Raises:
        OSError: loopback has no free port, or no address.
    """
    feedback = None
    if feedback_to is not None:
        host, port = feedback_to
        feedback = Feedback(host=host, port=port, delay=feedback_delay, user_agent=USER_AGENT)
    running = AsyncExitStack()
    try:
        dns = await running.enter_async_context(LabDns(ZONES))
        script = _script(self_signed_context(f"mx.{ZONE}", clock=clock), capture=capture)
        receiver = await running.enter_async_context(Receiver(script, host=_TLS_HOST, feedback=feedback, clock=clock))
        clear = Receiver(_script(None, capture=capture), host=_CLEAR_HOST, port=receiver.port, clock=clock)
        # Systems other than Linux have 127.0.0.1 alone on loopback: there notls. is unreachable.
        with contextlib.suppress(OSError):
            await running.enter_async_context(clear)
    except OSError:
        await running.aclose()
        raise
    return Simulator(dns=dns, receiver=receiver, running=running)


def _script(starttls: ssl.SSLContext | None, *, capture: bool) -> Script:
    return Script(
        name=f"mx.{ZONE}" if starttls else f"mx.notls.{ZONE}",
        domains=() if capture else (ZONE, f"*.{ZONE}"),
        offers=Offers(starttls=starttls),
        rules=(*(_say_taken(entry.rule) for entry in SIMULATED if entry.rule is not None), *_OWN_MAIL),
        taken=CAPTURED,
    )


def _say_taken(rule: Rule) -> Rule:
    return rule if rule.reply or rule.disconnect else replace(rule, reply=TAKEN)
