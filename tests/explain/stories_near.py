"""Failures that others share, and addresses that are nearly right."""

from collections.abc import Callable
from dataclasses import replace

from tests.explain.life import START, Life, message
from tests.explain.stories_receiver import BUSY, REPLIES
from tests.explain.stories_waybill import MISSING, _rendering
from waybill.deliver.evidence import Failure
from waybill.model.cause import Cause
from waybill.model.clock import DAY, MINUTE
from waybill.model.event import RenderingFailed
from waybill.model.history import FailedAlike, Likeness, OftenTaken, TakenAt
from waybill.model.outcome import Stage

HELPER = RenderingFailed(
    cause=Cause.TEMPLATE_SYNTAX_ERROR,
    error="Attribute 'foreach' is not present in the rendering data.",
    template="order-shipped",
    template_version=8,
    part="html",
    line=12,
    column=3,
    tag="{{#foreach items}}",
    variable="foreach",
    available=("each", "if", "lookup", "unless", "with"),
    closest="each",
)


def _failed(fact: RenderingFailed, alike: FailedAlike) -> Life:
    life = _rendering(fact)
    life.likeness = Likeness(failed=alike)
    return life


def _near(recipient: str, *taken: str, busy: bool = False) -> Life:
    life = Life(recipient=recipient, history=replace(BUSY, last_delivered_to_address=None) if busy else None)
    life.likeness = Likeness(addresses=tuple(TakenAt(address=one, at=START - 3 * DAY) for one in taken))
    return life.answered(*REPLIES["user_unknown"])


def _no_domain(recipient: str, often: OftenTaken | None = None) -> Life:
    life = Life(
        recipient=recipient,
        message=message(),
        history=replace(
            BUSY,
            delivered_to_domain=0,
            last_delivered_to_domain=None,
            last_delivered_to_address=None,
            same_cause_messages=0,
        ),
    )
    life.likeness = Likeness(domain=often)
    said = f"127.0.0.53:53 answered NXDOMAIN for {life.delivery.domain} MX"
    return life.failed(Failure.DOMAIN_NOT_FOUND, said, Stage.ROUTE)


LIVES: dict[str, Callable[[], Life]] = {
    "template_variable_missing-several-releases": lambda: _failed(
        MISSING, FailedAlike(messages=1_999, since=START - DAY, versions=(6, 7), more=True)
    ),
    "template_variable_missing-inline-alike": lambda: _failed(
        replace(MISSING, template=None, template_version=None), FailedAlike(messages=1, since=START - MINUTE)
    ),
    "template_syntax_error-unknown-helper": lambda: _rendering(HELPER),
    "user_unknown-similar-address": lambda: _near(
        "anna.k@firma.example", "bob@firma.example", "anna.kowalski@firma.example", busy=True
    ),
    "user_unknown-nobody-similar": lambda: _near("jo@firma.example", "bo@firma.example", "maria@firma.example"),
    "user_unknown-in-a-crowd": lambda: _near("anna.k@gmail.com", "anna.kowalski@gmail.com", "ana.k@gmail.com"),
    "domain_not_found-often-written-to": lambda: _no_domain(
        "anna.k@frima.example", OftenTaken(domain="firma.example", messages=212)
    ),
    "domain_not_found-seldom-written-to": lambda: _no_domain(
        "anna.k@frima.example", OftenTaken(domain="firma.example", messages=2)
    ),
    "domain_not_found-well-known-first": lambda: _no_domain("jo@gmial.com", OftenTaken(domain="gmail.com", messages=9)),
}
