"""Identities in v2 and v1: creating, DKIM keys, MAIL FROM, notifications, policies, tags."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.api.operations_world import ACCOUNT, START, World, open_world
from waybill.api.call import ApiError
from waybill.mail.dkim import load_key
from waybill.model.resource import DkimKey, Identity, Verification
from waybill.store.protocol import Store


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as opened:
        yield opened


async def stored(store: Store, name: str) -> Identity:
    record = await store.get(Identity, ACCOUNT, name)
    assert record is not None
    return record


async def change(store: Store, name: str, **fields: Any) -> None:
    record = await stored(store, name)
    await store.put(Identity(**{key: getattr(record, key) for key in record.__slots__} | fields))


async def test_domain_identity(world: World) -> None:
    """A new domain is pending, has one key of its own, and is looked at at once."""
    answer = await world.v2("CreateEmailIdentity", EmailIdentity="Bücher.Example", Tags=[{"Key": "team", "Value": "a"}])
    name = "xn--bcher-kva.example"
    record = await stored(world.store, name)
    (key,) = record.dkim_keys
    assert answer["IdentityType"] == "DOMAIN"
    assert answer["VerifiedForSendingStatus"] is False
    assert answer["DkimAttributes"]["Tokens"] == [key.selector]
    assert answer["DkimAttributes"]["Status"] == "PENDING"
    assert record.tags == (("team", "a"),)
    assert load_key(key.private_pem, key.algorithm)
    assert world.verified == [(ACCOUNT, name)]


async def test_keys_differ(world: World) -> None:
    """Each domain has a key and a selector of its own."""
    keys: list[DkimKey] = []
    for name in ("one.example", "two.example"):
        await world.v2("CreateEmailIdentity", EmailIdentity=name)
        keys += (await stored(world.store, name)).dkim_keys
    assert len({key.selector for key in keys}) == len({key.public for key in keys}) == 2


async def test_every_sender(tmp_path: Path) -> None:
    """Where every sender is accepted, an identity is verified at once and says by whom."""
    async with open_world(tmp_path, every_sender=True) as world:
        answer = await world.v2("CreateEmailIdentity", EmailIdentity="a@y.example")
        record = await stored(world.store, "a@y.example")
    assert answer["VerifiedForSendingStatus"] is True
    assert (record.verified_at, record.vouched_by) == (START, "settings:identities.verification")


async def test_address_identity_shows_its_domains_keys(world: World) -> None:
    """An address has no key; its DKIM attributes are those of its domain, once that is an identity."""
    first = await world.v2("CreateEmailIdentity", EmailIdentity="Anna@Y.example")
    await world.v2("CreateEmailIdentity", EmailIdentity="y.example")
    second = await world.v2("GetEmailIdentity", EmailIdentity="Anna@y.example")
    assert first["DkimAttributes"]["Status"] == "NOT_STARTED"
    assert (await stored(world.store, "Anna@y.example")).dkim_keys == ()
    assert second["DkimAttributes"]["Tokens"] == [
        key.selector for key in (await stored(world.store, "y.example")).dkim_keys
    ]


@pytest.mark.parametrize(
    "name", ["localhost", "a b.example", "-a.example", "a@", "@y.example", "a@b@c", "x..y", "*.y.z"]
)
async def test_faulty_names(world: World, name: str) -> None:
    """What is neither an address nor a domain is refused on creation, and not found otherwise."""
    with pytest.raises(ApiError, match="Invalid") as refused:
        await world.v2("CreateEmailIdentity", EmailIdentity=name)
    assert refused.value.code == "BadRequestException"
    with pytest.raises(ApiError, match="does not exist") as refused:
        await world.v2("GetEmailIdentity", EmailIdentity=name)
    assert refused.value.code == "NotFoundException"


async def test_duplicate(world: World) -> None:
    """A second identity of the same name is refused in SES's words."""
    await world.v2("CreateEmailIdentity", EmailIdentity="a@y.example")
    with pytest.raises(ApiError) as refused:
        await world.v2("CreateEmailIdentity", EmailIdentity="a@Y.EXAMPLE")
    assert (refused.value.code, refused.value.text) == (
        "AlreadyExistsException",
        "Email identity a@y.example already exist.",
    )


def private_key(bits: int = 1024, form: PrivateFormat = PrivateFormat.TraditionalOpenSSL) -> str:
    key = rsa.generate_private_key(65537, bits)
    return base64.b64encode(key.private_bytes(Encoding.DER, form, NoEncryption())).decode()


@pytest.mark.parametrize("form", [PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8])
async def test_own_dkim_key(world: World, form: PrivateFormat) -> None:
    """A customer's key, PKCS #1 or PKCS #8, signs under the customer's selector."""
    answer = await world.v2(
        "CreateEmailIdentity",
        EmailIdentity="y.example",
        DkimSigningAttributes={"DomainSigningSelector": "mine", "DomainSigningPrivateKey": private_key(form=form)},
    )
    (key,) = (await stored(world.store, "y.example")).dkim_keys
    assert answer["DkimAttributes"]["Tokens"] == ["mine"]
    assert answer["DkimAttributes"]["SigningAttributesOrigin"] == "EXTERNAL"
    assert load_key(key.private_pem, key.algorithm)


def elliptic_key() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return base64.b64encode(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())).decode()


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"DomainSigningSelector": "s"}, "together"),
        (
            {"DomainSigningSelector": "s", "DomainSigningPrivateKey": "AAAA"},
            "DomainSigningPrivateKey: The DKIM private key cannot be read",
        ),
        ({"DomainSigningSelector": "s", "DomainSigningPrivateKey": elliptic_key()}, "not of the algorithm 'rsa'"),
    ],
)
async def test_faulty_own_keys(world: World, attributes: dict[str, str], words: str) -> None:
    """A key that cannot sign is refused with what is wrong."""
    with pytest.raises(ApiError, match=words):
        await world.v2("CreateEmailIdentity", EmailIdentity="y.example", DkimSigningAttributes=attributes)
    assert await world.store.get(Identity, ACCOUNT, "y.example") is None


async def test_changing_the_keys_origin(world: World) -> None:
    """EXTERNAL takes the customer's key; AWS_SES makes a new one, and asked again keeps it."""
    await world.v2("CreateEmailIdentity", EmailIdentity="y.example")
    external = await world.v2(
        "PutEmailIdentityDkimSigningAttributes",
        EmailIdentity="y.example",
        SigningAttributesOrigin="EXTERNAL",
        SigningAttributes={"DomainSigningSelector": "mine", "DomainSigningPrivateKey": private_key()},
    )
    request = {"EmailIdentity": "y.example", "SigningAttributesOrigin": "AWS_SES"}
    generated = await world.v2("PutEmailIdentityDkimSigningAttributes", **request)
    again = await world.v2("PutEmailIdentityDkimSigningAttributes", **request)
    assert external == {"DkimStatus": "PENDING", "DkimTokens": ["mine"]}
    assert generated["DkimTokens"] != ["mine"]
    assert again == generated


async def test_settings(world: World) -> None:
    """Each setting of v2 is kept and shown, and the others stay as they were."""
    await world.v2("CreateConfigurationSet", ConfigurationSetName="cs")
    await world.v2("CreateEmailIdentity", EmailIdentity="y.example")
    for operation, request in (
        ("PutEmailIdentityDkimAttributes", {"SigningEnabled": False}),
        ("PutEmailIdentityFeedbackAttributes", {"EmailForwardingEnabled": False}),
        ("PutEmailIdentityConfigurationSetAttributes", {"ConfigurationSetName": "cs"}),
        (
            "PutEmailIdentityMailFromAttributes",
            {"MailFromDomain": "Bounce.y.example", "BehaviorOnMxFailure": "REJECT_MESSAGE"},
        ),
    ):
        await world.v2(operation, EmailIdentity="y.example", **request)
    shown = await world.v2("GetEmailIdentity", EmailIdentity="y.example")
    assert shown["DkimAttributes"]["SigningEnabled"] is False
    assert shown["FeedbackForwardingStatus"] is False
    assert shown["ConfigurationSetName"] == "cs"
    assert shown["MailFromAttributes"] == {
        "MailFromDomain": "bounce.y.example",
        "MailFromDomainStatus": "PENDING",
        "BehaviorOnMxFailure": "REJECT_MESSAGE",
    }


@pytest.mark.parametrize("domain", ["y.example", "other.example", "ey.example", "a b.y.example"])
async def test_mail_from_is_a_sub_domain(world: World, domain: str) -> None:
    """MAIL FROM outside the identity's domain is refused."""
    await world.v2("CreateEmailIdentity", EmailIdentity="a@y.example")
    with pytest.raises(ApiError, match="is not subdomain of"):
        await world.v2("PutEmailIdentityMailFromAttributes", EmailIdentity="a@y.example", MailFromDomain=domain)


async def test_missing_configuration_set(world: World) -> None:
    """A default configuration set must exist."""
    await world.v2("CreateEmailIdentity", EmailIdentity="a@y.example")
    with pytest.raises(ApiError, match="<nope> does not exist") as refused:
        await world.v2(
            "PutEmailIdentityConfigurationSetAttributes", EmailIdentity="a@y.example", ConfigurationSetName="nope"
        )
    assert refused.value.code == "NotFoundException"


NOT_FOUND = "127.0.0.1:53 answered NXDOMAIN for _waybill.y.example TXT"


@pytest.mark.parametrize(
    ("said", "word"),
    [
        (NOT_FOUND, "HOST_NOT_FOUND"),
        ("127.0.0.1:53 answered that y.example has no TXT record", "TYPE_NOT_FOUND"),
        ("127.0.0.1:53 answered for y.example TXT: something else", "INVALID_VALUE"),
        ("127.0.0.1:53 did not answer for y.example TXT within 5 s", "DNS_SERVER_ERROR"),
        ("127.0.0.1:53 answered SERVFAIL for y.example TXT", "DNS_SERVER_ERROR"),
    ],
)
async def test_why_it_is_not_verified(world: World, said: str, word: str) -> None:
    """What the DNS said at the last look has SES's word for it."""
    await world.v2("CreateEmailIdentity", EmailIdentity="y.example")
    await change(world.store, "y.example", checked_at=world.now, check_error=said)
    shown = await world.v2("GetEmailIdentity", EmailIdentity="y.example")
    assert shown["VerificationInfo"]["ErrorType"] == word


async def test_verification_is_looked_at_when_asked(world: World) -> None:
    """Reporting a pending identity looks at the DNS, but not again within seconds, and not once all is well."""
    await world.v2("CreateEmailIdentity", EmailIdentity="y.example")
    await change(world.store, "y.example", checked_at=world.now, check_error=NOT_FOUND)
    world.verified.clear()
    await world.v2("GetEmailIdentity", EmailIdentity="y.example")
    looks = [len(world.verified)]
    world.now += 5_000
    await world.v2("GetEmailIdentity", EmailIdentity="y.example")
    looks.append(len(world.verified))
    good = Verification.SUCCESS
    await change(world.store, "y.example", verification=good, dkim_verification=good)
    await world.v2("GetEmailIdentity", EmailIdentity="y.example")
    looks.append(len(world.verified))
    assert looks == [0, 1, 1]


async def test_nobody_waits_long_for_the_dns(world: World) -> None:
    """A resolver that does not answer leaves the identity pending, and the call is answered all the same."""
    world.silent_dns = True
    created = await world.v2("CreateEmailIdentity", EmailIdentity="y.example")
    assert not created["VerifiedForSendingStatus"]
    assert "PENDING" == (await world.v2("GetEmailIdentity", EmailIdentity="y.example"))["VerificationStatus"]
    assert 2 == len(world.verified)


async def test_v1_addresses_are_named_in_the_error(world: World) -> None:
    """What lacks an @ is a bad address, not a bad domain."""
    with pytest.raises(ApiError) as caught:
        await world.v1("VerifyEmailIdentity", EmailAddress="bad")
    assert ("InvalidParameterValue", "Invalid email address 'bad': Missing final '@domain'") == (
        caught.value.code,
        caught.value.text,
    )


async def test_v1_verification(world: World) -> None:
    """v1's Verify operations may be repeated and give the same tokens."""
    token = await world.v1("VerifyDomainIdentity", Domain="y.example")
    dkim = await world.v1("VerifyDomainDkim", Domain="Y.example")
    await world.v1("VerifyEmailIdentity", EmailAddress="a@y.example")
    await world.v1("VerifyEmailAddress", EmailAddress="a@y.example")
    names = ["y.example", "a@y.example", "missing.example", "x"]
    shown = await world.v1("GetIdentityVerificationAttributes", Identities=names)
    signing = await world.v1("GetIdentityDkimAttributes", Identities=names)
    assert token == await world.v1("VerifyDomainIdentity", Domain="y.example")
    assert shown["VerificationAttributes"] == {
        "y.example": {"VerificationStatus": "Pending", "VerificationToken": token["VerificationToken"]},
        "a@y.example": {"VerificationStatus": "Pending", "VerificationToken": None},
    }
    expected = {"DkimEnabled": True, "DkimVerificationStatus": "Pending", "DkimTokens": dkim["DkimTokens"]}
    assert signing["DkimAttributes"] == {"y.example": expected, "a@y.example": expected}


async def test_lists(world: World) -> None:
    """Lists show all identities in pages; v1 by type, and its old list only verified addresses."""
    for name in ("a@y.example", "b@y.example", "c@y.example"):
        await world.v2("CreateEmailIdentity", EmailIdentity=name)
    await world.v2("CreateEmailIdentity", EmailIdentity="b.example")
    await change(world.store, "b@y.example", verification=Verification.SUCCESS)
    first = await world.v1("ListIdentities", IdentityType="EmailAddress", MaxItems=2)
    second = await world.v1("ListIdentities", IdentityType="EmailAddress", MaxItems=2, NextToken=first["NextToken"])
    domains = await world.v1("ListIdentities", IdentityType="Domain")
    everything = await world.v2("ListEmailIdentities")
    assert (first["Identities"], second) == (
        ["a@y.example", "b@y.example"],
        {"Identities": ["c@y.example"], "NextToken": None},
    )
    assert domains == {"Identities": ["b.example"], "NextToken": None}
    assert [entry["IdentityName"] for entry in everything["EmailIdentities"]] == [
        "a@y.example",
        "b.example",
        "b@y.example",
        "c@y.example",
    ]
    assert await world.v1("ListVerifiedEmailAddresses") == {"VerifiedEmailAddresses": ["b@y.example"]}


async def test_deleting(world: World) -> None:
    """v1 deletes what may not be there; v2 says that it is not there."""
    await world.v2("CreateEmailIdentity", EmailIdentity="a@y.example")
    await world.v1("DeleteVerifiedEmailAddress", EmailAddress="a@y.example")
    await world.v1("DeleteIdentity", Identity="a@y.example")
    with pytest.raises(ApiError) as refused:
        await world.v2("DeleteEmailIdentity", EmailIdentity="a@y.example")
    assert refused.value.code == "NotFoundException"


async def test_v1_notifications(world: World) -> None:
    """Topics and headers are kept for each type; forwarding ends only where topics take its place."""
    identity = {"Identity": "y.example"}
    await world.v1("VerifyDomainIdentity", Domain="y.example")
    with pytest.raises(ApiError, match="no topics for Bounce and Complaint"):
        await world.v1("SetIdentityFeedbackForwardingEnabled", **identity, ForwardingEnabled=False)
    arn = (await world.sns("CreateTopic", Name="t"))["TopicArn"]
    for kind in ("Bounce", "Complaint"):
        await world.v1("SetIdentityNotificationTopic", **identity, NotificationType=kind, SnsTopic=arn)
    await world.v1("SetIdentityHeadersInNotificationsEnabled", **identity, NotificationType="Bounce", Enabled=True)
    await world.v1("SetIdentityFeedbackForwardingEnabled", **identity, ForwardingEnabled=False)
    await world.v1("SetIdentityNotificationTopic", **identity, NotificationType="Complaint")
    shown = await world.v1("GetIdentityNotificationAttributes", Identities=["y.example"])
    assert shown["NotificationAttributes"]["y.example"] == {
        "ForwardingEnabled": False,
        "BounceTopic": arn,
        "ComplaintTopic": None,
        "DeliveryTopic": None,
        "HeadersInBounceNotificationsEnabled": True,
        "HeadersInComplaintNotificationsEnabled": False,
        "HeadersInDeliveryNotificationsEnabled": False,
    }
    with pytest.raises(ApiError, match="SnsTopic"):
        await world.v1("SetIdentityNotificationTopic", **identity, NotificationType="Bounce", SnsTopic=f"{arn}x")


async def test_v1_mail_from(world: World) -> None:
    """v1 sets, shows and ends the MAIL FROM domain."""
    await world.v1("VerifyDomainIdentity", Domain="y.example")
    await world.v1("SetIdentityMailFromDomain", Identity="y.example", MailFromDomain="m.y.example")
    shown = await world.v1("GetIdentityMailFromDomainAttributes", Identities=["y.example"])
    await world.v1("SetIdentityMailFromDomain", Identity="y.example")
    ended = await world.v1("GetIdentityMailFromDomainAttributes", Identities=["y.example"])
    assert shown["MailFromDomainAttributes"]["y.example"] == {
        "MailFromDomain": "m.y.example",
        "MailFromDomainStatus": "Pending",
        "BehaviorOnMXFailure": "UseDefaultValue",
    }
    assert ended == {"MailFromDomainAttributes": {}}


async def test_policies(world: World) -> None:
    """Policies are kept as given; names are unique; only JSON objects are policies."""
    await world.v2("CreateEmailIdentity", EmailIdentity="a@y.example")
    request = {"EmailIdentity": "a@y.example", "PolicyName": "p"}
    await world.v2("CreateEmailIdentityPolicy", **request, Policy='{"a": 1}')
    with pytest.raises(ApiError) as refused:
        await world.v2("CreateEmailIdentityPolicy", **request, Policy="{}")
    assert refused.value.code == "AlreadyExistsException"
    await world.v2("UpdateEmailIdentityPolicy", **request, Policy='{"a": 2}')
    shown = await world.v2("GetEmailIdentityPolicies", EmailIdentity="a@y.example")
    await world.v2("DeleteEmailIdentityPolicy", **request)
    assert shown == {"Policies": {"p": '{"a": 2}'}}
    assert await world.v2("GetEmailIdentityPolicies", EmailIdentity="a@y.example") == {"Policies": {}}
    with pytest.raises(ApiError, match="no JSON object"):
        await world.v2("CreateEmailIdentityPolicy", **request, Policy="[" * 100_000)


async def test_tags(world: World) -> None:
    """Tags of identities and configuration sets are added, replaced, removed and listed by ARN."""
    await world.v2("CreateEmailIdentity", EmailIdentity="a@y.example", Tags=[{"Key": "k", "Value": "1"}])
    await world.v2("CreateConfigurationSet", ConfigurationSetName="cs", Tags=[{"Key": "k", "Value": "1"}])
    prefix = f"arn:aws:ses:us-east-1:{ACCOUNT}:"
    for arn in (f"{prefix}identity/a@y.example", f"{prefix}configuration-set/cs"):
        tags = [{"Key": "k", "Value": "2"}, {"Key": "l", "Value": "3"}]
        await world.v2("TagResource", ResourceArn=arn, Tags=tags)
        assert await world.v2("ListTagsForResource", ResourceArn=arn) == {"Tags": tags}
        await world.v2("UntagResource", ResourceArn=arn, TagKeys=["k", "missing"])
        assert await world.v2("ListTagsForResource", ResourceArn=arn) == {"Tags": tags[1:]}
    for arn in (f"{prefix}identity/b@y.example", "arn", f"{prefix}template/t"):
        with pytest.raises(ApiError) as refused:
            await world.v2("TagResource", ResourceArn=arn, Tags=[])
        assert refused.value.code == "NotFoundException"
