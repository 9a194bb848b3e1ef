"""What only the AWS account knows, asked with the operator's credentials: each answer joins the ledger as evidence."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from waybill.explain.amazon_commands import GET_ACCOUNT, GET_IDENTITY, GET_INSIGHTS, GET_SUPPRESSED, aws
from waybill.explain.words import clock
from waybill.model.amazon import AmazonAsked, AmazonReported
from waybill.model.clock import SECOND, Instant
from waybill.model.event import EventKind, NewEvent
from waybill.model.message import Delivery, Message, Status
from waybill.store.elsewhere import Reported
from waybill.store.protocol import Ledger
from waybill.watch.aws import Ask, NotAsked, names

MOST_RECIPIENTS = 10
"""Of how many recipients of one message the suppression entry is asked for; SES answers about one question a second."""

_NOT_FOUND = frozenset({"NotFoundException", "NotFound"})


@dataclass(frozen=True, kw_only=True, slots=True)
class _Question:
    api: str
    command: str
    ask: Callable[[], tuple[str, dict[str, str]]]
    recipient: str | None = None


def region_of(ledger: Ledger) -> str | None:
    """The AWS region that the message's reports name."""
    regions = (event.fact.region for event in ledger.events if isinstance(event.fact, AmazonReported))
    return next((region for region in regions if region), None)


def ask_about(ledger: Ledger, ask: Ask, at: Instant) -> Reported:
    """The questions' answers about a message that Amazon SES sent, for the store to take in. Blocks.

    A question that could not be asked is an event, too: then it says why. Of another AWS account nothing is asked.
    """
    wrong = _wrong_account(ledger.message, ask)
    events = [_answer(question, wrong, at) for question in _questions(ledger, ask)]
    return Reported(message=ledger.message, events=tuple(events))


def _wrong_account(message: Message, ask: Ask) -> str | None:
    """Why these credentials cannot tell of this message, if they cannot."""
    try:
        account = str(ask("sts", "get_caller_identity").get("Account", ""))
    except NotAsked as error:
        return str(error)
    if message.account.isdigit() and account != message.account:
        return f"the AWS credentials are those of account {account}, and the message is of {message.account}"
    return None


def _answer(question: _Question, wrong: str | None, at: Instant) -> NewEvent:
    text, failed = "", wrong
    found: dict[str, str] = {}
    if failed is None:
        try:
            text, found = question.ask()
        except NotAsked as error:
            failed = str(error)
    fact = AmazonAsked(api=question.api, command=question.command, text=text, found=found, failed=failed)
    return NewEvent(kind=EventKind.AMAZON_ASKED, at=at, fact=fact, recipient=question.recipient)


def _questions(ledger: Ledger, ask: Ask) -> Iterator[_Question]:
    message, region = ledger.message, region_of(ledger)
    for delivery in _in_question(ledger)[:MOST_RECIPIENTS]:
        yield _about_list(delivery, ask, region)
    yield _Question(
        api=GET_ACCOUNT,
        command=aws("get-account", region=region),
        ask=lambda: _account(ask("sesv2", "get_account")),
    )
    identity = message.identity or message.sender.rpartition("@")[2]
    if identity:
        yield _Question(
            api=GET_IDENTITY,
            command=aws("get-email-identity", region=region, options={"email-identity": identity}),
            ask=lambda: _identity(identity, ask),
        )
    yield _Question(
        api=GET_INSIGHTS,
        command=aws("get-message-insights", region=region, options={"message-id": message.id}),
        ask=lambda: _insights(ask("sesv2", "get_message_insights", MessageId=message.id)),
    )


def _in_question(ledger: Ledger) -> list[Delivery]:
    """Recipients that may be listed: not those who have the message."""
    return [one for one in ledger.deliveries if one.status not in {Status.DELIVERED, Status.RENDERING_FAILED}]


def _about_list(delivery: Delivery, ask: Ask, region: str | None) -> _Question:
    address = delivery.recipient
    return _Question(
        api=GET_SUPPRESSED,
        command=aws("get-suppressed-destination", region=region, options={"email-address": address}),
        ask=lambda: _entry(address, ask),
        recipient=address,
    )


def _entry(address: str, ask: Ask) -> tuple[str, dict[str, str]]:
    try:
        entry = ask("sesv2", "get_suppressed_destination", EmailAddress=address).get("SuppressedDestination", {})
    except NotAsked as error:
        if error.code in _NOT_FOUND:
            return f"no entry for {address} on the account's suppression list", {}
        raise
    reason = str(entry.get("Reason", "not given"))
    attributes = entry.get("Attributes") or {}
    by = f" by message {attributes['MessageId']}" if attributes.get("MessageId") else ""
    added = _when(entry.get("LastUpdateTime"))
    found = {"reason": reason, **({"message_id": str(attributes["MessageId"])} if by else {})}
    return f"list entry: reason {reason}, added{f' {added}' if added else ''}{by}", found


def _when(value: object) -> str:
    return clock(round(value.timestamp() * SECOND)) if isinstance(value, datetime) else ""


def _account(answer: dict[str, Any]) -> tuple[str, dict[str, str]]:
    quota = answer.get("SendQuota") or {}
    status = str(answer.get("EnforcementStatus", "not given"))
    enabled, production = bool(answer.get("SendingEnabled")), bool(answer.get("ProductionAccessEnabled"))
    reasons = (answer.get("SuppressionAttributes") or {}).get("SuppressedReasons") or ()
    text = (
        f"sending is {'enabled' if enabled else 'switched OFF'}; status {status}; "
        f"{'production access' if production else 'in the SANDBOX: only verified recipients, 200 a day'}; "
        f"{quota.get('SentLast24Hours', 0):,.0f} of {quota.get('Max24HourSend', 0):,.0f} recipients in 24 hours, "
        f"{quota.get('MaxSendRate', 0):g} a second; account-level suppression for {names(reasons)}"
    )
    return text, {"enabled": str(enabled), "status": status, "production": str(production)}


def _identity(name: str, ask: Ask) -> tuple[str, dict[str, str]]:
    try:
        answer = ask("sesv2", "get_email_identity", EmailIdentity=name)
    except NotAsked as error:
        if error.code in _NOT_FOUND:
            return f"the account has no identity {name} in this region", {}
        raise
    dkim, mail_from = answer.get("DkimAttributes") or {}, answer.get("MailFromAttributes") or {}
    verified = bool(answer.get("VerifiedForSendingStatus"))
    domain = mail_from.get("MailFromDomain")
    own = f"MAIL FROM {domain} {mail_from.get('MailFromDomainStatus')}" if domain else "no MAIL FROM domain of its own"
    signing = "on" if dkim.get("SigningEnabled") else "off"
    text = (
        f"{name} is {'verified' if verified else 'NOT verified'}; DKIM {dkim.get('Status')}, signing {signing}; {own}"
    )
    return text, {"verified": str(verified), "dkim": str(dkim.get("Status")), "mail_from": str(domain)}


def _insights(answer: dict[str, Any]) -> tuple[str, dict[str, str]]:
    told = []
    for insight in answer.get("Insights") or ():
        events = ", ".join(
            f"{one.get('Type')} {_when(one.get('Timestamp'))}".rstrip() for one in insight.get("Events") or ()
        )
        isp = f" ({insight['Isp']})" if insight.get("Isp") else ""
        told.append(f"{insight.get('Destination')}{isp}: {events or 'no event'}")
    return "; ".join(told) or "SES has no insight into this message", {}
