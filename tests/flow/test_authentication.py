"""The evidence of the moment, end to end: what SPF, DKIM and DMARC looked like when a receiver refused or took the mail."""

from typing import Any

import pytest

from tests.flow.installation import Installation, until
from tests.flow.internet import Internet

pytestmark = pytest.mark.story


def verified_without_key(strict: Installation, internet: Internet, domain: str) -> dict[str, str]:
    """An identity that is verified by its token alone; where its key belongs, and the record that belongs there."""
    strict.sesv2.create_email_identity(EmailIdentity=domain)
    records = strict.json("identities", "show", domain)["records"]
    token = next(record for record in records if record["name"].startswith("_amazonses."))
    internet.publish(token["name"], f"TXT {token['value']}")
    until(lambda: bool(strict.sesv2.get_email_identity(EmailIdentity=domain)["VerifiedForSendingStatus"]))
    (key,) = [record for record in records if "_domainkey" in record["name"]]
    return {"name": key["name"].rstrip("."), "value": key["value"]}


def once_seen(strict: Installation, message_id: str) -> dict[str, Any]:
    """The explanation as soon as the evidence is in the store: it is gathered beside the sending."""

    def look() -> dict[str, Any] | None:
        told = strict.told(message_id)
        return told if any(item["kind"] == "authentication" for item in told["evidence"]) else None

    return until(look)


def test_a_key_that_is_not_published_is_named_with_the_record_to_publish(
    strict: Installation, internet: Internet
) -> None:
    """A domain asks to reject what fails DMARC, its key is missing, and the receiver refuses."""
    domain = "unpublished.example"
    key = verified_without_key(strict, internet, domain)
    internet.publish(f"_dmarc.{domain}", 'TXT "v=DMARC1; p=reject"')
    sent = strict.send("unauthenticated1@customer.example", sender=f"Shop <orders@{domain}>")
    assert "auth_failed" == strict.ended(sent, "bounced")["cause"]
    told = once_seen(strict, sent)
    assert (
        "unauthenticated1@customer.example: not delivered. customer.example's mail server refuses it: "
        f"{domain} asks receivers to reject mail that fails DMARC, and this message failed." == told["headline"]
    )
    (proof,) = [item["text"] for item in told["evidence"] if item["kind"] == "authentication"]
    assert f"From {domain}, DMARC p=reject\n" in proof
    assert f"DKIM  fail for {domain}: no key is published at {key['name']}\n" in proof
    assert proof.endswith("DMARC fail: receivers that follow it reject such a message")
    assert any("its own signature over the octets" in item["text"] for item in told["evidence"])
    publish = told["remedies"][0]
    assert "sender" == publish["who"]
    line = publish["text"].removeprefix("Publish:\n")
    assert f"{key['name']}. TXT {key['value']}".replace('" "', "").replace('"', "") == line.replace('" "', "").replace(
        '"', ""
    )
    assert f"  DKIM   fail for {domain}: no key is published at {key['name']}" in strict.run("authentication", domain)
    assert f"waybill check {domain}" in {remedy["command"] for remedy in told["remedies"]}


def test_what_passes_is_told_of_mail_that_was_taken(strict: Installation, internet: Internet) -> None:
    """The key is published, the policy is there: DKIM passes and aligns, as seen when it was taken."""
    domain = "published.example"
    key = verified_without_key(strict, internet, domain)
    internet.publish(key["name"], f"TXT {key['value']}")
    internet.publish(f"_dmarc.{domain}", 'TXT "v=DMARC1; p=reject"')
    sent = strict.send("well-known@customer.example", sender=f"orders@{domain}")
    strict.ended(sent, "delivered")

    def look() -> str | None:
        text: str = strict.told(sent)["branches"]["spam"]["text"]
        return text if "as seen at" in text else None

    assert f"DKIM passes and aligns with {domain}" in until(look)
