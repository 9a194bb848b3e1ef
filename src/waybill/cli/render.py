"""``waybill render``: a stored template with data, as it would be sent, or why it cannot be."""

from pathlib import Path

import click

from waybill.accept.render import render_content
from waybill.accept.request import TemplateContent
from waybill.cli.session import NO, NOT_FOUND, config_option, fail, with_store
from waybill.model.refusal import Rejected
from waybill.model.resource import DEFAULT_ACCOUNT


@click.command()
@click.argument("template")
@click.option("--data", default="{}", help="Template data, a JSON object.")
@click.option("--account", default=DEFAULT_ACCOUNT, show_default=True)
@config_option
def render(template: str, data: str, account: str, config: Path | None) -> None:
    """Render a stored template; exit 1 says why it cannot be rendered."""
    content = TemplateContent(name=template, data=data)
    try:
        rendered = with_store(config, lambda store: render_content(content, store, account))
    except Rejected as refusal:
        raise fail(refusal.text, NOT_FOUND) from None
    failed = rendered.failed
    if failed is not None:
        place = f"{failed.part}, line {failed.line}, column {failed.column}: " if failed.line else ""
        near = f" (your data has {failed.closest!r})" if failed.closest else ""
        raise fail(f"{place}{failed.error}{near}", NO)
    click.echo(f"Subject: {rendered.subject}")
    for name, body in (("Text", rendered.text), ("Html", rendered.html)):
        if body is not None:
            click.echo(f"\n{name}:\n{body}")
