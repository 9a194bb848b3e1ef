"""What SPF, DKIM and DMARC looked like when mail went out: looked at by the product over zones of a dictionary."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.explain.life import ACCOUNT, SOURCE_IP, START, Life, message
from tests.explain.stories_receiver import REPLIES
from tests.mail.zones import Zones
from waybill.mail.dkim import dns_record
from waybill.model.authentication import AuthenticationSeen, Sending, SignatureBroken
from waybill.model.clock import DAY, HOUR, MINUTE, SECOND, Instant
from waybill.model.event import EventKind
from waybill.model.outcome import Stage
from waybill.model.resource import DkimKey
from waybill.standing.authentication import look, sending_id

MESSAGE = Stage.MESSAGE
PUBLIC = (
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDMHqcRt7KDW6zRO5VaTWtABkdMGF6SK258R7mBZjvbpO/T/0diQ/uMX9gVUcY4C0RPoYE5LK"
    "/UxCzozdcFQjOpn8Bp30CFxDSGW1MueR/s98EoZM+uZurDEESmnescuqXi22RjAjsp5mUooXirxmPeTs6s0PJih/H7JJ59ukjmrQIDAQAB"
)
OTHER_PUBLIC = (
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCmpMUHqn+0y8znQ2PGHxVJS8cgilaX26AglP8/llLqtIUXVn1JbJZ29WsR6o2EXGl3R0Jjj8"
    "luuHPHK2b/VGXekpFAv1BYtMpj6EvFimhg8GmcnEXLtl2WCCaYmDrN7x3vkVaaKgPX6TpP1QqTnY/Htar8ckDbvPI+3lD88s3WJwIDAQAB"
)
KEY = DkimKey(selector="waybill1", algorithm="rsa", private_pem="", public=PUBLIC, created_at=START - 90 * DAY)
KEY_NAME = "waybill1._domainkey.shop.example"
REJECT = {"_dmarc.shop.example": "v=DMARC1; p=reject; rua=mailto:dmarc@shop.example"}
PUBLISHED = {KEY_NAME: dns_record("rsa", PUBLIC)}
SPF = {"bounce.shop.example": f"v=spf1 ip4:{SOURCE_IP} -all"}
SPF_OF_MAILER = {"bounce.mailer.example": "v=spf1 ip4:198.51.100.0/24 -all"}


def sending(**changes: Any) -> Sending:
    """The mail of tests.explain.life."""
    fields: dict[str, Any] = {
        "account": ACCOUNT,
        "from_domain": "shop.example",
        "mail_from_domain": "bounce.shop.example",
        "helo": "mail.shop.example",
        "source_ip": SOURCE_IP,
        "signatures": (("shop.example", "waybill1"),),
    }
    return Sending(**fields | changes)


def seen(
    what: Sending, *zones: Mapping[str, str], since: Instant = START + SECOND, until: Instant | None = None
) -> AuthenticationSeen:
    """What is seen of it with these TXT records."""
    records: dict[str, dict[str, Sequence[str]]] = {}
    for zone in zones:
        records |= {name: {"TXT": (text,)} for name, text in zone.items()}

    async def find_key(account: str, domain: str, selector: str) -> DkimKey | None:
        return KEY if (account, domain, selector) == (ACCOUNT, "shop.example", KEY.selector) else None

    found = asyncio.run(look(what, Zones(records), find_key))
    return AuthenticationSeen(
        sending_id=sending_id(what), authentication=found, first_seen=since, last_seen=until or since
    )


def refused(
    *all_seen: AuthenticationSeen, what: Sending, reply: str = REPLIES["auth_failed"][0], **changes: Any
) -> Life:
    """A receiver refuses it for its authentication."""
    attempt: dict[str, Any] = {
        "authentication": sending_id(what),
        "signature_intact": True if what.signatures else None,
    }
    life = Life(authentications=all_seen, message=message(mail_from=what.mail_from_domain))
    return life.answered(reply, MESSAGE, **attempt | changes)


def _key_not_published() -> Life:
    what = sending(mail_from_domain="bounce.mailer.example")
    earlier = seen(what, REJECT, SPF_OF_MAILER, PUBLISHED, since=START - 30 * DAY, until=START - 4 * DAY)
    return refused(seen(what, REJECT, SPF_OF_MAILER), earlier, what=what)


def _key_published_since() -> Life:
    life = _key_not_published()
    what = sending(mail_from_domain="bounce.mailer.example")
    settled = seen(what, REJECT, SPF_OF_MAILER, PUBLISHED, since=START + HOUR)
    life.authentications = (settled, *life.authentications)
    return life.wait(2 * HOUR)


def _another_key() -> Life:
    what = sending(mail_from_domain="bounce.mailer.example")
    other = {KEY_NAME: dns_record("rsa", OTHER_PUBLIC)}
    return refused(seen(what, REJECT, SPF_OF_MAILER, other), what=what)


def _spf_fails() -> Life:
    what = sending(signatures=())
    old = {"bounce.shop.example": "v=spf1 ip4:203.0.113.7 include:_spf.mailer.example -all"}
    mailer = {"_spf.mailer.example": "v=spf1 ip4:192.0.2.0/24 ~all"}
    was = seen(what, {"_dmarc.shop.example": "v=DMARC1; p=none"}, SPF, since=START - 9 * DAY, until=START - DAY)
    return refused(seen(what, REJECT, old, mailer), was, what=what, signed_by=())


def _spf_broken() -> Life:
    what = sending()
    broken = {"bounce.shop.example": "v=spf1 a:198.51.100.4 -all"}
    reply = "550 5.7.23 The message was rejected: SPF check failed for bounce.shop.example"
    return refused(seen(what, REJECT, PUBLISHED, broken), what=what, reply=reply)


def _no_spf_unsigned() -> Life:
    what = sending(signatures=())
    return refused(seen(what), what=what, signed_by=(), reply=(
        "550-5.7.26 This mail has been blocked because the sender is unauthenticated.\n"
        "550-5.7.26 Gmail requires all senders to authenticate with either SPF or DKIM.\n"
        "550 5.7.26 SPF [bounce.shop.example] with ip: [198.51.100.4] = did not pass"
    ))  # fmt: skip


def _nothing_aligned() -> Life:
    what = sending(mail_from_domain="bounce.mailer.example", signatures=(("mailer.example", "m1"),))
    key = {"m1._domainkey.mailer.example": dns_record("rsa", PUBLIC)}
    strict = {"_dmarc.shop.example": "v=DMARC1; p=quarantine; adkim=s; aspf=s"}
    return refused(seen(what, strict, SPF_OF_MAILER, key), what=what, signed_by=("mailer.example",))


def _all_passes_here() -> Life:
    what = sending()
    return refused(seen(what, REJECT, SPF, PUBLISHED), what=what)


def _by_relay() -> Life:
    what = sending(via="relay.mailer.example")
    return refused(
        seen(what, REJECT),
        what=what,
        reply="550 5.7.1 SPF (203.0.113.44) and DKIM checks failed; rejected by DMARC policy of shop.example",
    )


def _signature_broken() -> Life:
    what = sending(mail_from_domain="bounce.mailer.example")
    life = refused(seen(what, REJECT, SPF_OF_MAILER, PUBLISHED), what=what, signature_intact=False)
    reason = "the body hash differs: the body was changed after signing"
    fact = SignatureBroken(number=1, domain="shop.example", selector="waybill1", reason=reason)
    life._write(EventKind.SIGNATURE_BROKEN, fact, about=life.recipient)
    return life


def taken(what: Sending, *zones: Mapping[str, str]) -> Life:
    """A server takes it."""
    life = Life(authentications=(seen(what, *zones, until=START + 5 * MINUTE),))
    signed_by = tuple(domain for domain, _ in what.signatures)
    took = "250 2.0.0 Ok: queued as 4F5XkQ"
    return life.answered(took, MESSAGE, authentication=sending_id(what), signed_by=signed_by).wait(26 * HOUR)


def _unnamed(*zones: Mapping[str, str]) -> Life:
    """A policy that the receiver does not name."""
    what = sending(mail_from_domain="bounce.mailer.example")
    return refused(
        seen(what, REJECT, SPF_OF_MAILER, *zones), what=what, reply="554 5.7.1 Message rejected due to local policy"
    )


def _expired() -> Life:
    """A receiver that puts it off for as long as it fails."""
    what = sending(signatures=())
    reply = "421 4.7.26 This mail has been rate limited because it is unauthenticated. SPF and DKIM did not pass."
    return refused(seen(what, REJECT), what=what, reply=reply, signed_by=()).expired()


LIVES: dict[str, Callable[[], Life]] = {
    "auth_failed-key-not-published": _key_not_published,
    "auth_failed-key-published-since": _key_published_since,
    "auth_failed-another-key": _another_key,
    "auth_failed-spf-fails": _spf_fails,
    "auth_failed-spf-broken": _spf_broken,
    "auth_failed-no-spf-unsigned": _no_spf_unsigned,
    "auth_failed-nothing-aligned": _nothing_aligned,
    "auth_failed-all-passes-here": _all_passes_here,
    "auth_failed-by-relay": _by_relay,
    "auth_failed-signature-broken": _signature_broken,
    "policy_rejected-dmarc-fails": _unnamed,
    "policy_rejected-dmarc-passes": lambda: _unnamed(PUBLISHED),
    "delivery_expired-unauthenticated": _expired,
    "accepted_by_receiver-authenticated": lambda: taken(sending(), REJECT, SPF, PUBLISHED),
    "accepted_by_receiver-authenticated-without-policy": lambda: taken(sending(), SPF, PUBLISHED),
    "accepted_by_receiver-dmarc-fails": lambda: taken(
        sending(mail_from_domain="bounce.mailer.example", signatures=()), REJECT, SPF_OF_MAILER
    ),
}
