"""The operations of the Amazon SES API (version 2010-12-01)."""

from waybill.api.call import Operation
from waybill.api.ses_error import in_v1
from waybill.api.ses_v1 import (
    account,
    configuration_sets,
    identities,
    identity_settings,
    sending,
    templates,
)

_NOUNS = (sending, templates, identities, identity_settings, configuration_sets, account)

OPERATIONS: dict[str, Operation] = {
    name: in_v1(operation) for noun in _NOUNS for name, operation in noun.OPERATIONS.items()
}

PARTIAL: dict[str, str] = {name: words for noun in _NOUNS for name, words in noun.PARTIAL.items()}
