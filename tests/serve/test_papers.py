"""Certificates that end, and keys that are not published any more, are said before anybody is turned away for them."""

import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.net.certificates import Issued, issue
from waybill.lab.dns import LabDns, Zones
from waybill.model.clock import DAY, HOUR, now
from waybill.model.resource import DEFAULT_ACCOUNT, INSTALLATION, Account, DkimKey, Identity, Verification
from waybill.net.resolver import Resolver
from waybill.serve.certificates import Certificates, Shown, shown_by
from waybill.serve.health import State
from waybill.serve.papers import Papers
from waybill.serve.watch import Watch
from waybill.settings import Settings
from waybill.store.open import open_store
from waybill.store.protocol import Store


def write(folder: Path, issued: Issued) -> Shown:
    certificate, key = folder / "cert.pem", folder / "key.pem"
    certificate.write_bytes(issued.certificate.public_bytes(Encoding.PEM))
    key.write_bytes(issued.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return Shown(setting="submission.tls_cert", path=str(certificate), key=str(key))


@pytest.mark.parametrize(
    ("days", "state", "words"),
    [
        (-40, State.FAILING, "is not valid before"),
        (0, State.OK, "mail.test) is good until"),
        (17, State.DEGRADED, "in 12 days"),
        (28, State.FAILING, "in 1 days"),
        (31, State.FAILING, "has expired"),
    ],
)
def test_the_time_that_is_left(days: int, state: State, words: str, tmp_path: Path) -> None:
    """A certificate of thirty days, looked at on different days."""
    issued = issue("mail.test", at=dt.datetime.now(dt.UTC))
    found = Certificates(shown=[write(tmp_path, issued)]).look(now() + days * DAY + HOUR)
    assert state is found.state
    assert words in found.evidence


def test_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    """The next start would fail: said now. So is a key that is another's."""
    shown = write(tmp_path, issue("mail.test"))
    certificates = Certificates(shown=[shown])
    assert State.OK is certificates.look(now()).state
    Path(shown.path).write_text("nonsense")
    found = certificates.look(now())
    assert (State.FAILING, True) == (found.state, "cannot be used by the next start" in found.evidence)
    write(tmp_path, issue("mail.test"))
    Path(shown.key).write_bytes(
        issue("other.test").key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    assert State.FAILING is certificates.look(now()).state
    Path(shown.path).unlink()
    assert "No such file" in Certificates(shown=[shown]).look(now()).evidence


def test_a_renewed_file_is_shown_after_a_restart(tmp_path: Path) -> None:
    """Until then the service shows the old one, and that is what is judged."""
    shown = write(tmp_path, issue("mail.test"))
    certificates = Certificates(shown=[shown])
    certificates.look(now())
    write(tmp_path, issue("mail.test", at=dt.datetime.now(dt.UTC) + dt.timedelta(days=20)))
    found = certificates.look(now() + 20 * DAY)
    assert (State.DEGRADED, True) == (found.state, "which is shown after a restart" in found.evidence)


def test_no_certificate_is_no_fault() -> None:
    """Then nothing is encrypted, as the settings have it."""
    assert () == shown_by(Settings())
    assert State.OK is Certificates(shown=()).look(now()).state


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await open_store(f"sqlite:///{tmp_path}/waybill.db", clock=now)
    await store.put(Account(account=INSTALLATION, name=DEFAULT_ACCOUNT, created_at=now()))
    yield store
    await store.close()


async def test_keys_that_have_gone(store: Store) -> None:
    """Of verified domains alone: others wait for their owners anyway. It is over when the record is back."""
    key = DkimKey(selector="w1", algorithm="rsa", private_pem="x", public="MIIB", created_at=now())
    verified = Identity(
        account=DEFAULT_ACCOUNT,
        name="shop.test",
        created_at=now(),
        token="t",
        verification=Verification.SUCCESS,
        dkim_verification=Verification.SUCCESS,
        dkim_keys=(key,),
    )
    await store.put(verified)
    await store.put(replace(verified, name="new.test", dkim_verification=Verification.PENDING))
    at = [now()]
    watch = Watch(lambda: at[0])
    async with LabDns({"shop.test": ["A 127.0.0.1"]}) as dns:
        resolver = Resolver([dns.address], patience=1.0, rounds=1, monotonic=lambda: at[0] / 1_000)
        papers = Papers(
            watch=watch, certificates=Certificates(shown=()), store=store, resolver=resolver, clock=lambda: at[0]
        )
        await papers.look()
        gone = watch.parts["dkim"]
        assert State.DEGRADED is gone.state
        assert "1 of 1 verified domains do not publish a key" in gone.evidence
        assert "NXDOMAIN for w1._domainkey.shop.test TXT" in gone.evidence
        dns.zones = Zones({"w1._domainkey.shop.test": ["TXT v=DKIM1; k=rsa; p=MIIB"]})
        at[0] += HOUR
        await papers.look()
        assert watch.is_well("dkim")
        await resolver.close()
