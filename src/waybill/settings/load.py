"""Reads the settings of a file and of the environment; a wrong one stops the start with one line."""

import os
import re
import ssl
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from waybill.settings.sections import Settings, sections, settings_of

ENVIRONMENT_PREFIX = "WAYBILL__"
DEFAULT_FILE = Path("waybill.toml")
_SHOWN = 100


class SettingsError(Exception):
    """A setting is wrong: one line that names the file (or variable), the key and what is allowed."""


def _shown(value: object) -> str:
    """The value for an error: on one line, not too long, and without a password."""
    text = re.sub(r"(://[^:@/]*:)[^@/]*@", r"\1***@", repr(value))
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _parse_section(name: str, section: type[Any], values: Mapping[str, object], where: str) -> dict[str, Any]:
    known = settings_of(section)
    parsed: dict[str, Any] = {}
    for key, value in values.items():
        full = f"{name}.{key}" if name else key
        if key not in known:
            allowed = ", ".join([*known, *(() if name else [s for s in sections() if s])])
            raise SettingsError(f"{where}: unknown setting {_shown(full)}; allowed: {allowed}")
        try:
            parsed[key] = known[key].metadata["parse"](value)
        except ValueError as error:
            raise SettingsError(f"{where}: {full} = {_shown(value)} is not allowed; it must be {error}") from None
    return parsed


def _apply(settings: Settings, document: Mapping[str, Any], where: str) -> Settings:
    known_sections = {name: cls for name, cls in sections().items() if name}
    top = {key: value for key, value in document.items() if key not in known_sections}
    settings = replace(settings, **_parse_section("", Settings, top, where))
    for name, section in known_sections.items():
        values = document.get(name, {})
        if not isinstance(values, Mapping):
            raise SettingsError(f"{where}: {name} = {_shown(values)} is not allowed; it must be a table, [{name}]")
        changed = _parse_section(name, section, values, where)
        settings = replace(settings, **{name: replace(getattr(settings, name), **changed)})
    return settings


def _from_environment(environment: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Each variable ``WAYBILL__SECTION__KEY`` as a document of its own, so that errors can name it."""
    documents: dict[str, dict[str, Any]] = {}
    for variable, text in sorted(environment.items()):
        if not variable.startswith(ENVIRONMENT_PREFIX):
            continue
        path = variable.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
        documents[variable] = {path[0]: text} if len(path) == 1 else {path[0]: {"__".join(path[1:]): text}}
    return documents


def _check_together(settings: Settings, where: str) -> None:
    submission, inbound = settings.submission, settings.inbound
    for name, door in (("submission", submission), ("inbound", inbound)):
        if bool(door.tls_cert) != bool(door.tls_key):
            missing = "tls_key" if door.tls_cert else "tls_cert"
            raise SettingsError(f"{where}: {name}.{missing} is missing; STARTTLS needs both tls_cert and tls_key")
    for key, path in (
        ("submission.tls_cert", submission.tls_cert),
        ("submission.tls_key", submission.tls_key),
        ("inbound.tls_cert", inbound.tls_cert),
        ("inbound.tls_key", inbound.tls_key),
        ("delivery.ca_file", settings.delivery.ca_file),
        ("publish.ca_file", settings.publish.ca_file),
    ):
        if path and not Path(path).is_file():
            raise SettingsError(f"{where}: {key} = {path!r} is not allowed; it must be a file that exists")


def check_files(settings: Settings) -> None:
    """Reads the files that the settings name as the service will; other commands need not be able to.

    Raises:
        SettingsError: one of them cannot be used.
    """
    publish = settings.publish
    for name, door in (("submission", settings.submission), ("inbound", settings.inbound)):
        if not door.tls_cert:
            continue
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
                door.tls_cert, door.tls_key, password=""
            )
        except OSError as error:
            raise SettingsError(
                f"{name}.tls_cert = {door.tls_cert!r} with tls_key = {door.tls_key!r} is not "
                f"allowed; they must be PEM files of a certificate chain and its key, without a password ({error})"
            ) from None
    for name, authorities in (("delivery", settings.delivery.ca_file), ("publish", publish.ca_file)):
        if not authorities:
            continue
        try:
            ssl.create_default_context().load_verify_locations(authorities)
        except OSError as error:
            raise SettingsError(
                f"{name}.ca_file = {authorities!r} is not allowed; it must be a PEM file of certificates ({error})"
            ) from None
    file = Path(publish.file)
    if publish.file and (file.is_dir() or not file.parent.is_dir()):
        raise SettingsError(
            f"publish.file = {publish.file!r} is not allowed; it must be a file in a folder that exists"
        )


def load_settings(file: Path | None, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of a file (else ``WAYBILL_CONFIG``, else ./waybill.toml where it exists) and of the environment, which wins.

    Raises:
        SettingsError: a file that cannot be read, an unknown key, a value that is not allowed.
    """
    if file is None and environment.get("WAYBILL_CONFIG"):
        file = Path(environment["WAYBILL_CONFIG"])
    if file is None and DEFAULT_FILE.exists():
        file = DEFAULT_FILE
    settings = Settings()
    if file is not None:
        try:
            document = tomllib.loads(file.read_text("utf-8"))
        except OSError as error:
            raise SettingsError(f"{file}: cannot be read: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise SettingsError(f"{file}: not a TOML file: {error}") from None
        settings = _apply(settings, document, str(file))
    variables = _from_environment(environment)
    for variable, values in variables.items():
        settings = _apply(settings, values, variable)
    sources = [*([str(file)] if file else []), *(["the environment"] if variables else [])]
    _check_together(settings, " and ".join(sources))
    return settings
