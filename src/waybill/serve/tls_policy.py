"""Builds the TLS policies of delivery: DANE and MTA-STS as the settings have them, and policies kept in the store."""

import logging

from waybill.deliver.sts_policies import StsPolicies
from waybill.deliver.tls_policy import TlsPolicies
from waybill.model.clock import Clock
from waybill.model.resource import INSTALLATION, MtaStsPolicy
from waybill.net.mta_sts import PolicyFetcher
from waybill.net.resolver import Resolver
from waybill.settings import Settings
from waybill.store.protocol import Store, StoreUnavailable

log = logging.getLogger(__name__)


def tls_policies(settings: Settings, *, resolver: Resolver, store: Store, clock: Clock) -> TlsPolicies:
    """The policies by which this worker delivers. A store that is away costs no mail: a policy is then fetched anew."""
    delivery = settings.delivery

    async def load(domain: str) -> MtaStsPolicy | None:
        try:
            return await store.get(MtaStsPolicy, INSTALLATION, domain)
        except StoreUnavailable as error:
            log.warning("the MTA-STS policy of %s could not be read: %s", domain, error)
            return None

    async def save(policy: MtaStsPolicy) -> None:
        try:
            await store.put(policy)
        except StoreUnavailable as error:
            log.warning("the MTA-STS policy of %s could not be kept: %s", policy.name, error)

    sts = None
    if delivery.mta_sts:
        fetcher = PolicyFetcher(resolver=resolver, clock=clock, allow_private=delivery.allow_private)
        sts = StsPolicies(resolver=resolver, fetch=fetcher.fetch, clock=clock, load=load, save=save)
    return TlsPolicies(resolver=resolver, clock=clock, dane=delivery.dane, sts=sts)
