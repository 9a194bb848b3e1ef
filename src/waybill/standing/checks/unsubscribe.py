"""One-click unsubscribe (RFC 8058), as the domain's newest messages have it."""

import re

from waybill.standing.checks.check import About, Check, Sender, Tools

IDS = ("one_click_unsubscribe",)

_LINK = re.compile(r"<\s*(https://[^>\s]+)\s*>", re.IGNORECASE)
_CLICK = "list-unsubscribe=one-click"
_HOW = (
    "Marketing mail needs two header fields, which Waybill's DKIM signature covers: "
    "List-Unsubscribe: <https://…> and List-Unsubscribe-Post: List-Unsubscribe=One-Click"
)


async def check(sender: Sender, tools: Tools) -> list[Check]:
    """What the ledger knows; nothing is sent and no link is opened."""
    return [_judge(sender, tools)]


def _judge(sender: Sender, tools: Tools) -> Check:
    about = About(id="one_click_unsubscribe", subject=sender.domain)
    fields = [{name.lower(): value for name, value in headers} for headers in sender.mail]
    if not fields:
        return about.is_unknown(
            f"The ledger has no mail from {sender.domain}: its header fields are not known.", remedy=_HOW
        )
    listed = [each for each in fields if "list-unsubscribe" in each]
    half = [each for each in listed if _lacks(each)]
    count, total = len(listed) - len(half), len(fields)
    shown = (half or listed or [{}])[0]
    seen = "; ".join(
        f"{name}: {shown.get(name.lower(), '(none)')}" for name in ("List-Unsubscribe", "List-Unsubscribe-Post")
    )
    heard = tools.heard(f"{total} messages from {sender.domain}", f"{count} have both fields. {seen}", "ledger")
    about = About(id=about.id, subject=about.subject, evidence=(heard,))
    if half:
        return about.fails(
            f"{len(half)} of the newest {total} messages have List-Unsubscribe, and not all of what makes it one click: "
            f"{_lacks(half[0])}.",
            remedy=_HOW,
        )
    if count == total:
        return about.passes(f"All of the newest {total} messages can be unsubscribed from with one click.")
    return about.warns(
        f"{count} of the newest {total} messages can be unsubscribed from with one click. Marketing mail must be; "
        "receipts, codes and the like need not.",
        remedy=_HOW,
    )


def _lacks(fields: dict[str, str]) -> str:
    """What a message that has List-Unsubscribe still lacks; empty: nothing."""
    if not _LINK.search(fields["list-unsubscribe"]):
        return "there is no https: link in it"
    given = fields.get("list-unsubscribe-post")
    if given is None:
        return "List-Unsubscribe-Post is missing"
    return "" if "".join(given.split()).lower() == _CLICK else f"List-Unsubscribe-Post says {given!r}"
