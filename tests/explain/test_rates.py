"""Where an answer speaks of reputation, the sender's own rates stand beside it."""

from dataclasses import replace

from tests.explain.life import SOURCE_IP
from tests.explain.stories import STORIES
from waybill.explain import explain
from waybill.model.standing import RateSeen

DOMAIN = RateSeen(
    about="shop.example",
    of_address=False,
    window="7 days",
    sent=3_000,
    hard=36,
    delivered=2_900,
    complaints=12,
    state="under review",
)
ADDRESS = replace(DOMAIN, about=SOURCE_IP, of_address=True, hard=0, complaints=0, state="healthy")


def figures(story: str) -> list[str]:
    """What the ledger says of rates in this story."""
    life = STORIES[story]()
    told = explain(replace(life.facts(), rates=(DOMAIN, ADDRESS, replace(ADDRESS, about="192.0.2.99"))), life.now)
    return [one.text for one in told.recipients[0].telling.evidence if one.kind == "figures"]


def test_rates_stand_beside_a_judgement() -> None:
    """Of the domain, and of the address that the receiver saw; another one does not matter."""
    domain, address = figures("low_reputation")
    assert (
        "of the mail from shop.example in the last 7 days, 36 of 3,000 recipients (1.2 %) bounced for good and "
        "12 of 2,900 (0.41 %) complained: under review by Amazon SES's measure; "
        "Gmail and Yahoo want complaints below 0.1 %, and never 0.3 %"
    ) == domain
    assert address.startswith(
        "of the mail from our IP 198.51.100.4 in the last 7 days, 0 of 3,000 recipients (0 %) bounced"
    )
    assert "healthy" in address


def test_they_bear_on_nothing_else() -> None:
    """A mailbox that does not exist has nothing to do with them."""
    assert [] == figures("user_unknown")
