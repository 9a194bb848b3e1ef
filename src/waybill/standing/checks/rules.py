"""What the large receivers ask of everybody who sends to them, and which of it the other checks found met. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from waybill.standing.checks.check import About, Check, Sender, Verdict, worst

IDS = ("ipv6", "gmail_rules", "yahoo_rules", "microsoft_rules")

BULK = 5_000
"""Messages a day from which receivers take a sender for one of bulk mail; Gmail then does so for ever."""

_SPF = ("spf_record", "spf_lookups", "spf_sources")
_FOR_IPV6 = ("ptr", "fcrdns", "spf_sources")
_BAD = (Verdict.FAIL, Verdict.UNKNOWN)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One demand. ``any_of`` groups of checks: one whole group that is well is enough. ``bulk``: from 5,000 a day on."""

    words: str
    any_of: tuple[tuple[str, ...], ...]
    bulk: bool = False


_SPF_OR_DKIM = Rule(words="SPF or DKIM passes", any_of=(_SPF, ("dkim_key",)))
_SPF_PASSES = Rule(words="SPF passes", any_of=(_SPF,), bulk=True)
_DKIM_PASSES = Rule(words="DKIM passes", any_of=(("dkim_key", "dkim_strength"),), bulk=True)
_DMARC = Rule(words="there is a DMARC record", any_of=(("dmarc_record",),), bulk=True)
_ALIGNED = Rule(words="SPF or DKIM is aligned with From", any_of=(("alignment",),), bulk=True)
_ONE_CLICK = Rule(words="marketing mail has one-click unsubscribe", any_of=(("one_click_unsubscribe",),), bulk=True)
_NAMED = Rule(words="each address has a name that leads back to it", any_of=(("ptr", "fcrdns"),))
_ANSWERABLE = Rule(words="the From domain takes mail", any_of=(("mx",),))

RULES: dict[str, tuple[Rule, ...]] = {
    "gmail_rules": (_SPF_OR_DKIM, _NAMED, _SPF_PASSES, _DKIM_PASSES, _DMARC, _ALIGNED, _ONE_CLICK),
    "yahoo_rules": (_SPF_OR_DKIM, _NAMED, _ANSWERABLE, _SPF_PASSES, _DKIM_PASSES, _DMARC, _ALIGNED, _ONE_CLICK),
    "microsoft_rules": (_SPF_PASSES, _DKIM_PASSES, _DMARC, _ALIGNED),
}
_NAMES = {
    "gmail_rules": "Gmail",
    "yahoo_rules": "Yahoo",
    "microsoft_rules": "Microsoft (outlook.com, hotmail.com, live.com)",
}


def judge(sender: Sender, checks: Sequence[Check]) -> list[Check]:
    """The receivers' rules, and IPv6, from what all other checks found."""
    found = [_judge_receiver(check_id, rules, sender, checks) for check_id, rules in RULES.items()]
    return [_judge_ipv6(sender, checks), *found]


def _judge_receiver(check_id: str, rules: Iterable[Rule], sender: Sender, checks: Sequence[Check]) -> Check:
    unmet: list[Rule] = []
    unknown: list[Rule] = []
    met: list[Rule] = []
    for rule in rules:
        verdict = _state(rule, checks)
        (unmet if verdict is Verdict.FAIL else unknown if verdict is Verdict.UNKNOWN else met).append(rule)
    sentences = []
    for_all, for_bulk = [each.words for each in unmet if not each.bulk], [each.words for each in unmet if each.bulk]
    if for_all:
        sentences.append(f"Not met, for everybody: {'; '.join(for_all)}.")
    bulk = sender.sent_today >= BULK
    if for_bulk:
        asked = f"{sender.sent_today:,} recipients in the last 24 hours" if bulk else "from 5,000 messages a day on"
        sentences.append(
            f"Not met, asked for {f'since this account sent to {asked}' if bulk else asked}: {'; '.join(for_bulk)}."
        )
    if unknown:
        sentences.append(f"Not known: {'; '.join(each.words for each in unknown)}.")
    sentences.append(f"Met: {'; '.join(each.words for each in met)}." if met else "")
    verdict = (
        Verdict.FAIL
        if for_all or (bulk and for_bulk)
        else Verdict.WARN
        if for_bulk
        else Verdict.UNKNOWN
        if unknown
        else Verdict.PASS
    )
    remedy = "What to do about each is said at its own check." if unmet else ""
    text = f"{_NAMES[check_id]}: {' '.join(filter(None, sentences))}"
    return About(id=check_id, subject=sender.domain).ends(verdict, text, remedy=remedy)


def _state(rule: Rule, checks: Sequence[Check]) -> Verdict:
    """The best of the groups; a check that was not made is not known."""
    states = [_group(ids, checks) for ids in rule.any_of]
    return next((each for each in (Verdict.PASS, Verdict.UNKNOWN) if each in states), Verdict.FAIL)


def _group(ids: tuple[str, ...], checks: Sequence[Check]) -> Verdict:
    verdicts = [check.verdict for check in checks if check.id in ids]
    missing = not any(check.id == ids[0] for check in checks)
    if Verdict.FAIL in verdicts:
        return Verdict.FAIL
    return Verdict.UNKNOWN if missing or Verdict.UNKNOWN in verdicts else Verdict.PASS


def _judge_ipv6(sender: Sender, checks: Sequence[Check]) -> Check:
    if not sender.egress:
        return About(id="ipv6", subject=sender.domain).is_unknown(sender.egress_unknown)
    ips = [ip for ip in sender.ips if ":" in ip]
    if not ips:
        return About(id="ipv6", subject=sender.domain).passes(
            "Mail goes out by IPv4 alone: there is nothing to set up."
        )
    named = [check for check in checks if check.id in _FOR_IPV6 and check.subject.partition(" ")[0] in ips]
    about = About(id="ipv6", subject=", ".join(ips))
    if len(named) < len(ips) * len(_FOR_IPV6):
        return about.is_unknown(f"Mail goes out by IPv6 ({', '.join(ips)}); its PTR and SPF could not be looked at.")
    verdict = worst(check.verdict for check in named)
    if verdict not in _BAD:
        return about.passes(f"{', '.join(ips)}: PTR and SPF are set up.")
    bad = next(check for check in named if check.verdict is verdict)
    state = "that is not set up" if verdict is Verdict.FAIL else "whether that is set up is not known"
    return About(id="ipv6", subject=about.subject, evidence=bad.evidence).ends(
        verdict,
        f"Mail goes out by IPv6, and {state}: {bad.text}",
        remedy="Set it up, or send by IPv4 alone: name only IPv4 addresses in delivery.source_addresses.",
    )
