"""Commands of the AWS CLI that act on, or show, what Amazon SES alone knows; each works as printed."""

import shlex

from waybill.explain.case import Case
from waybill.explain.commands import command
from waybill.explain.record import Evidence, Remedy, Who
from waybill.explain.words import quoted
from waybill.model.amazon import AmazonAsked, AmazonReported
from waybill.model.cause import Cause
from waybill.model.simulator import is_simulated

GET_ACCOUNT = "GetAccount"
GET_SUPPRESSED = "GetSuppressedDestination"
GET_IDENTITY = "GetEmailIdentity"
GET_INSIGHTS = "GetMessageInsights"

NOT_ASKED = "not asked"

SHOWS = {
    GET_ACCOUNT: "the account's sending status and quota",
    GET_SUPPRESSED: "the entry on the account's suppression list, if there is one",
    GET_IDENTITY: "the identity's verification, DKIM and MAIL FROM",
    GET_INSIGHTS: "what SES's own message insights say",
}
"""What each operation shows, for people."""

_BEAR_ON = {
    Cause.SUPPRESSED_ACCOUNT: (GET_SUPPRESSED, GET_ACCOUNT),
    Cause.SUPPRESSED_GLOBAL: (GET_SUPPRESSED, GET_ACCOUNT),
    Cause.USER_UNKNOWN: (GET_SUPPRESSED,),
    Cause.MAILBOX_DISABLED: (GET_SUPPRESSED,),
    Cause.AUTH_FAILED: (GET_IDENTITY,),
    Cause.SENDER_INVALID: (GET_IDENTITY,),
    Cause.LOW_REPUTATION: (GET_ACCOUNT, GET_IDENTITY),
    Cause.RATE_LIMITED: (GET_ACCOUNT,),
    Cause.IP_BLOCKLISTED: (GET_ACCOUNT,),
    Cause.HELD_BY_WAYBILL: (GET_ACCOUNT,),
    Cause.WAYBILL_INCIDENT: (GET_ACCOUNT,),
    Cause.COMPLAINT: (GET_SUPPRESSED, GET_ACCOUNT),
    Cause.UNDETERMINED: (GET_INSIGHTS,),
    None: (GET_INSIGHTS, GET_ACCOUNT),
}
"""What is worth asking, by cause."""


_NO_ENTRY = frozenset({"OnTenantSuppressionList", "EmailValidationSuppressed"})
"""Suppressions that the account's own list knows nothing of."""


def aws(*words: str, region: str | None, options: dict[str, str] | None = None) -> str:
    """An ``aws sesv2`` command line; a value that begins with ``-`` is bound to its option."""
    given: list[str] = []
    for name, value in (options or {}).items():
        given += [f"--{name}={value}"] if value.startswith("-") else [f"--{name}", value]
    return shlex.join(["aws", "sesv2", *words, *given, *(["--region", region] if region else [])])


def region_of(case: Case) -> str | None:
    """The AWS region that the reports name."""
    named = [event.fact.region for event in case.events if isinstance(event.fact, AmazonReported) and event.fact.region]
    return named[0] if named else None


def look(case: Case, api: str) -> str | None:
    """The command that shows what an operation would; None where what to ask for is not known."""
    region = region_of(case)
    message = case.message
    match api:
        case "GetAccount":
            return aws("get-account", region=region)
        case "GetSuppressedDestination":
            return aws("get-suppressed-destination", region=region, options={"email-address": case.delivery.recipient})
        case "GetEmailIdentity":
            identity = message.identity or message.sender.rpartition("@")[2]
            return aws("get-email-identity", region=region, options={"email-identity": identity}) if identity else None
        case _:
            return aws("get-message-insights", region=region, options={"message-id": message.id})


def worth_asking(case: Case) -> tuple[str, ...]:
    """The operations whose answer bears on the case."""
    wanted: list[str] = []
    for cause in (case.delivery.cause, case.delivery.underlying_cause):
        wanted += _BEAR_ON.get(cause, ()) if cause is not None or case.delivery.cause is None else ()
    elsewhere = any(
        isinstance(event.fact, AmazonReported) and event.fact.sub_type in _NO_ENTRY for event in case.events
    )
    return tuple(api for api in dict.fromkeys(wanted) if not (elsewhere and api == GET_SUPPRESSED))


def asked(case: Case) -> dict[str, tuple[int, int, AmazonAsked]]:
    """The newest answer of each operation: when, the event's number, and what came; one that failed never hides one that did not."""
    newest: dict[str, tuple[int, int, AmazonAsked]] = {}
    for event in case.events:
        fact = event.fact
        if isinstance(fact, AmazonAsked) and not (
            fact.failed is not None and fact.api in newest and newest[fact.api][2].failed is None
        ):
            newest[fact.api] = (event.at, event.id, fact)
    return newest


def _unseen(case: Case) -> list[tuple[str, str, str]]:
    """What bears on the case and was not seen: the operation, why not, and the command that shows it."""
    answers = asked(case)
    found = []
    for api in worth_asking(case):
        answer, shows = answers.get(api), look(case, api)
        if shows is not None and (answer is None or answer[2].failed is not None):
            found.append((api, (answer[2].failed or "") if answer is not None else NOT_ASKED, shows))
    return found


def ask_remedy(case: Case) -> tuple[Remedy, ...]:
    """How Waybill itself asks for what was not seen, where nobody has tried."""
    if is_simulated(case.recipient) or not any(why == NOT_ASKED for _, why, _ in _unseen(case)):
        return ()
    text = "With AWS credentials in the environment, Waybill asks for what was not seen:"
    line = command("explain", argument=case.message.id, options=("--ask-amazon",))
    return (Remedy(who=Who.SENDER, text=text, command=line),)


def asked_evidence(case: Case, shown: frozenset[str] = frozenset()) -> tuple[Evidence, ...]:
    """What the account's own API said; and what bears on the case and was not seen, with the command that shows it, unless ``shown``."""
    answers = asked(case)
    known = [
        Evidence(at=at, kind="amazon_api", source=f"Amazon SES, asked with {api}", text=quoted(fact.text), event=number)
        for api, (at, number, fact) in answers.items()
        if fact.failed is None
    ]
    unseen = [
        Evidence(
            at=case.now,
            kind="not_seen",
            source="Amazon SES",
            text=f"{SHOWS[api]} ({why})" + ("" if line in shown else f"; this shows it:  {line}"),
        )
        for api, why, line in _unseen(case)
        if not is_simulated(case.recipient)
    ]
    return (*known, *unseen)
