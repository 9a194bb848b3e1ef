"""Delivery policies: when a post that failed is tried again (SNS Developer Guide, "Message delivery retries"). Pure."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from waybill.model.resource import Subscription, Topic

LONGEST_IN_ALL = 3_600
"""Seconds that all waits of one message may take together."""

MOST_RETRIES = 100
CONTENT_TYPE = "text/plain; charset=UTF-8"


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """A delivery policy. SNS's default is three retries, twenty seconds apart.

    Of the ``retries`` the first ``without_delay`` follow at once, the next ``at_min`` after ``min_delay`` seconds and
    the last ``at_max`` after ``max_delay``; the delays of those between grow by the ``backoff`` function.
    """

    retries: int = 3
    without_delay: int = 0
    at_min: int = 0
    at_max: int = 0
    min_delay: int = 20
    max_delay: int = 20
    backoff: str = "linear"
    content_type: str = CONTENT_TYPE

    def wait_after(self, attempts: int) -> int | None:
        """Seconds until the next try after ``attempts`` have failed; None when it is time to give up."""
        if attempts > self.retries or sum(map(self._wait, range(1, attempts + 1))) > LONGEST_IN_ALL:
            return None
        return self._wait(attempts)

    def _wait(self, retry: int) -> int:
        step = retry - self.without_delay
        if step <= 0:
            return 0
        if step <= self.at_min:
            return self.min_delay
        if retry > self.retries - self.at_max:
            return self.max_delay
        steps = self.retries - self.without_delay - self.at_min - self.at_max
        share = (step - self.at_min - 1) / (steps - 1) if steps > 1 else 0.0
        return _BACKOFF[self.backoff](self.min_delay, self.max_delay, share)


def _linear(low: int, high: int, share: float) -> int:
    return round(low + (high - low) * share)


def _geometric(low: int, high: int, share: float) -> int:
    growth: float = (high / low) ** share
    return round(low * growth)


_BACKOFF: dict[str, Callable[[int, int, float], int]] = {
    "linear": _linear,
    "arithmetic": lambda low, high, share: round(low + (high - low) * share * (1 + share) / 2),
    "geometric": _geometric,
    "exponential": lambda low, high, share: round(low + (high - low) * (2 ** (10 * share) - 1) / 1023),
}


def policy_of(subscription: Subscription, topic: Topic | None) -> Policy:
    """The subscription's DeliveryPolicy, else the topic's, else SNS's default. What a policy leaves out or says wrongly is the default's."""
    topics = _object(_document(topic.attributes.get("DeliveryPolicy") if topic else None).get("http"))
    own = _document(subscription.attributes.get("DeliveryPolicy"))
    if topics.get("disableSubscriptionOverrides") is True:
        own = {}
    retry = _object(own.get("healthyRetryPolicy")) or _object(topics.get("defaultHealthyRetryPolicy"))
    request = _object(own.get("requestPolicy")) or _object(topics.get("defaultRequestPolicy"))
    min_delay = _number(retry, "minDelayTarget", 20, least=1, most=LONGEST_IN_ALL)
    content_type, backoff = request.get("headerContentType"), retry.get("backoffFunction")
    return Policy(
        retries=_number(retry, "numRetries", 3, most=MOST_RETRIES),
        without_delay=_number(retry, "numNoDelayRetries", 0, most=MOST_RETRIES),
        at_min=_number(retry, "numMinDelayRetries", 0, most=MOST_RETRIES),
        at_max=_number(retry, "numMaxDelayRetries", 0, most=MOST_RETRIES),
        min_delay=min_delay,
        max_delay=_number(retry, "maxDelayTarget", max(20, min_delay), least=min_delay, most=LONGEST_IN_ALL),
        backoff=backoff if isinstance(backoff, str) and backoff in _BACKOFF else "linear",
        content_type=content_type
        if isinstance(content_type, str) and content_type.isascii() and content_type.isprintable() and content_type
        else CONTENT_TYPE,
    )


def _document(text: str | None) -> dict[str, Any]:
    try:
        return _object(json.loads(text or "{}"))
    except (ValueError, RecursionError):
        return {}


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(document: dict[str, Any], name: str, default: int, *, least: int = 0, most: int) -> int:
    value = document.get(name)
    return min(most, max(least, value)) if isinstance(value, int) and not isinstance(value, bool) else default
