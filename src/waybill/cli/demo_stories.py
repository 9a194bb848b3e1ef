"""The messages that the demo sends, and what is expected to become of each."""

from dataclasses import dataclass, field
from typing import Any

from waybill.lab.simulated import SIMULATED
from waybill.model.cause import Cause
from waybill.model.message import Status

SENDER = "Waybill Demo <orders@shop.example>"
TEMPLATE = "order-shipped"
LISTED = "left-long-ago@customer.example"
BARRED = "never@customer.example"
SUCCESS = "success+demo-2@simulator.amazonses.com"
PAUSED_SET = "paused"
SHORT_SET = "short-lived"

EICAR = "X5O!P%@AP[4\\PZX54(P^)7CC)7}" + "$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"

TEMPLATES = {
    TEMPLATE: ("Order {{display_name}}", "Your order {{order.id}} has shipped."),
    "broken": ("Hello", "{{#each items}}{{name}}"),
    "endless": (
        "Hello",
        "{{#each a}}{{#each @root.a}}{{#each @root.a}}{{#each @root.a}}x{{/each}}{{/each}}{{/each}}{{/each}}",
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Story:
    """One message: how it is sent, and the causes that may be its end. ``error``: the request itself is refused."""

    what: str
    recipient: str
    causes: frozenset[Cause]
    content: dict[str, Any] | None = None
    configuration_set: str | None = None
    over_smtp: bool = False
    error: bool = False
    statuses: frozenset[Status] = field(default=frozenset())


_WAITS = frozenset({Cause.GREYLISTED, Cause.SERVER_UNAVAILABLE})
_FROM_SIMULATOR = (
    *(
        "success",
        "bounce",
        "complaint",
        "ooto",
        "suppressionlist",
        "disabled",
        "moved",
        "full",
        "toolarge",
        "attachment",
    ),
    *("policy", "restricted", "sender", "relay", "loop", "serverfull", "disconnect", "undetermined", "later-bounce"),
    *("spam", "blocklisted", "domainblocklisted", "reputation", "dmarc", "ptr", "greylist", "ratelimited"),
    *("recipientrate", "slow"),
)
_DOMAINS = ("nodomain.", "nullmx.", "dnsfail.", "unreachable.")


def _simple(text: str) -> dict[str, Any]:
    return {"Simple": {"Subject": {"Data": "Your order has shipped"}, "Body": {"Text": {"Data": text}}}}


def _template(name: str, data: str) -> dict[str, Any]:
    return {"Template": {"TemplateName": name, "TemplateData": data}}


def _simulated() -> list[Story]:
    stories: list[Story] = []
    for entry in SIMULATED:
        by_domain = entry.domain.startswith(_DOMAINS)
        if entry.local not in _FROM_SIMULATOR and not by_domain:
            continue
        causes = {entry.cause}
        if entry.cause in _WAITS:
            causes = {Cause.ACCEPTED_BY_RECEIVER}
        final = frozenset({Status.DELIVERED}) if entry.cause in _WAITS else frozenset[Status]()
        stories.append(
            Story(
                what=entry.text.rstrip("."),
                recipient=entry.address if by_domain else f"{entry.local}+demo@{entry.domain}",
                causes=frozenset(causes),
                content=_simple("Thank you for your order. It left our warehouse today."),
                over_smtp=len(stories) % 4 == 3 and entry.cause is not Cause.SUPPRESSED_GLOBAL,
                statuses=final,
            )
        )
    return stories


def _template_failures() -> tuple[Story, ...]:
    loop = '{"a": [' + ",".join("1" * 60) + "]}"
    return (
        Story(
            what="A template variable is missing from the data",
            recipient=SUCCESS,
            content=_template(TEMPLATE, '{"display-name": "Ada", "order": {"id": 7}}'),
            causes=frozenset({Cause.TEMPLATE_VARIABLE_MISSING}),
        ),
        Story(
            what="The template data is not JSON",
            recipient=SUCCESS,
            content=_template(TEMPLATE, '{"display_name": '),
            causes=frozenset({Cause.TEMPLATE_DATA_INVALID}),
        ),
        Story(
            what="The template loops too much",
            recipient=SUCCESS,
            content=_template("endless", loop),
            causes=frozenset({Cause.TEMPLATE_LIMIT_EXCEEDED}),
        ),
        Story(
            what="The template cannot be parsed",
            recipient=SUCCESS,
            content=_template("broken", "{}"),
            causes=frozenset({Cause.TEMPLATE_SYNTAX_ERROR}),
        ),
    )


def stories() -> tuple[Story, ...]:
    """All of them, in the order of the table."""
    return (
        *_template_failures(),
        Story(
            what="The address is on the account's suppression list",
            recipient=LISTED,
            content=_simple("Hello again."),
            causes=frozenset({Cause.SUPPRESSED_ACCOUNT}),
        ),
        Story(
            what="The operator has barred the address for everybody",
            recipient=BARRED,
            content=_simple("Hello again."),
            causes=frozenset({Cause.SUPPRESSED_GLOBAL}),
        ),
        Story(
            what="The message carries the EICAR test virus",
            recipient=SUCCESS,
            content=_simple(EICAR),
            causes=frozenset({Cause.VIRUS_DETECTED}),
        ),
        Story(
            what="Sending is paused for the configuration set",
            recipient=SUCCESS,
            content=_simple("Hello."),
            configuration_set=PAUSED_SET,
            causes=frozenset({Cause.SENDING_PAUSED}),
            error=True,
        ),
        Story(
            what="The receiver is never ready, and time runs out",
            recipient="expired+demo@simulator.amazonses.com",
            content=_simple("Hello."),
            configuration_set=SHORT_SET,
            causes=frozenset({Cause.DELIVERY_EXPIRED}),
        ),
        *_simulated(),
    )
