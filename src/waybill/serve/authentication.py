"""Puts together who looks at SPF, DKIM and DMARC beside the sending."""

from waybill.model.clock import Clock
from waybill.model.resource import DkimKey, Identity
from waybill.net.lookup import ResolverLookups
from waybill.net.resolver import Resolver
from waybill.standing.authentication import FindKey
from waybill.standing.authentication_watch import AuthenticationWatch
from waybill.store.protocol import Store


def finder(store: Store) -> FindKey:
    """Finds the keys that an account's identities sign with."""

    async def find_key(account: str, domain: str, selector: str) -> DkimKey | None:
        identity = await store.get(Identity, account, domain)
        keys = identity.dkim_keys if identity is not None else ()
        return next((key for key in keys if key.selector == selector), None)

    return find_key


def authentication_watch(*, store: Store, resolver: Resolver, clock: Clock) -> AuthenticationWatch:
    """Asks the resolver's servers, and keeps in the store what it finds."""
    return AuthenticationWatch(
        lookups=lambda: ResolverLookups(resolver.afresh()),
        find_key=finder(store),
        keep=store.authentications.keep,
        clock=clock,
    )
