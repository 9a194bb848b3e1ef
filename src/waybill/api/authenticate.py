"""Who calls: the access key that a request claims, and whether the request is really signed with it."""

from collections.abc import Mapping

from waybill.api.authorization import Authorization, Fault, Head, NotAuthentic, read_authorization
from waybill.api.sigv4 import check_freshness, check_signature
from waybill.model.clock import Instant
from waybill.model.record import record
from waybill.model.resource import INSTALLATION, AccessKey
from waybill.store.protocol import Store

_UNSIGNED_ACTIONS = ("ConfirmSubscription", "Unsubscribe")
_UNKNOWN_KEY = "The security token included in the request is invalid."


@record(frozen=True, kw_only=True, slots=True)
class Caller:
    """For whom an operation acts. ``signed_at`` is the client's clock; an unsigned request has no access key."""

    account: str
    access_key_id: str = ""
    signed_at: Instant | None = None


@record(frozen=True, kw_only=True, slots=True)
class Claim:
    """What the head of a request says about its caller, plausible so far; the signature also covers the body."""

    head: Head
    authorization: Authorization
    key: AccessKey

    @property
    def signing_name(self) -> str:
        """The service that the request is signed for: ``ses`` or ``sns``."""
        return self.authorization.credential.service

    @property
    def caller(self) -> Caller:
        """The key's owner. True only once ``prove`` has returned."""
        return Caller(account=self.key.owner, access_key_id=self.key.name, signed_at=self.authorization.signed_at)

    def prove(self, body_sha256: str) -> None:
        """Returns if the request is signed with the key. Raises: NotAuthentic."""
        check_signature(self.head, self.authorization, self.key.secret, body_sha256)


async def read_claim(store: Store, head: Head, services: tuple[str, ...], now: Instant) -> Claim:
    """The claim, before anything is read of the body. A revoked key is as unknown as one that never was.

    Raises:
        NotAuthentic: nobody is named, the key is not known, or the signature is too old.
    """
    authorization = read_authorization(head, services)
    check_freshness(authorization, now)
    key = await store.get(AccessKey, INSTALLATION, authorization.credential.access_key_id)
    if key is None or key.revoked_at is not None:
        raise NotAuthentic(Fault.UNKNOWN_KEY, _UNKNOWN_KEY)
    return Claim(head=head, authorization=authorization, key=key)


def unsigned_caller(fields: Mapping[str, str]) -> Caller | None:
    """For whom an unsigned request acts, or None where the request must be signed.

    SNS takes two actions without a signature, since people follow them as links: the token, or the subscription's
    unguessable name, is the proof. The account is the ARN's.
    """
    if fields.get("Action") not in _UNSIGNED_ACTIONS:
        return None
    parts = (fields.get("TopicArn") or fields.get("SubscriptionArn") or "").split(":")
    return Caller(account=parts[4] if len(parts) > 5 else "")
