"""Settings: the documented defaults, where they come from, and one clear line for each that is wrong."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waybill.model.clock import DAY, HOUR, MINUTE, SECOND
from waybill.settings import (
    Endpoint,
    Settings,
    SettingsError,
    check_files,
    load_settings,
    parse_duration,
    sections,
    settings_of,
)

PUBLIC: dict[str, dict[str, object]] = {
    "": {"store": "sqlite:///waybill-data/waybill.db"},
    "http": {"listen": "127.0.0.1:8025"},
    "submission": {"listen": "127.0.0.1:1025", "tls_cert": "", "tls_key": ""},
    "inbound": {"listen": "127.0.0.1:2526", "bounce_domain": "bounce.localhost"},
    "dns": {"servers": []},
    "delivery": {
        "hostname": "",
        "source_addresses": [],
        "port": 25,
        "allow_private": False,
        "relay": "",
        "dane": True,
        "mta_sts": True,
        "retry": ["1m", "5m", "15m", "30m", "1h"],
        "max_lifetime": "14h",
    },
    "identities": {"verification": "dns"},
    "account": {"max_send_rate": 0, "max_24_hour_send": 0},
    "publish": {"allow_private": False, "ca_file": ""},
}


def load(tmp_path: Path, text: str, **environment: str) -> Settings:
    file = tmp_path / "waybill.toml"
    file.write_text(text, "utf-8")
    return load_settings(file, environment)


def test_the_public_settings_and_their_defaults() -> None:
    """Those that the outside relies on."""
    for name, expected in PUBLIC.items():
        known = settings_of(sections()[name])
        assert expected == {key: known[key].metadata["toml"] for key in expected}


def test_every_setting_has_a_meaning_and_a_default_that_is_allowed() -> None:
    """They are few, each is one sentence at least, and the defaults stand in the parsed settings."""
    settings = load_settings(None, {})
    count = 0
    for name, section in sections().items():
        record = getattr(settings, name) if name else settings
        for key, field in settings_of(section).items():
            count += 1
            assert field.metadata["meaning"].endswith(".")
            assert field.metadata["parse"](field.metadata["toml"]) == getattr(record, key)
    assert count <= 40


def test_a_file(tmp_path: Path) -> None:
    """Values are parsed; what is not given keeps its default."""
    settings = load(
        tmp_path,
        """
        store = "sqlite:////var/lib/waybill/ledger.db"
        [http]
        listen = "[::1]:80"
        public_url = "https://mail.example.com/"
        [dns]
        servers = ["127.0.0.1:5353", "::1"]
        [delivery]
        retry = ["90s", "2d"]
        relay = "smtp://user:secret@relay.example:587"
        source_addresses = ["192.0.2.1", "2001:db8::1"]
        hostname = "Mail.Example.com"
        [account]
        max_send_rate = 1.5
        """,
    )
    assert "sqlite:////var/lib/waybill/ledger.db" == settings.store
    assert (Endpoint("::1", 80), "https://mail.example.com") == (settings.http.listen, settings.http.public_url)
    assert "[::1]:80" == str(settings.http.listen)
    assert ("127.0.0.1:5353", "::1") == settings.dns.servers
    assert (90 * SECOND, 2 * DAY) == settings.delivery.retry
    assert ("mail.example.com", 1.5) == (settings.delivery.hostname, settings.account.max_send_rate)
    assert (14 * HOUR, 25) == (settings.delivery.max_lifetime, settings.delivery.port)


def test_the_environment_wins(tmp_path: Path) -> None:
    """Lists are written with commas, or as in the file."""
    settings = load(
        tmp_path,
        '[delivery]\nport = 26\nretry = ["1m"]\n',
        WAYBILL__STORE="postgresql://localhost/waybill",
        WAYBILL__DELIVERY__PORT="2525",
        WAYBILL__DELIVERY__RETRY="1s, 2s",
        WAYBILL__DELIVERY__ALLOW_PRIVATE="true",
        WAYBILL__DNS__SERVERS='["127.0.0.1:5353"]',
        WAYBILL__HTTP__LISTEN="[::1]:8025",
        WAYBILL__DELIVERY__SOURCE_ADDRESSES="",
        WAYBILL__ACCOUNT__MAX_SEND_RATE="0.5",
        OTHER="x",
    )
    assert ("postgresql://localhost/waybill", 2525, (1000, 2000), True) == (
        settings.store,
        settings.delivery.port,
        settings.delivery.retry,
        settings.delivery.allow_private,
    )
    assert (("127.0.0.1:5353",), Endpoint("::1", 8025), (), 0.5) == (
        settings.dns.servers,
        settings.http.listen,
        settings.delivery.source_addresses,
        settings.account.max_send_rate,
    )


def test_which_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one named, else WAYBILL_CONFIG, else ./waybill.toml, else none."""
    monkeypatch.chdir(tmp_path)
    assert 25 == load_settings(None, {}).delivery.port
    for name, port in (("waybill.toml", 1), ("b.toml", 2), ("c.toml", 3)):
        (tmp_path / name).write_text(f"[delivery]\nport = {port}\n")
    assert 1 == load_settings(None, {}).delivery.port
    assert 2 == load_settings(None, {"WAYBILL_CONFIG": "b.toml"}).delivery.port
    assert 3 == load_settings(Path("c.toml"), {"WAYBILL_CONFIG": "b.toml"}).delivery.port


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("stor = 1", "unknown setting 'stor'; allowed: store, service, http, submission,"),
        ("[http]\nlisen = 1", "unknown setting 'http.lisen'; allowed: listen, public_url"),
        ("http = 1", "http = 1 is not allowed; it must be a table, [http]"),
        ("[[http]]", "http = [{}] is not allowed; it must be a table, [http]"),
        ("store = 'mysql://x'", "store = 'mysql://x' is not allowed; it must be sqlite:///PATH"),
        ("store = 'sqlite:///'", "store = 'sqlite:///' is not allowed"),
        ("[service]\nworkers = 1000", "service.workers = 1000 is not allowed; it must be a whole number from 0 to 256"),
        ("[http]\nlisten = '8025'", 'it must be an address and port such as "127.0.0.1:8025"'),
        ("[http]\nlisten = '::1:80'", "http.listen = '::1:80' is not allowed"),
        ("[http]\nlisten = 'a:65536'", "http.listen = 'a:65536' is not allowed"),
        ("[http]\npublic_url = 'ftp://x'", "it must be an http:// or https:// URL, or empty"),
        ("[http]\npublic_url = 'http://['", "it must be an http:// or https:// URL, or empty"),
        ("[inbound]\nbounce_domain = ''", "inbound.bounce_domain = '' is not allowed; it must be a domain name"),
        ("[dns]\nservers = ['dns.example']", "dns.servers = ['dns.example'] is not allowed; it must be a list of IP"),
        (
            "[delivery]\nsource_addresses = ['192.0.2.1', '192.0.2.1 m.test']",
            'it must be a list of different IP addresses, with an EHLO name or without: ["192.0.2.7", "192.0.2.8 m8.example.com"]',
        ),
        ("[delivery]\nport = 0", "delivery.port = 0 is not allowed; it must be a port from 1 to 65535"),
        ("[delivery]\nallow_private = 1", "delivery.allow_private = 1 is not allowed; it must be true or false"),
        ("[delivery]\nretry = []", 'it must be a list of at least one duration such as ["1m", "5m"]'),
        ("[delivery]\nretry = ['5 minutes']", "delivery.retry = ['5 minutes'] is not allowed"),
        ("[delivery]\nmax_lifetime = '0s'", 'it must be a duration such as "30s", "5m" or "14h"'),
        ("[delivery]\nmax_lifetime = 60", "delivery.max_lifetime = 60 is not allowed"),
        ("[delivery]\nrelay = 'relay:25'", "it must be smtp://user:password@host:port (or smtps://), or empty"),
        ("[delivery]\nrelay = 'smtp://relay.example/in'", "it must be smtp://user:password@host:port"),
        ("[delivery]\nhostname = 'a b'", "it must be a host name such as mail.example.com, or empty"),
        ("[identities]\nverification = 'off'", "identities.verification = 'off' is not allowed; it must be \"dns\" or"),
        ("[account]\nregion = 'US East'", "it must be a region such as us-east-1"),
        (
            "[account]\nmax_send_rate = nan",
            "account.max_send_rate = nan is not allowed; it must be a number, 0 or more",
        ),
        ("[account]\nmax_24_hour_send = -1", "it must be a whole number, 0 or more"),
        (
            "[publish]\nca_file = 'gone.pem'",
            "publish.ca_file = 'gone.pem' is not allowed; it must be a file that exists",
        ),
        ("[inbound]\ntls_key = 'x.pem'", "inbound.tls_cert is missing; STARTTLS needs both tls_cert and tls_key"),
        ("[submission]\ntls_cert = 'x.pem'", "submission.tls_key is missing; STARTTLS needs both tls_cert and tls_key"),
        ("x = ?", "not a TOML file: Invalid value (at line 1, column 5)"),
        (f"x = {'[' * 5000}", "not a TOML file"),
    ],
)
def test_a_wrong_setting_is_one_line(tmp_path: Path, text: str, error: str) -> None:
    """It names the file, the key and what is allowed."""
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text)
    words = str(caught.value)
    assert words.startswith(f"{tmp_path / 'waybill.toml'}: ")
    assert error in words
    assert "\n" not in words


@pytest.mark.parametrize(
    ("variable", "text", "error"),
    [
        ("WAYBILL__DELIVERY__PORT", "x", "delivery.port = 'x' is not allowed; it must be a port from 1 to 65535"),
        ("WAYBILL__DELIVERY__PROT", "1", "unknown setting 'delivery.prot'; allowed: hostname,"),
        ("WAYBILL__NOPE", "1", "unknown setting 'nope'; allowed: store,"),
        ("WAYBILL__HTTP", "1", "http = '1' is not allowed; it must be a table, [http]"),
        ("WAYBILL__DELIVERY__RETRY", "[1", "delivery.retry = '[1' is not allowed"),
        ("WAYBILL__ACCOUNT__MAX_24_HOUR_SEND", "9" * 5000, "it must be a whole number, 0 or more"),
    ],
)
def test_a_wrong_variable_is_named(variable: str, text: str, error: str) -> None:
    """It is the variable that has to be put right."""
    with pytest.raises(SettingsError) as caught:
        load_settings(None, {variable: text})
    assert str(caught.value).startswith(f"{variable}: ")
    assert error in str(caught.value)


def test_settings_that_do_not_go_together(tmp_path: Path) -> None:
    """All that they came from is named."""
    with pytest.raises(SettingsError, match=r"^the environment: submission.tls_cert is missing;"):
        load_settings(None, {"WAYBILL__SUBMISSION__TLS_KEY": "x.pem"})
    with pytest.raises(SettingsError, match=r"waybill.toml and the environment: submission.tls_cert is missing;"):
        load(tmp_path, "", WAYBILL__SUBMISSION__TLS_KEY="x.pem")


def test_a_password_is_not_shown(tmp_path: Path) -> None:
    """Errors end in logs."""
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, "[delivery]\nrelay = 'smtp://user:hunter2@relay.example:99999'")
    assert "hunter2" not in str(caught.value)
    assert "smtp://user:***@relay.example" in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """Missing, a folder, not UTF-8."""
    (tmp_path / "latin1.toml").write_bytes(b"x = '\xff'")
    for name, words in (("gone.toml", "No such file"), (".", "Is a directory"), ("latin1.toml", "not a TOML file")):
        with pytest.raises(SettingsError, match=words):
            load_settings(tmp_path / name, {})


@pytest.mark.parametrize(
    ("text", "expected"), [("1ms", 1), ("30s", 30 * SECOND), ("5m", 5 * MINUTE), ("14h", 14 * HOUR), ("2d", 2 * DAY)]
)
def test_durations(text: str, expected: int) -> None:
    """A number and a unit."""
    assert expected == parse_duration(text)


_SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=()), max_size=20)
)
_ANYTHING = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
_FIELDS = [field for section in sections().values() for field in settings_of(section).values()]


@given(st.sampled_from(_FIELDS), _ANYTHING | st.text(max_size=20).map(lambda text: f"smtp://{text}"))
def test_any_value_is_taken_or_refused_in_words(field: Any, value: object) -> None:
    """A parser answers, or says on one line what is allowed; it never fails otherwise."""
    try:
        field.metadata["parse"](value)
    except ValueError as error:
        words = str(error)
    else:
        words = "taken"
    assert words
    assert words.isprintable()
    assert len(words) < 120


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[submission]\ntls_cert = '{junk}'\ntls_key = '{junk}'", "they must be PEM files of a certificate chain"),
        ("[inbound]\ntls_cert = '{junk}'\ntls_key = '{junk}'", "inbound.tls_cert = "),
        ("[delivery]\nca_file = '{junk}'", "delivery.ca_file = "),
        ("[publish]\nca_file = '{junk}'", "it must be a PEM file of certificates"),
        ("[publish]\nfile = '{junk}/events.jsonl'", "it must be a file in a folder that exists"),
        ("[publish]\nfile = '/'", "it must be a file in a folder that exists"),
    ],
)
def test_files_that_the_service_cannot_use(tmp_path: Path, text: str, error: str) -> None:
    """They stop ``serve`` with one line; a command that does not need them goes on."""
    junk = tmp_path / "junk.pem"
    junk.write_text("junk", "utf-8")
    settings = load(tmp_path, text.format(junk=junk))
    with pytest.raises(SettingsError) as caught:
        check_files(settings)
    assert error in str(caught.value)
    assert "\n" not in str(caught.value)
