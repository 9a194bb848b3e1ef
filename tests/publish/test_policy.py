"""When a post is tried again."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.publish.publishing import ACCOUNT, START, TOPIC
from waybill.model.resource import Subscription, Topic
from waybill.publish.policy import LONGEST_IN_ALL, Policy, policy_of


def subscription(policy: str | None = None) -> Subscription:
    return Subscription(
        account=ACCOUNT,
        name=f"{TOPIC}:s1",
        topic_arn=TOPIC,
        protocol="https",
        endpoint="https://h.example/",
        token="t",
        created_at=START,
        attributes={} if policy is None else {"DeliveryPolicy": policy},
    )


def topic(policy: str) -> Topic:
    return Topic(account=ACCOUNT, name=TOPIC, created_at=START, attributes={"DeliveryPolicy": policy})


def waits(policy: Policy) -> list[int]:
    found: list[int] = []
    while (wait := policy.wait_after(len(found) + 1)) is not None:
        found.append(wait)
    return found


def test_the_default() -> None:
    """Three retries, twenty seconds apart."""
    assert waits(policy_of(subscription(), None)) == [20, 20, 20]


@pytest.mark.parametrize(
    ("healthy", "expected"),
    [
        ({"numRetries": 0}, []),
        ({"numRetries": 4, "minDelayTarget": 10, "maxDelayTarget": 40}, [10, 20, 30, 40]),
        ({"numRetries": 1, "minDelayTarget": 10, "maxDelayTarget": 40}, [10]),
        ({"numRetries": 2, "minDelayTarget": 30}, [30, 30]),
        (
            {
                "numRetries": 7,
                "numNoDelayRetries": 1,
                "numMinDelayRetries": 2,
                "numMaxDelayRetries": 1,
                "minDelayTarget": 1,
                "maxDelayTarget": 9,
            },
            [0, 1, 1, 1, 5, 9, 9],
        ),
        (
            {"numRetries": 3, "minDelayTarget": 1, "maxDelayTarget": 100, "backoffFunction": "geometric"},
            [1, 10, 100],
        ),
        ({"numRetries": 3, "minDelayTarget": 0, "maxDelayTarget": 9, "backoffFunction": "exponential"}, [1, 1, 9]),
        ({"numRetries": 3, "minDelayTarget": 1, "maxDelayTarget": 9, "backoffFunction": "arithmetic"}, [1, 4, 9]),
        ({"numRetries": 100, "minDelayTarget": 1800, "maxDelayTarget": 3600}, [1800]),
        ({"numRetries": "many", "minDelayTarget": True, "backoffFunction": ["x"]}, [20, 20, 20]),
    ],
)
def test_healthy_retry_policies(healthy: dict[str, Any], expected: list[int]) -> None:
    """The phases follow one another, within an hour in all; what is said wrongly is the default's."""
    own = policy_of(subscription(json.dumps({"healthyRetryPolicy": healthy})), None)
    of_topic = policy_of(subscription(), topic(json.dumps({"http": {"defaultHealthyRetryPolicy": healthy}})))
    assert [waits(own), waits(of_topic)] == [expected, expected]


def test_whose_policy() -> None:
    """The subscription's wins, unless the topic forbids overrides."""
    own = subscription('{"healthyRetryPolicy": {"numRetries": 1}, "requestPolicy": {"headerContentType": "text/csv"}}')
    http = {"defaultHealthyRetryPolicy": {"numRetries": 2}}
    for closed, expected in ((False, (1, "text/csv")), (True, (2, "text/plain; charset=UTF-8"))):
        found = policy_of(own, topic(json.dumps({"http": {**http, "disableSubscriptionOverrides": closed}})))
        assert (found.retries, found.content_type) == expected


@pytest.mark.parametrize("content_type", ["", "a\r\nX: y", "ü", 7])
def test_a_content_type_that_breaks_the_header(content_type: object) -> None:
    """It is SNS's own instead."""
    policy = json.dumps({"requestPolicy": {"headerContentType": content_type}})
    assert policy_of(subscription(policy), None) == Policy()


_NAMES = st.sampled_from(["healthyRetryPolicy", "http", "defaultHealthyRetryPolicy", "numRetries", "minDelayTarget"])
_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(_NAMES, inner, max_size=3)),
    max_leaves=6,
)


@given(text=st.one_of(st.text(max_size=20), _JSON.map(json.dumps)))
def test_any_text(text: str) -> None:
    """Whatever a policy says, the waits are whole seconds, not negative, and an hour in all."""
    found = waits(policy_of(subscription(text), topic(text)))
    assert min(found, default=0) >= 0
    assert sum(found) <= LONGEST_IN_ALL
