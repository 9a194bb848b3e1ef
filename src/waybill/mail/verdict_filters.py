"""What spam filters write: Rspamd, SpamAssassin (and amavis), Proofpoint, Barracuda, Mimecast, and flags of any filter."""

import re
from collections.abc import Iterator, Sequence

from waybill.mail.spam_rules import meaning_of
from waybill.mail.verdict import Filed, Said, Verdict, number, plain

_MOST = 8
_RSPAMD = re.compile(r"\b(True|False)\b\s*\[\s*(-?[\d.]+)\s*/\s*(-?[\d.]+)\s*\]", re.IGNORECASE)
_SYMBOL = re.compile(r"\b([A-Z][A-Z0-9_]{2,60})\s{0,3}\((-?\d[\d.]{0,9})\)(?:\[([^\]]{0,300})\])?")
_ACTIONS = {
    "no action": (Filed.INBOX, "nothing was held against it"),
    "greylist": (Filed.NOT_TOLD, "it was put off once (greylisting)"),
    "add header": (Filed.SPAM, "probably spam: it was marked, which puts it into Junk"),
    "rewrite subject": (Filed.SPAM, "probably spam: its subject was marked"),
    "soft reject": (Filed.NOT_TOLD, "it was put off"),
    "quarantine": (Filed.QUARANTINE, "it was put into quarantine"),
    "reject": (Filed.SPAM, "it was to be rejected as spam"),
}
_SA_PAIR = re.compile(
    r"\b(score|hits|required|tag_above|kill_level|tagged_above)\s{0,3}=\s{0,3}(-?[\d.]+)", re.IGNORECASE
)
_SA_TESTS = re.compile(r"\btests\s{0,3}=\s{0,3}\[?([^\]]*?)(?:\]|\s+[a-z_]+=|$)")
_SA_REPORT = re.compile(r"\*\s+(-?[\d.]+)\s+([A-Z][A-Z0-9_]{2,60})\s+([^*]{0,300})")
_BARRACUDA = re.compile(r"(?:SCORE|TAG_LEVEL|QUARANTINE_LEVEL|KILL_LEVEL)=(-?[\d.]+)")
_PROOFPOINT = re.compile(r"\b([a-z]{3,20})=(\S+)")


def read_rspamd(said: Said) -> Iterator[Verdict]:
    """X-Spamd-Result, X-Rspamd-Action, X-Rspamd-Score."""
    result, action = said.first("x-spamd-result"), said.first("x-rspamd-action")
    score_alone = number(said.first("x-rspamd-score"))
    if result is None and action is None and score_alone is None:
        return
    match = _RSPAMD.search(result or "")
    score = number(match[2]) if match else score_alone
    threshold = number(match[3]) if match else None
    filed, text = _ACTIONS.get((action or "").strip().lower(), (Filed.NOT_TOLD, "it does not say what was done"))
    if action is None and match is not None:
        spam = match[1].lower() == "true"
        filed, text = (Filed.SPAM, "taken for spam") if spam else (Filed.INBOX, "not taken for spam")
    of = f" of {plain(threshold)}" if threshold is not None else ""
    points = f", {plain(score)}{of} points" if score is not None else ""
    did = f"action {action}: " if action else ""
    yield Verdict(
        system="Rspamd",
        header="X-Spamd-Result" if result else "X-Rspamd-Action" if action else "X-Rspamd-Score",
        words=(result or action or plain(score or 0))[:400],
        text=f"{did}{text}{points}",
        filed=filed,
        score=score,
        threshold=threshold,
        grounds=_symbols(result or ""),
    )


def _symbols(text: str) -> tuple[str, ...]:
    found = [(number(points) or 0.0, name, options or "") for name, points, options in _SYMBOL.findall(text)]
    against = sorted((each for each in found if each[0] > 0), reverse=True)[:_MOST]
    return tuple(_ground(name, points, options) for points, name, options in against)


def _ground(name: str, points: float, options: str = "") -> str:
    meaning = meaning_of(name)
    detail = f" [{options[:120]}]" if options.strip() else ""
    return f"{plain(points)} {name}{detail}{f': {meaning}' if meaning else ''}"


def read_spamassassin(said: Said) -> Iterator[Verdict]:
    """X-Spam-Status with its tests, X-Spam-Report with their words, X-Spam-Flag, X-Spam-Level."""
    status = said.first("x-spam-status")
    if status is None:
        return
    pairs = {name.lower(): number(text) for name, text in _SA_PAIR.findall(status)}
    if not pairs:
        return
    score = pairs.get("score", pairs.get("hits"))
    threshold = pairs.get("required", pairs.get("kill_level"))
    spam = status.lower().startswith("yes")
    of = f" of {plain(threshold)}" if threshold is not None else ""
    points = f", {plain(score)}{of} points" if score is not None else ""
    yield Verdict(
        system="SpamAssassin",
        header="X-Spam-Status",
        words=status[:400],
        text=f"{'taken for spam' if spam else 'not taken for spam'}{points}",
        filed=Filed.SPAM if spam else Filed.INBOX,
        score=score,
        threshold=threshold,
        grounds=_tests(said.first("x-spam-report") or "", status),
    )


def _tests(report: str, status: str) -> tuple[str, ...]:
    """The rules that counted against it; with points and words where the report has them."""
    told = [(number(points) or 0.0, name, words.strip()) for points, name, words in _SA_REPORT.findall(report)]
    if told:
        against = sorted((each for each in told if each[0] > 0), reverse=True)[:_MOST]
        return tuple(f"{plain(points)} {name}: {words}" for points, name, words in against)
    listed = _SA_TESTS.search(status)
    names = [each.strip() for each in (listed[1] if listed else "").split(",")]
    split = [name.partition("=") for name in names if name and name.lower() != "none"]
    weighed = [(number(points) or 0.0, name.strip()) for name, equals, points in split if equals]
    if weighed:
        against_it = sorted((each for each in weighed if each[0] > 0), reverse=True)[:_MOST]
        return tuple(_ground(name, points) for points, name in against_it)
    known = [name.strip() for name, _, _ in split]
    return tuple(f"{name}: {meaning}" for name in known if (meaning := meaning_of(name)))[:_MOST]


def read_proofpoint(said: Said) -> Iterator[Verdict]:
    """X-Proofpoint-Spam-Details, X-Proofpoint-Virus-Version."""
    details = said.first("x-proofpoint-spam-details")
    virus = said.first("x-proofpoint-virus-version")
    if details is not None:
        pairs = dict(_PROOFPOINT.findall(details))
        rule = pairs.get("rule", "")
        spam = "spam" in rule and "notspam" not in rule
        score = number(pairs.get("score"))
        against = [
            f"{name} {pairs[name]} of 100"
            for name in ("spamscore", "phishscore", "malwarescore", "suspectscore", "bulkscore", "adultscore")
            if (number(pairs.get(name)) or 0) > 0
        ]
        points = f", score {plain(score)} of 100" if score is not None else ""
        yield Verdict(
            system="Proofpoint",
            header="X-Proofpoint-Spam-Details",
            words=details[:400],
            text=f"rule {rule or 'not named'}: {'taken for spam' if spam else 'not taken for spam'}{points}",
            filed=Filed.QUARANTINE if spam else Filed.INBOX,
            score=score,
            grounds=tuple(against),
        )
    if virus is not None:
        yield Verdict(
            system="Proofpoint",
            header="X-Proofpoint-Virus-Version",
            words=virus[:400],
            text="searched for malware, and let through",
        )


def read_barracuda(said: Said) -> Iterator[Verdict]:
    """X-Barracuda-Spam-Status and -Score."""
    status, flag = said.first("x-barracuda-spam-status"), said.first("x-barracuda-spam-flag")
    score = number(said.first("x-barracuda-spam-score"))
    if status is None and flag is None and score is None:
        return
    levels = {match[0].partition("=")[0].lower(): number(match[1]) for match in _BARRACUDA.finditer(status or "")}
    spam = (status or flag or "").lower().startswith("yes")
    score = score if score is not None else levels.get("score")
    quarantine = levels.get("quarantine_level")
    held = spam and score is not None and quarantine is not None and score >= quarantine
    points = f", score {plain(score)}" if score is not None else ""
    limits = ", ".join(
        f"{name.replace('_level', '')} at {plain(level)}"
        for name, level in levels.items()
        if name != "score" and level is not None and level < 100
    )
    yield Verdict(
        system="Barracuda",
        header="X-Barracuda-Spam-Status" if status else "X-Barracuda-Spam-Score",
        words=(status or flag or plain(score or 0))[:400],
        text=f"{'taken for spam' if spam else 'not taken for spam'}{points}{f' ({limits})' if limits else ''}",
        filed=Filed.QUARANTINE if held else Filed.SPAM if spam else Filed.INBOX,
        score=score,
        threshold=levels.get("tag_level"),
    )


def read_mimecast(said: Said) -> Iterator[Verdict]:
    """X-Mimecast-Spam-Score, -Spam-Signature, -Bulk-Signature, -Impersonation-Protect."""
    score = number(said.first("x-mimecast-spam-score"))
    if score is not None:
        yield Verdict(
            system="Mimecast",
            header="X-Mimecast-Spam-Score",
            words=said.first("x-mimecast-spam-score") or "",
            text=f"spam score {plain(score)}; what is held from which score on is set by the administrator (usual: 7 relaxed, 5 moderate, 3 aggressive)",
            score=score,
        )
    for name, what in (("X-Mimecast-Spam-Signature", "spam"), ("X-Mimecast-Bulk-Signature", "bulk mail")):
        value = said.first(name.lower())
        if value is not None and value.strip().lower() == "yes":
            yield Verdict(
                system="Mimecast",
                header=name,
                words=value,
                text=f"it has the signature of known {what}",
                filed=Filed.QUARANTINE if what == "spam" else Filed.NOT_TOLD,
            )
    protect = said.first("x-mimecast-impersonation-protect")
    if protect is not None:
        hits = [part.strip() for part in protect.split(";") if part.strip().lower().endswith("=true")]
        yield Verdict(
            system="Mimecast",
            header="X-Mimecast-Impersonation-Protect",
            words=protect[:400],
            text=f"impersonation: {', '.join(hits)}" if hits else "no sign of impersonation",
        )


def read_others(said: Said) -> Sequence[Verdict]:
    """Flags that many filters write, where none of the above has said more; and IronPort, which says only that it looked."""
    found: list[Verdict] = []
    told = said.first("x-spam-status") is not None and _SA_PAIR.search(said.first("x-spam-status") or "")
    for name in ("X-Spam-Flag", "X-Spam"):
        value = said.first(name.lower())
        if value is None or told:
            continue
        spam = value.strip().lower() in {"yes", "true", "1"}
        no = value.strip().lower() in {"no", "false", "0"}
        if spam or no:
            found.append(
                Verdict(
                    system="a spam filter that does not say its name",
                    header=name,
                    words=value,
                    text="taken for spam" if spam else "not taken for spam",
                    filed=Filed.SPAM if spam else Filed.INBOX,
                )
            )
            break
    if (value := said.first("x-ironport-anti-spam-filtered")) is not None:
        text = "looked at it; what it found stands in a field that only it can read"
        found.append(Verdict(system="Cisco", header="X-IronPort-Anti-Spam-Filtered", words=value, text=text))
    return found
