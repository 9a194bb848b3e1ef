"""Says which operations of the service models Waybill has, as the text of ``docs/compatibility.md``."""

from collections.abc import Mapping

from waybill.api.call import Operation
from waybill.api.shapes import ServiceModel

_TITLES = {"sesv2": "Amazon SES API v2", "ses": "Amazon SES API v1", "sns": "Amazon SNS"}
_INTRODUCTION = """\
# Compatibility with Amazon SES and Amazon SNS

Every operation of the service models, and whether Waybill has it. This page is generated from the code by
`scripts/generate_docs.py`.

An operation that Waybill does not have answers with HTTP status 400 and the text `Waybill does not implement <operation>.`
(`BadRequestException` in SES v2, `InvalidAction` in SES v1 and SNS), which no SDK tries again.

What is the same for all operations:

* Requests are signed with AWS Signature Version 4, in the Authorization header or in the query string (presigned URLs).
  Any region is taken. The clocks may differ by five minutes. Session tokens, SigV4a and `UNSIGNED-PAYLOAD` are refused.
  SNS `ConfirmSubscription` and `Unsubscribe` are also taken unsigned, as links.
* SES v1 and SNS share `POST /`: the service of the credential scope says which is meant.
* Parameters are checked against the model (required, enumerations, lengths, ranges, patterns); unknown ones are ignored.
* A request body may have 57,000,000 bytes in SES v2 (a message of 40 MiB in base64) and 33,000,000 in SES v1 and SNS.
"""


def compatibility(
    models: Mapping[str, ServiceModel],
    operations: Mapping[str, Mapping[str, Operation]],
    partial: Mapping[str, Mapping[str, str]],
) -> str:
    """The page. ``partial`` says in words what an operation that is there does not do."""
    parts = [_INTRODUCTION]
    for service, model in models.items():
        have, missing = operations.get(service, {}), partial.get(service, {})
        count = sum(name in have for name in model.operations)
        parts.append(f"\n## {_TITLES[service]} ({count} of {len(model.operations)})\n\n")
        parts.append("| operation | supported | what is missing |\n|---|---|---|\n")
        for name in sorted(model.operations):
            supported = "no" if name not in have else "partly" if name in missing else "yes"
            words = missing.get(name, "") if name in have else ""
            parts.append(f"| {name} | {supported} | {words.replace('|', '&#124;')} |\n")
    return "".join(parts)
