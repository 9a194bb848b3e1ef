"""Amazon resource names as SES and SNS write them: ``arn:aws:ses:us-east-1:100000000001:identity/example.com``."""

from dataclasses import dataclass

from waybill.api.call import Call


@dataclass(frozen=True, kw_only=True, slots=True)
class Arn:
    """A name taken apart. ``resource`` is all after the account: ``identity/example.com``, ``topic`` or ``topic:uuid``."""

    service: str
    region: str
    account: str
    resource: str

    def named(self, kind: str) -> str | None:
        """The name of the resource if it is of this kind (``identity/…``), else None."""
        found, slash, name = self.resource.partition("/")
        return name if slash and found == kind and name else None


def parse_arn(text: str) -> Arn | None:
    """The parts of an ARN, or None if it is none."""
    parts = text.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or not parts[5]:
        return None
    return Arn(service=parts[2], region=parts[3], account=parts[4], resource=parts[5])


def topic_arn(call: Call, name: str) -> str:
    """The ARN of the account's topic of this name."""
    return f"arn:aws:sns:{call.service.region}:{call.account}:{name}"


def own_resource(call: Call, text: str, kind: str) -> str | None:
    """The name in an SES ARN of this kind that belongs to the caller's account, else None."""
    arn = parse_arn(text)
    if arn is None or arn.service != "ses" or arn.account != call.account:
        return None
    return arn.named(kind)
