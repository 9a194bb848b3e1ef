"""Every command that an explanation prints works as printed, on a store that holds the story."""

import asyncio
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.explain.life import START, Life
from tests.explain.stories import STORIES
from waybill.cli import cli
from waybill.cli.show import _with_config
from waybill.explain import explain
from waybill.explain.record import Remedy
from waybill.model.cause import Cause
from waybill.model.clock import DAY, HOUR, now
from waybill.model.event import NewEvent
from waybill.model.message import OPEN_STATUSES
from waybill.model.resource import INSTALLATION, Account, ConfigurationSet, Identity, Suspension, Template
from waybill.store.open import open_store
from waybill.store.protocol import Acceptance, NewDelivery

ACTS = (
    *("suppression remove", "account resume", "identities verify", "render", "explain", "events", "status"),
    *("queue release", "queue resume", "queue suspensions", "queue list --site", "standing"),
)


def remedies_of(name: str) -> list[Remedy]:
    life = STORIES[name]()
    told = explain(life.facts(), life.now)
    return [remedy for one in told.recipients for remedy in one.telling.remedies]


def commands_of(name: str) -> list[str]:
    life = STORIES[name]()
    told = explain(life.facts(), life.now).recipients
    perhaps = [one.command for recipient in told for one in recipient.hypotheses if one.command]
    return [remedy.command for remedy in remedies_of(name) if remedy.command] + perhaps


# One story for each set of commands: many stories print the same.
WITH_COMMANDS = sorted({tuple(commands): name for name in sorted(STORIES) if (commands := commands_of(name))}.values())


async def tell_store(url: str, life: Life) -> None:
    """Puts the story, and the resources that it is about, into a new store."""
    store = await open_store(url, clock=now)
    message, delivery = life.message, life.delivery
    is_held = delivery.cause is Cause.HELD_BY_WAYBILL
    new = NewDelivery(
        recipient=delivery.recipient,
        status=delivery.status,
        cause=delivery.cause,
        expires_at=now() + DAY if is_held else delivery.expires_at,
        next_at=now() + HOUR if is_held else None,
    )
    events = tuple(
        NewEvent(kind=event.kind, at=event.at, fact=event.fact, recipient=event.recipient) for event in life.events
    )
    content = b"bytes" if delivery.status in OPEN_STATUSES else None
    await store.accept(Acceptance(message=message, content=content, deliveries=(new,), events=events))
    await store.suppress(life.entries)
    if life.site is not None:
        await store.remember_sites({delivery.domain: life.site})
        await store.put(
            Suspension(account=INSTALLATION, name=life.site, by="operator", reason="they asked us to", at=now())
        )
    account = message.account
    await store.put(Account(account=INSTALLATION, name=account, created_at=START))
    await store.put(ConfigurationSet(account=account, name="news", created_at=START))
    await store.put(Identity(account=account, name="shop.example", created_at=START, token="t"))
    await store.put(
        Template(
            account=account,
            name="order-shipped",
            subject="{{display_name}}" if "display_name" in str(life.events) else "{{order.id}}",
            text="Hello",
            html=None,
            created_at=START,
            updated_at=START,
        )
    )
    await store.close()


@pytest.mark.parametrize("name", WITH_COMMANDS)
def test_commands_work_as_printed(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None is a usage error, and those that act on what is there do so. Nobody answers the questions to the DNS."""
    config = tmp_path / "waybill.toml"
    url = f"sqlite:///{tmp_path / 'waybill.db'}"
    config.write_text(f'store = "{url}"\n[dns]\nservers = ["127.0.0.1:1"]\n', "utf-8")
    monkeypatch.chdir(tmp_path)
    Path("message.eml").write_text("From: orders@shop.example\nTo: anna.k@firma.example\n\nHello\n", "utf-8")
    asyncio.run(tell_store(url, STORIES[name]()))
    for command in commands_of(name):
        words = shlex.split(_with_config(command, config))
        assert "waybill" == words[0]
        asked = ["serve", "--help"] if words[1] == "serve" else words[1:]
        result = CliRunner().invoke(cli, asked)
        elsewhere = "template_syntax_error" in name or (
            "0100" in command and str(STORIES[name]().message.id) not in command
        )
        if command.startswith(tuple(f"waybill {act}" for act in ACTS)) and not elsewhere:
            # How the service is may well be bad where a message is stuck: that is an answer, too.
            answers = {0, 1} if command == "waybill status" else {0}
            assert result.exit_code in answers, (command, result.output)
        assert (command, 2) != (command, result.exit_code), result.output
        assert result.exception is None or isinstance(result.exception, SystemExit)


def test_texts_name_no_command() -> None:
    """A command stands where it is seen to be one, not inside a sentence."""
    texts = [remedy.text for name in STORIES for remedy in remedies_of(name)]
    assert [] == [text for text in texts if re.search(r"\bwaybill [a-z]", text)]
