"""The operations of the Amazon SES API v2."""

from waybill.api.call import Operation
from waybill.api.ses_v2 import (
    account,
    configuration_sets,
    dedicated_ips,
    dkim,
    event_destinations,
    identities,
    insights,
    policies,
    sending,
    suppression,
    tags,
    templates,
    vdm,
)

_NOUNS = (
    sending,
    templates,
    identities,
    dkim,
    policies,
    configuration_sets,
    event_destinations,
    dedicated_ips,
    suppression,
    account,
    insights,
    vdm,
    tags,
)

OPERATIONS: dict[str, Operation] = {name: operation for noun in _NOUNS for name, operation in noun.OPERATIONS.items()}

PARTIAL: dict[str, str] = {name: words for noun in _NOUNS for name, words in noun.PARTIAL.items()}
