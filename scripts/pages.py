"""The pages of the documentation that are made from the code: settings and causes."""

import json
from dataclasses import Field
from typing import Any

from waybill.model.cause import CATALOGUE, Branch, CauseEntry
from waybill.settings import ENVIRONMENT_PREFIX, sections, settings_of

_SETTINGS = f"""\
# Settings

Every setting of Waybill. This page is generated from the code by `scripts/generate_docs.py`.

Settings come from a TOML file: the one of `--config FILE`, else of the variable `WAYBILL_CONFIG`, else `waybill.toml` in
the working folder where there is one. The environment wins over the file: the key `port` of the section `[delivery]` is
`{ENVIRONMENT_PREFIX}DELIVERY__PORT` there, and `store` is `{ENVIRONMENT_PREFIX}STORE`. A list is written as in the file, or with
commas: `{ENVIRONMENT_PREFIX}DELIVERY__RETRY="1m, 5m"`. Durations are a number and one of `ms`, `s`, `m`, `h`, `d`.

A wrong key or value stops the start with one line that names the file (or variable), the key and what is allowed.
"""

_CAUSES = """\
# Causes

The closed vocabulary in which Waybill says why a message was not delivered, or waits. This page is generated from the
catalogue by `scripts/generate_docs.py`.

*Scope* is what the refusal is about; only a certain, permanent refusal about the recipient itself puts an address on a
suppression list (*suppresses*). *Permanent* says whether trying the same message again to the same address could ever
work. *SES* is the bounce type and sub-type, or the delay type, under which Amazon SES's events show the cause.
"""

_BRANCHES = {
    Branch.TEMPLATE: "The template or its data",
    Branch.ADDRESS: "The recipient's address",
    Branch.RECEIVER: "The receiving server",
    Branch.SPAM: "Authentication, content and reputation",
    Branch.DELAY: "Waiting",
    Branch.SERVICE: "Waybill itself, or a whole provider",
    Branch.ACCOUNT: "The sender's account",
}


def settings_page() -> str:
    """The text of ``docs/settings.md``: a table for each section."""
    parts = [_SETTINGS]
    for name, section in sections().items():
        title = f"`[{name}]`" if name else "At the top of the file"
        meaning = "" if not name else f"{section.__doc__}\n\n"
        parts.append(f"\n## {title}\n\n{meaning}| key | default | meaning | environment |\n|---|---|---|---|\n")
        parts += [_setting_row(name, key, field) for key, field in settings_of(section).items()]
    return "".join(parts)


def _setting_row(section: str, key: str, field: Field[Any]) -> str:
    default = json.dumps(field.metadata["toml"])
    path = "__".join(part.upper() for part in (section, key) if part)
    return f"| `{key}` | `{default}` | {_cell(field.metadata['meaning'])} | `{ENVIRONMENT_PREFIX}{path}` |\n"


def causes_page() -> str:
    """The text of ``docs/causes.md``: the catalogue by branch."""
    parts = [_CAUSES]
    for branch, title in _BRANCHES.items():
        parts.append(f"\n## {title} (`{branch}`)\n")
        parts += [_cause(entry) for entry in CATALOGUE.values() if entry.branch is branch]
    return "".join(parts)


def _cause(entry: CauseEntry) -> str:
    facts = [
        f"scope `{entry.scope}`",
        "permanent" if entry.permanent else "not permanent",
        "suppresses" if entry.suppress else "does not suppress",
        f"SES bounce `{'/'.join(entry.ses)}`" if entry.ses else "no SES bounce",
    ]
    if entry.delay_type:
        facts.append(f"SES delay `{entry.delay_type}`")
    lines = [f"\n### `{entry.code}`\n", entry.meaning]
    if entry.not_meaning:
        lines.append(f"It does not mean: {entry.not_meaning}")
    lines += [f"\n{', '.join(facts)}.\n", f"**What to do:** {entry.remedy}", ""]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "&#124;")
