"""The SPF record that a check asks to publish is one that receivers can evaluate."""

import pytest

from waybill.mail.spf_record import parse_record
from waybill.standing.checks.spf import wanted


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (("v=spf1 ip4:192.0.2.777 include:a.example -all",), "v=spf1 ip4:192.0.2.1 include:a.example -all"),
        (("v=spf1 mx redirect=a.example",), "v=spf1 ip4:192.0.2.1 mx redirect=a.example"),
        (
            ("v=spf1 redirect=a.example", "v=spf1 mx redirect=b.example"),
            "v=spf1 ip4:192.0.2.1 include:a.example mx include:b.example ~all",
        ),
    ],
)
def test_what_is_to_be_published_has_no_errors(found: tuple[str, ...], expected: str) -> None:
    """Terms with errors are left out, and records are not merged into one with two redirects."""
    record = wanted("shop.example", found, ("192.0.2.1",))

    assert expected == record.value
    assert parse_record(record.value)
