"""Which operations Waybill has, by service: what ``asgi`` calls and ``docs/compatibility.md`` lists."""

from collections.abc import Mapping

from waybill.api import ses_v1, ses_v2, sns
from waybill.api.call import Operation

OPERATIONS: Mapping[str, Mapping[str, Operation]] = {
    "sesv2": ses_v2.OPERATIONS,
    "ses": ses_v1.OPERATIONS,
    "sns": sns.OPERATIONS,
}

PARTIAL: Mapping[str, Mapping[str, str]] = {
    "sesv2": ses_v2.PARTIAL,
    "ses": ses_v1.PARTIAL,
    "sns": sns.PARTIAL,
}
"""What is not supported of an operation that is there, in words."""
