"""The operations of Amazon SNS that event publishing needs: topics, HTTP subscriptions, publishing."""

from waybill.api.call import Operation
from waybill.api.sns import (
    subscriptions,
    topics,
)

_NOUNS = (topics, subscriptions)

OPERATIONS: dict[str, Operation] = {name: operation for noun in _NOUNS for name, operation in noun.OPERATIONS.items()}

PARTIAL: dict[str, str] = {name: words for noun in _NOUNS for name, words in noun.PARTIAL.items()}
