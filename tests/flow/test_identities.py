"""Identities proven end to end: a domain by the DNS records it is told to publish, an address by the link it is mailed."""

import email
import email.policy
import re
import urllib.error
import urllib.request
from typing import Any

import dkim
import pytest

from tests.flow.installation import Installation, until
from tests.flow.internet import Internet

pytestmark = pytest.mark.story


def is_verified(strict: Installation, name: str) -> bool:
    """What GetEmailIdentity says."""
    return bool(strict.sesv2.get_email_identity(EmailIdentity=name)["VerifiedForSendingStatus"])


def test_a_domain_is_verified_by_its_records_and_signs_with_them(strict: Installation, internet: Internet) -> None:
    """The records that ``identities show`` gives, once published, verify the domain and every signature."""
    domain = "writers.example"
    created = strict.sesv2.create_email_identity(EmailIdentity=domain)
    assert not created["VerifiedForSendingStatus"]
    shown = strict.json("identities", "show", domain)
    assert ("PENDING", 2) == (shown["verification"], len(shown["records"]))
    for record in shown["records"]:
        internet.publish(record["name"], f"{record['type']} {record['value']}")

    def is_signing() -> bool:
        found = strict.sesv2.get_email_identity(EmailIdentity=domain)
        return bool(found["VerifiedForSendingStatus"]) and "SUCCESS" == found["DkimAttributes"]["Status"]

    until(is_signing)
    assert "SUCCESS" == strict.json("identities", "show", domain)["dkim"]
    told = strict.ended(strict.send("signed@customer.example", sender=f"Ada <ada@{domain}>"), "delivered")
    assert any(f"signed with DKIM for {domain}" in item["text"] for item in told["evidence"])
    (message,) = internet.received("signed@customer.example")
    assert f"d={domain}".encode() in message.content
    verify: Any = dkim.verify
    assert verify(message.content, dnsfunc=lambda name, **_: internet.txt(name.decode())[0].encode())
    assert not verify(
        message.content.replace(b"It has shipped", b"It has sunk"),
        dnsfunc=lambda name, **_: internet.txt(name.decode())[0].encode(),
    )


def test_an_address_is_verified_by_the_link_it_is_mailed(strict: Installation, internet: Internet) -> None:
    """The link that the mail carries opens once for the right token, and then the address may send."""
    address = "ada@reader.example"
    strict.sesv2.create_email_identity(EmailIdentity=address)
    until(lambda: internet.received(address))
    (mailed,) = internet.received(address)
    text = email.message_from_bytes(mailed.content, policy=email.policy.default).get_content()
    link = re.search(r"http://\S+/api/verify\?\S+", text)
    assert link is not None
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(link[0] + "x", timeout=5)
    refused.value.close()
    assert (403, False) == (refused.value.code, is_verified(strict, address))
    with urllib.request.urlopen(link[0], timeout=5) as page:
        assert f"{address} is verified.".encode() in page.read()
    assert is_verified(strict, address)
    assert (
        "delivered" == strict.ended(strict.send("pen-friend@customer.example", sender=address), "delivered")["status"]
    )


def test_the_operator_can_vouch_for_an_identity(strict: Installation) -> None:
    """``identities verify`` lets it send, and who vouched stays on record."""
    strict.ses.verify_domain_identity(Domain="trusted.example")
    strict.run("identities", "verify", "trusted.example")
    assert "operator" == strict.json("identities", "show", "trusted.example")["vouched_by"]
    assert "trusted.example" in [row["identity"] for row in strict.json("identities", "list")]
    assert is_verified(strict, "trusted.example")
    strict.run("identities", "verify", "nobody.example", code=4)
