"""Plays the stories, compares what is told with what an expert would say, and times the explanations."""

import asyncio
import contextlib
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.flow.installation import Installation, until
from tests.stories.elsewhere import stories_from_elsewhere
from tests.stories.scenes import scenes
from tests.stories.story import ASKED, Story, receiver_stories
from tests.stories.world import World, running_world
from waybill.inquire import inquire
from waybill.model.clock import now
from waybill.store.open import open_store

PATIENCE = 10.0
REPEATS = 20


@dataclass(kw_only=True)
class Told:
    """A story as it was told. ``wrong`` names what the explanation got wrong: what was expected, what it says."""

    story: Story
    said: dict[str, Any]
    wrong: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    explained_ms: float = 0.0


def all_stories() -> list[Story]:
    """Every story, in the order in which they are sent: what makes a provider rest comes last."""
    found = [*scenes(), *stories_from_elsewhere(), *receiver_stories()]
    return sorted(found, key=lambda story: story.status == "delayed")


def play(stories: Sequence[Story], progress: Callable[[str], None] = lambda _: None) -> list[Told]:
    """Sends everything, waits until each has met its fate, and asks. A story that does not end as it should is told as it stands."""
    with (
        tempfile.TemporaryDirectory(prefix="waybill-stories-") as folder,
        running_world(stories, Path(folder)) as world,
    ):
        sent = []
        for story in stories:
            progress(story.name)
            sent.append((story, story.send(world, story.recipient)))
        for story, key in sent:
            if story.then is not None:
                progress(story.name)
                story.then(world, key)
        return [_ask(world, story, key) for story, key in sent]


def _ask(world: World, story: Story, key: str) -> Told:
    installation = world.services[story.where]
    said: dict[str, Any] = {}

    def ended() -> bool:
        said.update(installation.explain(key)["recipients"][0])
        return bool(said["status"] == story.status and said["cause"] == story.expected["cause"])

    with contextlib.suppress(AssertionError):  # what it says instead is the result
        until(ended, PATIENCE)
    told = Told(story=story, said=said, explained_ms=_time(installation, key))
    for word in (word for word in ASKED if word in story.expected):
        found = _found(installation, story, said, word)
        if found != story.expected[word]:
            told.wrong[word] = (story.expected[word], found)
    if said["status"] != story.status:
        told.wrong["status"] = (story.status, said["status"])
    return told


def _found(installation: Installation, story: Story, said: dict[str, Any], word: str) -> Any:
    if word == "remedy":
        return said["remedies"][0]["who"] if said["remedies"] else "nobody"
    if word == "act":
        told = " ".join(f"{remedy['text']} {remedy['command'] or ''}" for remedy in said["remedies"])
        return story.expected["act"] if story.expected["act"] in told else told
    if word == "suppressed":
        listed = installation.json("suppression", "list") + installation.json("suppression", "list", "--global")
        return story.recipient in json.dumps(listed)
    return said[word]


def _time(installation: Installation, key: str) -> float:
    """Milliseconds that the answer takes, from the store to the words: the median of some."""

    async def ask() -> float:
        store = await open_store(f"sqlite:///{installation.folder}/waybill.db", clock=now)
        try:
            taken = []
            for _ in range(REPEATS):
                began = time.perf_counter()
                await inquire(store, key, now())
                taken.append(time.perf_counter() - began)
            return statistics.median(taken) * 1000
        finally:
            await store.close()

    return asyncio.run(ask())
