"""SMTP passwords as Amazon SES derives them from secret access keys (SES Developer Guide, "Obtaining SMTP credentials")."""

import base64
import hashlib
import hmac
from collections.abc import Iterable

SES_REGIONS = (
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "af-south-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ca-central-1",
    "ca-west-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "sa-east-1",
    "us-gov-east-1",
    "us-gov-west-1",
)
"""Regions with an SES SMTP endpoint: a password says nothing of the region it was derived for."""

_VERSION = b"\x04"


def smtp_password(secret: str, region: str) -> str:
    """The SMTP password that belongs to a secret access key in a region (signature version 4, version byte 0x04)."""
    signature = b"AWS4" + secret.encode()
    for message in ("11111111", region, "ses", "aws4_request", "SendRawEmail"):
        signature = hmac.digest(signature, message.encode(), hashlib.sha256)
    return base64.b64encode(_VERSION + signature).decode()


def is_smtp_password(password: str, secret: str, regions: Iterable[str]) -> bool:
    """Whether this is the secret's SMTP password in one of the regions. Every wrong password takes the same time."""
    offered = password.encode()
    return any(hmac.compare_digest(offered, smtp_password(secret, region).encode()) for region in regions)
