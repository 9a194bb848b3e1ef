"""``waybill backup``: a copy of the store and its key, while the service runs."""

import json
from pathlib import Path

import click

from waybill.cli.session import config_option, json_option, with_store
from waybill.store.seal import key_path


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
@config_option
def backup(file: Path, config: Path | None, *, as_json: bool) -> None:
    """Copy the store to FILE and its key to FILE.key; the service may run meanwhile."""
    target = file.absolute()
    with_store(config, lambda store: store.backup(str(target)))
    octets = target.stat().st_size
    if as_json:
        click.echo(json.dumps({"file": str(target), "key": str(key_path(target)), "bytes": octets}, indent=2))
        return
    click.echo(f"{target} holds the store as it was just now ({octets} bytes); {key_path(target)} is its key.")
    click.echo(
        "Keep the key apart from the copies. Restore: stop the service, put both in place of the store, start it."
    )
