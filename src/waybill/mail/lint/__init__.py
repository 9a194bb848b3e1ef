"""What a message's content has against it, by our own rules (``rules.toml``): pure, on the bytes as they were sent."""

from waybill.mail.lint.examine import Examination as Examination
from waybill.mail.lint.examine import examine as examine
from waybill.mail.lint.headers import Circumstances as Circumstances
