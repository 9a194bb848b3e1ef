"""What a story is: how its message is sent, where it ends, and what the explanation must say."""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.stories.acts import ACTS
from waybill.lab.script import AfterEffect, Rule
from waybill.model.cause import CATALOGUE, Cause
from waybill.model.outcome import Stage

if TYPE_CHECKING:
    from tests.stories.world import World

RECEIVERS = Path(__file__).with_name("receivers.toml")
OPEN, STRICT, CUT_OFF, LOST, DISOWNED = "open", "strict", "cut-off", "lost", "disowned"
"""The services: one takes every sender, one verified identities only, one has lost its address, one its machine an hour ago, and one has a
provider that disowns its own mailboxes."""
ASKED = ("cause", "underlying_cause", "branch", "scope", "responder", "permanent", "remedy", "act", "suppressed")


@dataclass(frozen=True, kw_only=True)
class Story:
    """One story. ``send`` starts it and returns the key to ask by; ``then`` is done once the message has met the receiver.

    ``expected`` holds what an expert answers, by the words of ``ASKED``; what is not in it is not asked. ``accepts_first``: the
    receiver takes the first message to each recipient, whatever its rule says.
    """

    name: str
    send: Callable[["World", str], str]
    status: str
    expected: dict[str, Any]
    recipient: str
    then: Callable[["World", str], None] | None = None
    rule: Rule | None = None
    accepts_first: bool = False
    mx: str | None = None
    where: str = OPEN
    zone: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = set(self.expected) - set(ASKED)
        assert not unknown, f"{self.name}: {unknown}"
        who, act = ACTS[Cause(self.expected["cause"])]
        self.expected.setdefault("remedy", who)
        self.expected.setdefault("act", act)


def receiver_stories() -> list[Story]:
    """The stories of ``receivers.toml``, each with a domain of its own."""
    table = tomllib.loads(RECEIVERS.read_text("utf-8"))["story"]
    return [_receiver_story(number, entry) for number, entry in enumerate(table, 1)]


def _receiver_story(number: int, entry: dict[str, Any]) -> Story:
    domain = f"receiver{number}.example"
    recipient = f"ada@{domain}"
    expected = dict(entry["is"])
    cause = Cause(expected["cause"])
    expected.setdefault("branch", CATALOGUE[cause].branch.value)
    rule = Rule(
        stage=Stage(entry.get("at", "rcpt")),
        recipient=recipient if entry.get("at") not in {"greeting", "mail"} else "*",
        reply=entry.get("says", "").replace("{recipient}", recipient).strip(),
        times=entry.get("times"),
        disconnect=entry.get("disconnect", False),
        after=AfterEffect(entry["after"]) if "after" in entry else None,
    )
    return Story(
        name=entry["name"],
        send=lambda world, to: world.service.send(to),
        status=entry.get("status", "bounced"),
        expected=expected,
        recipient=recipient,
        rule=rule,
        mx=entry.get("mx", f"mx.{domain}"),
    )
