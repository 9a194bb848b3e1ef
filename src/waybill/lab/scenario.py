"""Lab scenarios: a small internet described in TOML, read with errors that name file, key and what is allowed, and run."""

import tomllib
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from waybill.lab.certificate import self_signed_context
from waybill.lab.dns import LabDns, ZoneError, Zones
from waybill.lab.feedback import Feedback
from waybill.lab.receiver import Receiver
from waybill.lab.script import AfterEffect, Offers, Rule, Script
from waybill.lab.table import ScenarioError, Table
from waybill.model.clock import Clock, now
from waybill.model.outcome import Stage

__all__ = ["Lab", "ReceiverPlan", "Scenario", "ScenarioError", "load_scenario", "run_lab"]

SCRIPTED_STAGES = {
    stage.value: stage
    for stage in (Stage.GREETING, Stage.EHLO, Stage.STARTTLS, Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.MESSAGE)
}
EXTENSIONS = (
    *("PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "CHUNKING", "STARTTLS"),
    *("SIZE n", "HELO only"),
)
FEEDBACK_DELAY = 0.5
DEFAULT_OFFERS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "SIZE 10485760")


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceiverPlan:
    """One receiver of a scenario; ``starttls`` asks for a certificate when it is run."""

    script: Script
    host: str
    port: int
    starttls: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """A small internet: where its DNS listens, what it answers, and the receivers."""

    dns_host: str
    dns_port: int
    zones: dict[str, tuple[str, ...]]
    receivers: tuple[ReceiverPlan, ...]
    feedback: Feedback | None = None


class Lab:
    """A running scenario; made by :func:`run_lab`. Receivers are found by name."""

    def __init__(self, *, dns: LabDns, receivers: dict[str, Receiver], running: AsyncExitStack) -> None:
        self.dns_address = dns.address
        self.receivers = receivers
        self._running = running

    def addresses(self) -> tuple[str, ...]:
        """One line for each server: what it is and where it listens."""
        listening = (f"receiver {name}: {mx.host}:{mx.port}" for name, mx in self.receivers.items())
        return (f"dns: {self.dns_address}", *listening)

    async def close(self) -> None:
        """Stop everything."""
        await self._running.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def load_scenario(path: Path) -> Scenario:
    """The scenario in the file at ``path``.

    Raises:
        ScenarioError: the file cannot be read, or a key in it is wrong.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{path}: is no TOML: {error}") from error
    root = Table(document, where=str(path))
    dns = root.table("dns")
    dns_host, dns_port = dns.endpoint("listen", "127.0.0.1:0")
    zones = _read_zones(dns)
    receivers = tuple(_read_receiver(table) for table in root.tables("receiver"))
    feedback = _read_feedback(root.table("feedback")) if "feedback" in document else None
    for table in (dns, root):
        table.finish()
    for plan in receivers:
        _add_to_zones(zones, plan)
    return Scenario(dns_host=dns_host, dns_port=dns_port, zones=zones, receivers=receivers, feedback=feedback)


async def run_lab(scenario: Scenario, *, clock: Clock = now) -> Lab:
    """Start everything that the scenario describes.

    Raises:
        OSError: a port is taken, or an address is not this machine's.
    """
    running = AsyncExitStack()
    receivers: dict[str, Receiver] = {}
    try:
        dns = await running.enter_async_context(LabDns(scenario.zones, host=scenario.dns_host, port=scenario.dns_port))
        for plan in scenario.receivers:
            script = _with_certificate(plan.script, clock) if plan.starttls else plan.script
            receiver = Receiver(script, host=plan.host, port=plan.port, feedback=scenario.feedback, clock=clock)
            receivers[script.name] = await running.enter_async_context(receiver)
    except OSError:
        await running.aclose()
        raise
    return Lab(dns=dns, receivers=receivers, running=running)


def _read_zones(dns: Table) -> dict[str, tuple[str, ...]]:
    table = dns.table("zones")
    zones = {name: table.words(name) for name in table.keys()}  # noqa: SIM118 - a Table is no dict
    for name, lines in zones.items():
        try:
            Zones({name: lines})
        except ZoneError as error:
            raise ScenarioError(f"{table.where}: {error}") from error
    return zones


def _read_receiver(table: Table) -> ReceiverPlan:
    host, port = table.endpoint("listen", "127.0.0.1:0")
    offers, starttls = _read_offers(table)
    script = Script(
        name=table.word("name"),
        domains=tuple(domain.lower() for domain in table.words("domains")),
        offers=offers,
        rules=tuple(_read_rule(rule) for rule in table.tables("rule")),
    )
    table.finish()
    return ReceiverPlan(script=script, host=host, port=port, starttls=starttls)


def _read_offers(table: Table) -> tuple[Offers, bool]:
    offered: set[str] = set()
    size: int | None = None
    for word in table.words("offers", DEFAULT_OFFERS):
        keyword, _, value = word.upper().partition(" ")
        if keyword == "SIZE" and value.isdigit():
            size = int(value)
        elif word.upper() == "HELO ONLY" or (word in EXTENSIONS and not value):
            offered.add(word.upper())
        else:
            raise table.fault("offers", word, f"{', '.join(EXTENSIONS[:-2])}, SIZE with a number, 'HELO only'")
    offers = Offers(
        pipelining="PIPELINING" in offered,
        eight_bit="8BITMIME" in offered,
        smtputf8="SMTPUTF8" in offered,
        chunking="CHUNKING" in offered,
        enhanced_status_codes="ENHANCEDSTATUSCODES" in offered,
        size=size,
        ehlo="HELO ONLY" not in offered,
    )
    return offers, "STARTTLS" in offered


def _read_rule(table: Table) -> Rule:
    rule = Rule(
        stage=SCRIPTED_STAGES[table.choice("stage", tuple(SCRIPTED_STAGES))],
        recipient=table.word("recipient", "*").lower(),
        reply=table.word("reply", "").strip("\r\n").replace("\r\n", "\n"),
        times=table.count("times"),
        delay=table.seconds("delay"),
        disconnect=table.flag("disconnect"),
        after=AfterEffect(then) if (then := table.choice("then", ("", *AfterEffect), "")) else None,
    )
    table.finish()
    if rule == Rule(stage=rule.stage, recipient=rule.recipient, times=rule.times):
        raise ScenarioError(f"{table.where}: does nothing; give it a reply, a delay, disconnect = true, or then")
    if rule.after is not None and rule.stage is not Stage.MESSAGE:
        raise ScenarioError(f"{table.where}: then belongs to stage = 'message', where the message is taken")
    return rule


def _read_feedback(table: Table) -> Feedback:
    host, port = table.endpoint("to", None)
    feedback = Feedback(host=host, port=port, delay=table.seconds("delay", FEEDBACK_DELAY))
    table.finish()
    return feedback


def _add_to_zones(zones: dict[str, tuple[str, ...]], plan: ReceiverPlan) -> None:
    """Where the zones do not say otherwise, a receiver's domains lead to it."""
    zones.setdefault(plan.script.name, (f"{'AAAA' if ':' in plan.host else 'A'} {plan.host}",))
    for domain in plan.script.domains:
        if "*" not in domain:
            zones.setdefault(domain, (f"MX 10 {plan.script.name}",))


def _with_certificate(script: Script, clock: Clock) -> Script:
    offers = replace(script.offers, starttls=self_signed_context(script.name, clock=clock))
    return replace(script, offers=offers)
