"""TLS policies as a worker has them: from the settings, and with what the store has kept."""

from dataclasses import replace
from pathlib import Path

import pytest

from waybill.deliver.tls_policy import OPPORTUNISTIC
from waybill.lab.dns import LabDns
from waybill.model.clock import now
from waybill.model.resource import INSTALLATION, MtaStsPolicy
from waybill.net.resolver import Resolver
from waybill.serve.tls_policy import tls_policies
from waybill.settings import Settings
from waybill.store.open import open_store

ZONES = {"b.test": ["MX 10 mx.b.test"], "mx.b.test": ["A 192.0.2.1"], "_mta-sts.b.test": ["TXT v=STSv1; id=1"]}


@pytest.mark.parametrize(("mta_sts", "name"), [(True, "mta-sts enforce"), (False, None)])
async def test_what_the_store_has_kept(tmp_path: Path, mta_sts: bool, name: str | None) -> None:
    """A policy of an earlier run holds at once, unless the settings say otherwise; then nobody is asked for one."""
    settings = Settings()
    settings = replace(settings, delivery=replace(settings.delivery, dane=False, mta_sts=mta_sts))
    store = await open_store(f"sqlite:///{tmp_path}/waybill.db", clock=now)
    async with LabDns(ZONES) as dns:
        resolver = Resolver([dns.address])
        policies = tls_policies(settings, resolver=resolver, store=store, clock=now)
        await store.put(
            MtaStsPolicy(
                account=INSTALLATION,
                name="b.test",
                id="1",
                mode="enforce",
                mx=("mx.b.test",),
                max_age=86_400,
                fetched_at=now(),
            )
        )
        decided = await policies.decide("b.test", "mx.b.test", 25)
        asked = {kind for _, kind in dns.queries}
        await policies.close()
        await resolver.close()
        await store.close()
    assert (decided.name, asked) == (name, {"TXT"} if mta_sts else set())
    assert (decided == OPPORTUNISTIC) is not mta_sts
