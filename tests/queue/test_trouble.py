"""Trouble on our own side: told when many sites in a row fail alike, and over with the first that does not."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.queue.test_pace import UNREACHED, taken
from waybill.model.cause import Cause, Responder
from waybill.model.outcome import Stage
from waybill.queue.trouble import UNREACHED_SITES, UNRESOLVED_SITES, Trouble
from waybill.store.protocol import StoreUnavailable

Told = list[tuple[str, str | None]]


@pytest.fixture
def told() -> Told:
    """What was told."""
    return []


@pytest.fixture
def trouble(told: Told) -> Trouble:
    """Tells ``told``."""
    return Trouble(lambda part, problem: told.append((part, problem)))


UNRESOLVED = replace(
    UNREACHED, cause=Cause.DNS_FAILURE, responder=Responder.DNS, stage=Stage.ROUTE, diagnostic="SERVFAIL"
)
NO_NETWORK = replace(
    UNREACHED,
    cause=Cause.WAYBILL_INCIDENT,
    responder=Responder.WAYBILL,
    diagnostic="Network is unreachable",
    rule="failure-network-down",
)


def test_one_dead_site_is_no_trouble_of_ours(trouble: Trouble, told: Told) -> None:
    """However often it fails."""
    assert not any(trouble.saw("dead.example", UNREACHED) for _ in range(100))
    assert not any(trouble.saw("dead.example", UNRESOLVED) for _ in range(100))
    assert [] == told


@pytest.mark.parametrize(
    ("outcome", "sites", "part", "words"),
    [
        (UNREACHED, UNREACHED_SITES, "network", f"{UNREACHED_SITES} sites in a row cannot be reached, last s"),
        (UNRESOLVED, UNRESOLVED_SITES, "resolver", f"DNS fails for {UNRESOLVED_SITES} sites in a row, last for s"),
        (NO_NETWORK, 1, "network", "this machine has no network: Network is unreachable"),
    ],
)
def test_many_sites_in_a_row_are(trouble: Trouble, told: Told, outcome: Any, sites: int, part: str, words: str) -> None:
    """From the last of them on, no site is blamed; the first answer ends it."""
    assert [False] * (sites - 1) + [True] == [trouble.saw(f"s{number}", outcome) for number in range(sites)]
    assert part == told[0][0]
    assert (told[0][1] or "").startswith(words)
    assert not trouble.saw("good.example", taken().outcome)
    assert (part, None) == told[-1]
    assert not trouble.saw("s", UNREACHED)


def test_an_answer_between_them_begins_the_count_anew(trouble: Trouble, told: Told) -> None:
    """Many dead domains among others are nothing unusual."""
    for number in range(3 * UNREACHED_SITES):
        trouble.saw(f"s{number}", UNREACHED)
        trouble.saw(f"d{number}", UNRESOLVED)
        if number % 4 == 3:
            trouble.saw("good.example", taken().outcome)
    assert [] == told


def test_operations_names_the_numbers() -> None:
    """As the page of operations says: after how many sites in a row the resolver, and the network, are failing."""
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")
    numbers = {5: "five", 20: "twenty"}
    assert f"DNS fails for {numbers[UNRESOLVED_SITES]} sites in a row" in page
    assert f"{numbers[UNREACHED_SITES]} sites in a row cannot be connected to" in page


def test_the_store_and_the_leases(trouble: Trouble, told: Told) -> None:
    """Said when they fail; said once that they work again."""
    trouble.store_works()
    trouble.leases_renewed()
    assert [] == told
    trouble.store_fails("claiming", StoreUnavailable("locked"))
    trouble.leases_lapsed(3)
    for _ in range(2):
        trouble.store_works()
        trouble.leases_renewed()
    assert [
        ("store", "the store is unavailable (claiming): locked"),
        ("queue", "3 leases ran out before they were prolonged; other workers may take the deliveries over"),
        ("store", None),
        ("queue", None),
    ] == told
