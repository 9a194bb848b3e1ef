"""What the tests of attempts have in common: a Deliverer towards servers on loopback, and a verdict that keeps the evidence."""

import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from waybill.deliver.attempt import Deliverer, Parcel
from waybill.deliver.config import DeliverConfig
from waybill.deliver.evidence import Evidence
from waybill.lab.dns import LabDns
from waybill.model.cause import Cause, Responder, Scope
from waybill.model.clock import now
from waybill.model.outcome import Outcome, Result
from waybill.net.resolver import Resolver
from waybill.net.smtp_target import Timeouts

CONTENT = b"Subject: x\r\n\r\n.hello\r\n"
PARCEL = Parcel(
    delivery_id=1, message_id="m", recipient="b@b.test", mail_from="a@sender.test", content=CONTENT, number=1
)
PATIENT = Timeouts(connect=5, greeting=5, ehlo=5, starttls=5, auth=5, mail=5, rcpt=5, data=5, message=5, quit=1)
CONFIG = DeliverConfig(hostname="us.test", allow_private=True, timeouts=PATIENT)


@dataclass
class Verdicts:
    """Calls every failure undetermined, and keeps what it was told."""

    seen: list[Evidence] = field(default_factory=list)

    def __call__(self, evidence: Evidence) -> Outcome:
        self.seen.append(evidence)
        permanent = evidence.reply is not None and evidence.reply.code >= 500
        return Outcome(
            result=Result.BOUNCED if permanent else Result.DEFERRED,
            cause=Cause.UNDETERMINED,
            scope=Scope.RECIPIENT,
            responder=Responder.REMOTE,
            permanent=permanent,
            stage=evidence.stage,
            status="5.0.0" if permanent else "4.0.0",
            diagnostic=evidence.text,
            rule="test",
            host=evidence.host,
        )


@dataclass(frozen=True)
class Setup:
    """A deliverer and what its verdicts were given."""

    deliverer: Deliverer
    verdicts: Verdicts


@asynccontextmanager
async def delivering(
    port: int, zones: Mapping[str, Sequence[str]] | None = None, config: DeliverConfig = CONFIG
) -> AsyncIterator[Setup]:
    """A Deliverer that finds every name of ``zones`` (else b.test) on loopback at ``port``."""
    verdicts = Verdicts()
    zones = zones or {"b.test": ["MX 10 mx.b.test"], "mx.b.test": ["A 127.0.0.1"]}
    async with LabDns(zones) as dns:
        resolver = Resolver([dns.address], patience=1.0, rounds=1)
        deliverer = Deliverer(
            resolver=resolver,
            config=replace(config, port=port),
            clock=now,
            rng=random.Random(1),
            classify=verdicts,
        )
        try:
            yield Setup(deliverer, verdicts)
        finally:
            await deliverer.close()
            await resolver.close()
