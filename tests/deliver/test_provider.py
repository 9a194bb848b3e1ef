"""The mailbox providers, and the sites that mail goes to."""

import re

import pytest

from waybill.deliver import provider
from waybill.deliver.provider import PROVIDERS, ProviderError, Site, Sites, load_providers, plain_site

GOOD = """
[[provider]]
name = "google"
title = "Google"
mx = ["google.com"]
connections = 5
source.connections = "where it is from"

[[provider]]
name = "yahoo"
title = "Yahoo"
mx = ["yahoodns.net"]
"""


def test_a_good_document_loads() -> None:
    """The document that the faults below are put into is right."""
    assert [each.name for each in load_providers(GOOD).all] == ["google", "yahoo"]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('name = "yahoo"', 'name = "google"', "provider 'google': the name is used twice"),
        ('mx = ["yahoodns.net"]', 'mx = ["google.com"]', "provider 'yahoo': mx 'google.com' is 'google''s already"),
        ('mx = ["yahoodns.net"]', 'mx = ["l.google.com"]', "'l.google.com' is inside 'google.com' of 'google'"),
        ('mx = ["google.com"]', 'mx = ["a.b", "b"]', "'a.b' is inside 'b' of 'google'"),
        ('mx = ["google.com"]', "", "provider 'google': needs a name, a title, and mx"),
        ('title = "Google"', "", "provider 'google': needs a name, a title, and mx"),
        ('source.connections = "where it is from"', "", "connections = 5 without source.connections"),
        ("connections = 5", "", "source.connections without connections"),
        ("connections = 5", "connections = 0", "connections = 0; allowed is a number above 0"),
        ("connections = 5", "connections = true", "connections = True; allowed is a number above 0"),
        ("connections = 5", "connections = 5\nsource.colour = 'x'", "source.colour; allowed are connections"),
        ("connections = 5", "connections = 5\ncolour = 1", "unknown key 'colour'; allowed are connections, marks"),
        ('name = "google"', "name = google", "providers.toml: Invalid value"),
    ],
)
def test_a_fault_stops_the_load(old: str, new: str, fault: str) -> None:
    """Each fault is refused with the provider, the key and what is allowed."""
    assert old in GOOD
    with pytest.raises(ProviderError, match=re.escape(fault)):
        load_providers(GOOD.replace(old, new))


def test_the_file_knows_the_large_ones() -> None:
    """At least sixteen providers, each number of them with its source."""
    assert len(PROVIDERS.all) >= 16
    for each in PROVIDERS.all:
        numbers = {
            key for key in ("connections", "messages_per_connection", "per_second") if getattr(each, key) is not None
        }
        assert set(each.source) == numbers


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("gmail-smtp-in.l.google.com", "google"),
        ("ASPMX.L.GOOGLE.COM.", "google"),
        ("contoso-com.mail.protection.outlook.com", "microsoft"),
        ("hotmail-com.olc.protection.outlook.com", "microsoft"),
        ("contoso-com.k-v1.mx.microsoft", "microsoft"),
        ("mta5.am0.yahoodns.net", "yahoo"),
        ("mx01.mail.icloud.com", "apple"),
        ("smtp-in.orange.fr", "orange"),
        ("mx1.comcast.net", "comcast"),
        ("mx00.gmx.net", "1und1"),
        ("mx-ha02.web.de", "1und1"),
        ("mxs.mail.ru", "mail.ru"),
        ("mx.yandex.net", "yandex"),
        ("mxa-00123456.gslb.pphosted.com", "proofpoint"),
        ("eu-smtp-inbound-1.mimecast.com", "mimecast"),
        ("notgoogle.com", None),
        ("google.com.evil.example", None),
        ("", None),
    ],
)
def test_a_provider_is_known_by_its_hosts(host: str, name: str | None) -> None:
    """By whole labels at the end of the host name, in any case."""
    found = PROVIDERS.of_host(host)
    assert (found.name if found is not None else None) == name


def test_a_site_has_the_providers_numbers_and_the_defaults() -> None:
    """What nobody published is the default; who is no provider has only defaults."""
    assert PROVIDERS.site("mta5.am0.yahoodns.net") == Site(
        name="yahoo",
        title="Yahoo and AOL",
        provider="yahoo",
        connections=20,
        per_second=None,
        messages_per_connection=20,
    )
    assert PROVIDERS.site("mx.b.example", connections=7, messages=9) == plain_site(
        "mx.b.example", connections=7, messages=9
    )


@pytest.mark.parametrize(("workers", "share"), [(1, 5), (2, 2), (5, 1), (40, 1), (0, 5)])
def test_workers_share_the_connections(workers: int, share: int) -> None:
    """Together they have no more than the site bears, and each has one."""
    assert PROVIDERS.site("aspmx.l.google.com").share(workers) == share


def test_sites_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest are forgotten; what is used again stays."""
    monkeypatch.setattr(provider, "MAX_SITES", 3)
    sites = Sites()
    for last in range(5):
        sites.remember(f"{last}.test", sites.of_host(f"mx{last}.test"))
    assert [sites.known(f"{last}.test") is not None for last in range(5)] == [False, False, True, True, True]
    assert sites.of_host("mx4.test") is sites.known("4.test")
