"""SMTP passwords derived from secret access keys."""

import pytest

from waybill.submission.password import SES_REGIONS, is_smtp_password, smtp_password


# Known pairs of the Terraform AWS provider's own test of this derivation.
@pytest.mark.parametrize(
    ("secret", "region", "password"),
    [
        ("some+secret+key", "eu-central-1", "BMXhUYlu5Z3gSXVQORxlVa7XPaz91aGWdfHxvkOZdWZ2"),
        ("another+secret+key", "eu-central-1", "BBbphbrQmrKMx42d1N6+C7VINYEBGI5v9VsZeTxwskfh"),
        ("some+secret+key", "us-west-1", "BH+jbMzper5WwlwUar9E1ySBqHa9whi0GPo+sJ0mVYJj"),
        ("another+secret+key", "us-west-1", "BKVmjjMDFk/qqw8EROW99bjCS65PF8WKvK5bSr4Y6EqF"),
    ],
)
def test_the_derivation_is_that_of_ses(secret: str, region: str, password: str) -> None:
    """The same secret and region give the same password as elsewhere."""
    assert smtp_password(secret, region) == password


def test_a_password_of_any_region_is_right_and_no_other() -> None:
    """The region is not in the password, so all are tried; the secret itself is no password."""
    assert is_smtp_password(smtp_password("secret", "sa-east-1"), "secret", SES_REGIONS)
    assert not is_smtp_password(smtp_password("secret", "moon-1"), "secret", SES_REGIONS)
    assert not is_smtp_password(smtp_password("other", "sa-east-1"), "secret", SES_REGIONS)
    assert not is_smtp_password("secret", "secret", SES_REGIONS)
    assert not is_smtp_password("", "secret", SES_REGIONS)
