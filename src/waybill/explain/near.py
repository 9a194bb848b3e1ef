"""Near misses: names that were probably meant."""

from collections.abc import Collection

WELL_KNOWN = (
    *("gmail.com", "googlemail.com", "yahoo.com", "hotmail.com", "outlook.com", "live.com", "msn.com", "icloud.com"),
    *("me.com", "aol.com", "gmx.de", "gmx.net", "web.de", "t-online.de", "orange.fr", "wanadoo.fr", "free.fr"),
    *("yahoo.co.uk", "hotmail.co.uk", "btinternet.com", "comcast.net", "verizon.net", "att.net", "mail.com"),
    *("proton.me", "protonmail.com", "fastmail.com", "zoho.com", "yandex.ru", "mail.ru", "qq.com", "163.com"),
    *("ymail.com", "rocketmail.com", "gmx.com", "gmx.at", "gmx.ch", "mac.com", "outlook.de", "outlook.fr", "live.de"),
    *("hotmail.de", "hotmail.fr", "hotmail.it", "yahoo.de", "yahoo.fr", "yahoo.it", "yahoo.es", "libero.it", "wp.pl"),
    *("126.com", "hey.com", "tutanota.com", "tuta.com", "laposte.net", "sfr.fr", "freenet.de", "bluewin.ch"),
    "email.com",
)


def distance(left: str, right: str, *, most: int) -> int:
    """Edits (insert, delete, replace, swap of neighbours) from one to the other; ``most + 1`` where there are more."""
    if abs(len(left) - len(right)) > most:
        return most + 1
    before: list[int] = []
    previous = list(range(len(right) + 1))
    for row, a in enumerate(left, 1):
        current = [row]
        for column, b in enumerate(right, 1):
            cost = min(previous[column] + 1, current[-1] + 1, previous[column - 1] + (a != b))
            if row > 1 and column > 1 and a == right[column - 2] and left[row - 2] == b:
                cost = min(cost, before[column - 2] + 1)
            current.append(cost)
        before, previous = previous, current
    return min(previous[-1], most + 1)


def near_domain(domain: str, known: Collection[str] = WELL_KNOWN, *, most: int = 2) -> str | None:
    """The well-known mailbox domain that is one or two typing errors away; None where none is, or it is one itself."""
    if domain in known:
        return None
    most = min(most, 1 if len(domain) < 8 else 2)
    ranked = sorted((distance(domain, name, most=most), name) for name in known)
    return ranked[0][1] if ranked and ranked[0][0] <= most else None
