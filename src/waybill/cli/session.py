"""What most commands begin with: the settings and the store, and how they end when those cannot be had."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from waybill.model.clock import now
from waybill.settings import Settings, SettingsError, load_settings
from waybill.store.open import open_store
from waybill.store.protocol import Store, StoreUnavailable

# How a command ends, beside 0.
NO = 1
USAGE = 2
UNREACHABLE = 3
NOT_FOUND = 4

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


def config_option(command: F) -> F:
    """The ``--config`` option that every command takes."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Settings file; else WAYBILL_CONFIG, else ./waybill.toml.",
    )(command)


def _check_config(_: click.Context, __: click.Parameter, config: Path | None) -> None:
    if config is not None:
        settings_of(config)


def unused_config_option(command: F) -> F:
    """``--config`` of a command that needs no settings: taken as every command takes it, and checked."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        expose_value=False,
        callback=_check_config,
        help="Settings file; it is checked, this command needs none.",
    )(command)


def json_option(command: F) -> F:
    """The ``--json`` option."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def fail(text: str, code: int) -> click.exceptions.Exit:
    """Prints one line of error and gives what to raise."""
    click.echo(f"waybill: {text}", err=True)
    return click.exceptions.Exit(code)


def settings_of(config: Path | None) -> Settings:
    """The settings; a wrong one ends the command with its line."""
    try:
        return load_settings(config)
    except SettingsError as error:
        raise fail(str(error), USAGE) from None


def on_store(settings: Settings, work: Callable[[Store], Awaitable[T]], *, create: bool = False) -> T:
    """Runs ``work`` on the store of the settings. Raises: StoreUnavailable."""

    async def session() -> T:
        store = await open_store(settings.store, clock=now, file_events=bool(settings.publish.file), create=create)
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(session())


def with_store(config: Path | None, work: Callable[[Store], Awaitable[T]], *, create: bool = False) -> T:
    """Runs ``work`` on the store, whether the service is running or not; a store that cannot be had ends the command."""
    settings = settings_of(config)
    try:
        return on_store(settings, work, create=create)
    except StoreUnavailable as error:
        raise fail(str(error), UNREACHABLE) from None
