"""Which identity lets a sender send."""

from waybill.accept.content import Draft
from waybill.accept.request import SendRequest
from waybill.mail.address import (
    MAX_ADDRESS,
    AddressError,
    canonical,
    domain_of,
    enclosing_domains,
    parse_mailbox,
    parse_mailbox_list,
)
from waybill.model.cause import Cause
from waybill.model.record import record
from waybill.model.refusal import Rejected
from waybill.model.resource import Identity, Verification
from waybill.store.protocol import Store

_LONGEST_SHOWN = 400  # of the addresses; an SMTP reply line has 512 octets (RFC 5321 §4.5.3.1.5)


@record(frozen=True, kw_only=True, slots=True)
class Senders:
    """The From address and the identity that stands for it (None where every sender is accepted and none is kept)."""

    address: str
    identity: Identity | None


def not_verified(failing: list[str], region: str) -> Rejected:
    """SES's refusal: region in upper case, the addresses as they were passed, cut with ``...``."""
    shown = ", ".join(dict.fromkeys(failing))
    if len(shown) > _LONGEST_SHOWN:
        shown = f"{shown[:_LONGEST_SHOWN]}..."
    text = (
        f"Email address is not verified. The following identities failed the check in region {region.upper()}: {shown}"
    )
    return Rejected(
        text,
        code="MessageRejected",
        cause=Cause.IDENTITY_NOT_VERIFIED,
        smtp=f"554 Message rejected: {text}",
        detail={"identities": shown},
    )


async def find_identity(store: Store, account: str, address: str) -> Identity | None:
    """The identity of an address: the address itself, else its domain, else a parent domain; a verified one first.

    The most granular verified identity's settings win (SES developer guide, creating identities).
    """
    names = (canonical(address), *enclosing_domains(domain_of(address)))
    unverified: Identity | None = None
    for name in names:
        identity = await store.get(Identity, account, name)
        if identity is not None and identity.verification is Verification.SUCCESS:
            return identity
        unverified = unverified or identity
    return unverified


async def check_senders(
    request: SendRequest, draft: Draft, store: Store, *, every_sender: bool, region: str
) -> Senders:
    """The sender and its identity, after every address that the message claims as its sender has passed the check.

    Those are From (each of its mailboxes), Sender, the envelope's sender and the return path (SES developer guide,
    "Verified identities").

    Raises:
        Rejected: an address that is not valid in form, or (the message lists all) not verified.
    """
    claimed = _claimed_senders(request, draft)
    found = {address: await find_identity(store, request.client.account, address) for address in claimed}
    failing = [
        claimed[address]
        for address, identity in found.items()
        if identity is None or identity.verification is not Verification.SUCCESS
    ]
    if failing and not every_sender:
        raise not_verified(failing, region)
    first, identity = next(iter(found.items()))
    if identity and identity.mail_from_required and identity.mail_from_verification is not Verification.SUCCESS:
        raise Rejected(
            "Mail FROM domain is not verified",
            code="MailFromDomainNotVerifiedException",
            cause=Cause.MAIL_FROM_NOT_VERIFIED,
            detail={"identity": identity.name, "mail_from_domain": identity.mail_from_domain or ""},
        )
    return Senders(address=first, identity=identity)


def check_sender_form(request: SendRequest) -> None:
    """Raises: Rejected, where the sender that the request names is no address."""
    if request.sender:
        _mailboxes("From", request.sender)


def _claimed_senders(request: SendRequest, draft: Draft) -> dict[str, str]:
    """Each address claimed, with the text it was claimed by, in the order that SES lists them; From's first comes first."""
    claimed = dict.fromkeys(_mailboxes("From", draft.from_header), draft.from_header)
    if not claimed:
        raise _bad_sender("From", draft.from_header, "Missing final '@domain'")
    for field, text in (
        ("Sender", draft.sender_header),
        ("Source", request.sender),
        ("ReturnPath", request.return_path),
        ("Return-Path", draft.return_path),
    ):
        if text and text.strip() != "<>":
            for address in _mailboxes(field, text):
                claimed.setdefault(address, text)
    return claimed


def _mailboxes(field: str, text: str) -> list[str]:
    try:
        return [parse_mailbox(text).address]
    except AddressError as error:
        try:
            return [mailbox.address for mailbox in parse_mailbox_list(text)]
        except AddressError:
            raise _bad_sender(field, text, str(error)) from None


def _bad_sender(field: str, text: str, fault: str) -> Rejected:
    return Rejected(
        fault,
        code="BadRequestException",
        code_v1="InvalidParameterValue",
        cause=Cause.SENDER_INVALID,
        smtp=f"553 <{text[:MAX_ADDRESS]}> Invalid email address",
        detail={"field": field, "address": text},
    )
