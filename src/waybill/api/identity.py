"""Identities, as v1 and v2 share them: naming, creating, finding, changing and looking at their verification."""

import asyncio
import contextlib
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from waybill.api.call import Call
from waybill.api.configuration_set import find_configuration_set
from waybill.api.dkim_key import generate_key
from waybill.api.ses_error import SesError, invalid
from waybill.mail.address import AddressError, domain_of, parse_mailbox
from waybill.model.clock import SECOND, Instant
from waybill.model.resource import DkimKey, Identity, Verification
from waybill.standing.verification import is_settled
from waybill.store.protocol import AlreadyExists, NotFound

_LOOK_AGAIN = 5 * SECOND
"""Calls that poll the verification make at most one look at the DNS in this time."""

_NOT_IN_DOMAIN = re.compile(r"""[\s"(),:;<>@\[\]\\]""")


@dataclass(frozen=True, kw_only=True, slots=True)
class NewIdentity:
    """An identity to be created. ``key`` None: a domain gets a generated one."""

    name: str
    key: DkimKey | None = None
    tags: tuple[tuple[str, str], ...] = ()
    configuration_set: str | None = None


def identity_name(given: str) -> str:
    """An identity's name in its one form: an address with its domain, or a domain, in lower-case A-labels.

    Raises:
        SesError: it is neither.
    """
    if "@" in given:
        try:
            return parse_mailbox(given).address
        except AddressError as error:
            raise invalid(f"Invalid email address {given!r}: {error}") from None
    domain = domain_name(given)
    if domain is None:
        raise invalid(f"Invalid domain name {given!r}: write it like example.com.")
    return domain


def domain_name(given: str) -> str | None:
    """The domain in lower-case A-labels, or None if it is none that can send mail."""
    name = given.removesuffix(".")
    # a top-level domain is not all digits (RFC 3696 §2): 192.0.2.7 is an address
    if "." not in name or _NOT_IN_DOMAIN.search(name) or name.rpartition(".")[2].isdigit():
        return None
    try:
        return domain_of(f"postmaster@{name}")
    except AddressError:
        return None


async def create_identity(call: Call, new: NewIdentity) -> Identity:
    """Stores a new identity and has it looked at for the first time.

    Raises:
        SesError: it exists, or its configuration set does not.
    """
    if await call.service.store.get(Identity, call.account, new.name):
        raise _exists(new.name)
    if new.configuration_set:
        await find_configuration_set(call, new.configuration_set)
    record = await _record(call, new)
    try:
        await call.service.store.create(record)
    except AlreadyExists:
        raise _exists(new.name) from None
    await look_at(call, new.name)
    return await call.service.store.get(Identity, call.account, new.name) or record


def new_identity(account: str, name: str, at: Instant) -> Identity:
    """An identity that nothing is known of yet, with a fresh token; a domain still needs its DKIM key."""
    record = Identity(account=account, name=name, created_at=at, token=secrets.token_urlsafe(32))
    if record.is_domain:
        return record
    # Mail from an address is signed by its domain's identity.
    return replace(record, dkim_enabled=False, dkim_verification=Verification.NOT_STARTED)


async def _record(call: Call, new: NewIdentity) -> Identity:
    now = call.service.clock()
    record = replace(
        new_identity(call.account, new.name, now),
        dkim_origin="EXTERNAL" if new.key else "AWS_SES",
        tags=new.tags,
        configuration_set=new.configuration_set,
    )
    if call.service.every_sender:
        record = replace(
            record,
            verification=Verification.SUCCESS,
            verified_at=now,
            vouched_by="settings:identities.verification",
        )
    return replace(record, dkim_keys=(new.key or await generate_key(now),)) if record.is_domain else record


async def find_identity(call: Call, given: str) -> Identity:
    """The account's identity. Raises: SesError if there is none of this name."""
    name = _existing_name(given)
    record = await call.service.store.get(Identity, call.account, name)
    if record is None:
        raise missing(name)
    return record


async def change_identity(call: Call, given: str, change: Callable[[Identity], Identity]) -> Identity:
    """The identity after the change. Raises: SesError if there is none, and what ``change`` raises."""
    name = _existing_name(given)
    try:
        return await call.service.store.update(Identity, call.account, name, change)
    except NotFound:
        raise missing(name) from None


async def looked_at(call: Call, record: Identity) -> Identity:
    """The identity after a look at the DNS, where something about it is open and no look was made just now."""
    waits = record.verification is not Verification.SUCCESS or not is_settled(record)
    recent = record.checked_at is not None and call.service.clock() - record.checked_at < _LOOK_AGAIN
    if not waits or recent:
        return record
    await look_at(call, record.name)
    return await call.service.store.get(Identity, call.account, record.name) or record


async def look_at(call: Call, name: str) -> None:
    """Has the identity looked at, but does not wait long: a resolver that is silent must not make the caller wait."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(call.service.longest_look_s):
            await call.service.verify_identity(call.account, name)


async def dkim_identity(call: Call, record: Identity) -> Identity | None:
    """The identity whose DKIM keys sign mail of this one: itself, or for an address its domain, where that exists."""
    if record.is_domain:
        return record
    return await call.service.store.get(Identity, call.account, record.name.rpartition("@")[2])


async def set_mail_from(call: Call, given: str, domain: str | None, *, required: bool) -> None:
    """Sets (or with None ends) the custom MAIL FROM domain. Raises: SesError if it is no sub-domain of the identity's."""
    record = await find_identity(call, given)
    mail_from = None
    if domain:
        own = record.name.rpartition("@")[2]
        mail_from = domain_name(domain)
        if mail_from is None or not mail_from.endswith(f".{own}"):
            raise invalid(
                f"Provided MAIL-FROM domain <{domain}> is not subdomain of the domain of the identity <{record.name}>."
            )

    def change(old: Identity) -> Identity:
        same = old.mail_from_domain == mail_from
        return replace(
            old,
            mail_from_domain=mail_from,
            mail_from_required=required,
            mail_from_verification=old.mail_from_verification if same else Verification.PENDING,
        )

    await change_identity(call, record.name, change)
    if mail_from:
        await look_at(call, record.name)


def _existing_name(given: str) -> str:
    """Raises: SesError: what cannot name an identity names none."""
    try:
        return identity_name(given)
    except SesError:
        raise missing(given) from None


def _exists(name: str) -> SesError:
    return SesError(f"Email identity {name} already exist.", v2="AlreadyExistsException", v1="AlreadyExists")


def missing(name: str) -> SesError:
    """The error for an identity that does not exist."""
    return SesError(f"Email identity {name} does not exist.", v2="NotFoundException", v1="InvalidParameterValue")
