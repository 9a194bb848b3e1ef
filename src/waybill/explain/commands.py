"""Command lines that work as printed."""

import shlex

from waybill.explain.case import Case
from waybill.model.resource import DEFAULT_ACCOUNT


def command(*words: str, argument: str = "", options: tuple[str, ...] = ()) -> str:
    """A ``waybill`` command line; an argument that looks like an option is set off with ``--``."""
    if argument.startswith("-"):
        return shlex.join(["waybill", *words, *options, "--", argument])
    return shlex.join(["waybill", *words, *([argument] if argument else []), *options])


def account_of(case: Case) -> tuple[str, ...]:
    """The option that names the case's account, where it is not the default one."""
    return () if case.message.account == DEFAULT_ACCOUNT else ("--account", case.message.account)


def see_events(case: Case) -> str:
    """The ledger of the message, transcripts included."""
    return command("events", argument=case.message.id)


def take_off_list(case: Case, address: str, *, on_global: bool) -> str:
    """Removes a suppression entry."""
    options = ("--global",) if on_global else account_of(case)
    return command("suppression", "remove", argument=address, options=options)
