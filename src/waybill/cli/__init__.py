"""The ``waybill`` command. Each subcommand's module is loaded when it is asked for, so that ``--help`` is quick."""

import importlib
import sys

import click

COMMANDS = {
    "demo": ("waybill.cli.demo", "Show every way mail can fail, in under a minute."),
    "serve": ("waybill.cli.serve", "Run the service."),
    "explain": ("waybill.cli.ask", "Say where a message is and why it was not delivered."),
    "find": ("waybill.cli.ask", "Find messages."),
    "events": ("waybill.cli.ask", "Show the raw ledger of a message, transcript included."),
    "check": ("waybill.cli.check", "Say whether a domain is set up so that receivers take its mail."),
    "authentication": ("waybill.cli.authentication", "Show SPF, DKIM and DMARC as they were when mail was sent."),
    "trace": ("waybill.cli.trace", "Say where a received copy spent its time and how it was filed."),
    "status": ("waybill.cli.status", "Say how the service is."),
    "incident": ("waybill.cli.incident", "List, show and end incidents: what fails for many messages at once."),
    "queue": ("waybill.cli.queue", "Look at what waits; hold, release and retry it."),
    "standing": ("waybill.cli.standing", "Say how we stand: rates, pauses, blocklists."),
    "keys": ("waybill.cli.keys", "Create, list and revoke API keys."),
    "account": ("waybill.cli.account", "Show, pause and resume an account's sending."),
    "identities": ("waybill.cli.identities", "Create, show and verify sender identities."),
    "suppression": ("waybill.cli.suppression", "Look at and change the suppression lists."),
    "lint": ("waybill.cli.lint", "Say what speaks against a message, before it is sent."),
    "classify": ("waybill.cli.classify", "Say what an SMTP reply means."),
    "read-report": ("waybill.cli.classify", "Say what a mail that came home is."),
    "unknown-replies": ("waybill.cli.observed", "List the replies that no rule knows."),
    "reports": ("waybill.cli.observed", "List the DMARC and TLS reports that came home."),
    "render": ("waybill.cli.render", "Render a stored template with data."),
    "backup": ("waybill.cli.backup", "Copy the store while the service runs."),
    "watch": ("waybill.cli.watch", "Take in Amazon SES's own events."),
    "lab": ("waybill.cli.lab", "Run a small internet on loopback from a scenario file."),
}


class LazyGroup(click.Group):
    """A group whose commands are named here and imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command, imported now; None for a name that is not in the table."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        command = getattr(module, cmd_name.replace("-", "_"))
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """The list of commands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, meaning) for name, (_, meaning) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 the answer is no, 2 usage, 3 the service or store cannot be reached, 4 not found.",
)
@click.version_option(package_name="waybill")
def cli() -> None:
    """Email sending that can say, for every message, where it is and why it was not delivered."""


def main() -> None:
    """The entry point. A broken pipe (``waybill find | head``) ends quietly."""
    try:
        cli()
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)


if __name__ == "__main__":
    main()
