"""Who a message is for: the envelope's recipients, checked as SES checks them."""

from collections.abc import Sequence

from waybill.accept.content import Draft
from waybill.accept.identity import find_identity, not_verified
from waybill.accept.request import RawContent, SendRequest
from waybill.mail.address import MAX_ADDRESS, AddressError, parse_mailbox, parse_mailbox_list
from waybill.model.cause import Cause
from waybill.model.refusal import Rejected
from waybill.model.resource import Verification
from waybill.model.simulator import is_simulated
from waybill.store.protocol import Store

MOST_RECIPIENTS = 50

_SHOWN = 1_000  # characters of a faulty address that the ledger keeps

MOST_READ = 1_000
"""Addresses that a request may name, the same one many times included."""


def bad_address(text: str, address: str, field: str) -> Rejected:
    """The refusal of an address that is not valid in form."""
    return Rejected(
        text,
        code="BadRequestException",
        code_v1="InvalidParameterValue",
        cause=Cause.ADDRESS_INVALID,
        smtp=f"553 <{address[:MAX_ADDRESS]}> Invalid email address",
        detail={"field": field, "address": address[:_SHOWN]},
    )


def parse_address(text: str, field: str) -> str:
    """The bare address of a mailbox as a client wrote it. Raises: Rejected with SES's text."""
    try:
        return parse_mailbox(text).address
    except AddressError as error:
        raise bad_address(str(error), text, field) from None


def named_recipients(request: SendRequest) -> list[str]:
    """The bare addresses that the request itself names: SMTP its envelope, the API its destination.

    Raises:
        Rejected: one of them, or of the addresses to reply to, is not valid, or there are absurdly many.
    """
    given = [("RCPT TO", request.envelope or ())]
    given += [("ToAddresses", request.to), ("CcAddresses", request.cc), ("BccAddresses", request.bcc)]
    count = sum(len(texts) for _, texts in given)
    if max(count, len(request.reply_to)) > MOST_READ:
        raise _too_many(count)
    for text in request.reply_to:
        parse_address(text, "ReplyToAddresses")
    return [parse_address(text, field) for field, texts in given for text in texts]


def envelope_of(request: SendRequest, named: Sequence[str], draft: Draft) -> tuple[str, ...]:
    """The bare addresses to deliver to, each once, in the order given; a raw message without any gives its To, Cc and Bcc.

    Raises:
        Rejected: no recipient, more than 50, or an address that is not valid.
    """
    recipients = list(named)
    if not recipients and isinstance(request.content, RawContent):
        for field, value in draft.header_recipients:
            try:
                recipients.extend(mailbox.address for mailbox in parse_mailbox_list(value))
            except AddressError as error:
                raise bad_address(str(error), value, field) from None
    unique = tuple(dict.fromkeys(recipients))
    if not unique:
        raise Rejected(
            "There are no recipients specified",
            code="BadRequestException",
            code_v1="InvalidParameterValue",
            cause=Cause.ADDRESS_INVALID,
            smtp="554 Transaction failed: There are no recipients specified",
        )
    if len(unique) > MOST_RECIPIENTS:
        raise _too_many(len(unique))
    return unique


def _too_many(count: int) -> Rejected:
    return Rejected(
        f"Recipient count exceeds {MOST_RECIPIENTS}.",
        code="BadRequestException",
        code_v1="InvalidParameterValue",
        cause=Cause.TOO_MANY_RECIPIENTS,
        smtp=f"452 Too many recipients: Recipient count exceeds {MOST_RECIPIENTS}.",
        detail={"recipients": str(count)},
    )


async def in_sandbox(recipients: tuple[str, ...], store: Store, account: str, region: str) -> None:
    """Without production access, recipients must be verified identities or the simulator. Raises: Rejected."""
    failing = []
    for recipient in recipients:
        if is_simulated(recipient):
            continue
        identity = await find_identity(store, account, recipient)
        if identity is None or identity.verification is not Verification.SUCCESS:
            failing.append(recipient)
    if failing:
        raise not_verified(failing, region)
