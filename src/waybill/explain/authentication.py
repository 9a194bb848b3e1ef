"""SPF, DKIM and DMARC as they were seen when the message went out: which failed, what was published, what has changed since."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from waybill.explain.case import Case
from waybill.explain.record import Evidence
from waybill.explain.words import clock
from waybill.model.authentication import (
    Alignment,
    Authentication,
    AuthenticationSeen,
    DkimKeySeen,
    DkimResult,
    DmarcPolicy,
    DmarcResult,
    SignatureBroken,
    SpfResult,
)
from waybill.model.cause import Branch, Cause
from waybill.model.clock import Instant
from waybill.model.outcome import Attempt
from waybill.model.simulator import is_simulated

_NAMED = re.compile(r"\b(SPF|DKIM|DMARC)\b", re.IGNORECASE)
_POLICIES = {DmarcPolicy.REJECT: "reject", DmarcPolicy.QUARANTINE: "quarantine", DmarcPolicy.NONE: "take"}
_UNNAMED = frozenset({Cause.POLICY_REJECTED, Cause.UNDETERMINED})
"""Causes behind which authentication may stand, although the receiver does not say so."""

_OUR_FAULT = "the signature did not match the message as it went out, which is a fault of Waybill"
_RESULTS = {DkimResult.PASS: "pass", DkimResult.TEMPERROR: "not known"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """What was seen at the time of an attempt. ``at`` is the time nearest to it at which it is known to have been so."""

    seen: AuthenticationSeen
    at: Instant

    @property
    def found(self) -> Authentication:
        """What was found."""
        return self.seen.authentication


def moment_of(case: Case, attempt: Attempt | None) -> Moment | None:
    """What SPF, DKIM and DMARC looked like when the attempt was made; None where it is not on record."""
    if attempt is None or attempt.authentication is None:
        return None
    at = attempt.ended_at
    own = [seen for seen in case.authentications if seen.sending_id == attempt.authentication]
    if not own:
        return None
    nearest = min(own, key=lambda seen: max(seen.first_seen - at, at - seen.last_seen, 0))
    return Moment(seen=nearest, at=min(max(at, nearest.first_seen), nearest.last_seen))


def dmarc_result(case: Case) -> DmarcResult | None:
    """What DMARC came to when the newest attempt was made; None where that is not on record."""
    moment = moment_of(case, case.last_attempt)
    return moment.found.dmarc.result if moment is not None else None


def named_in_reply(attempt: Attempt | None) -> tuple[str, ...]:
    """Which of the three the receiver's words name, in the order of their names' first occurrence."""
    words = attempt.outcome.diagnostic if attempt else ""
    return tuple(dict.fromkeys(found.upper() for found in _NAMED.findall(words)))


def listed(names: Sequence[str]) -> str:
    """``SPF``, ``SPF and DKIM``, ``SPF, DKIM and DMARC``."""
    return " and ".join([*([", ".join(names[:-1])] if len(names) > 1 else []), *names[-1:]])


def auth_clause(case: Case, who: str) -> str:
    """What a receiver means that says authentication failed, as far as its words and the evidence of the moment carry."""
    attempt = case.last_attempt
    named = named_in_reply(attempt)
    domain = case.message.sender.rpartition("@")[2] or "the sender's domain"
    moment = moment_of(case, attempt)
    dmarc = moment.found.dmarc if moment is not None else None
    about_dmarc = not named or "DMARC" in named
    if about_dmarc and dmarc is not None and dmarc.result is DmarcResult.FAIL and dmarc.record is not None:
        asked = _POLICIES[dmarc.disposition]
        if dmarc.disposition is not DmarcPolicy.NONE:
            return (
                f"{who} refuses it: {dmarc.record.domain} asks receivers to {asked} mail that fails DMARC, "
                "and this message failed"
            )
    which = listed(named) or "SPF, DKIM or DMARC"
    return f"{who} says the message does not prove that it comes from {domain} ({which})"


def auth_evidence(case: Case, attempt: Attempt | None) -> tuple[Evidence, ...]:
    """What was seen then, what differs before and after, and whether our own signature held.

    For a refusal that speaks of authentication always, for others that are about the message or its sender where something
    was wrong with it.
    """
    if attempt is None or is_simulated(case.recipient):
        return ()
    blamed = Cause.AUTH_FAILED in {case.cause, case.underlying_cause, case.delivery.cause}
    moment = moment_of(case, attempt)
    if moment is None:
        return (*_not_seen(case), *_broken(case)) if blamed and attempt.source_ip is not None else _broken(case)
    may_be = case.blames(Branch.SPAM) or case.delivery.cause in _UNNAMED
    if not blamed and not (may_be and moment.found.dmarc.result is DmarcResult.FAIL):
        return _broken(case)
    return (_proof(case, moment), *_intact(case, attempt), *_changed(case, moment), *_broken(case))


def _not_seen(case: Case) -> tuple[Evidence, ...]:
    text = "what SPF, DKIM and DMARC looked like at that time is not on record"
    return (Evidence(at=case.now, kind="not_seen", source="Waybill's ledger", text=text),)


def broken_domains(case: Case) -> frozenset[str]:
    """The domains of our own signatures that did not match what went out."""
    return frozenset(event.fact.domain for event in case.events if isinstance(event.fact, SignatureBroken))


def _proof(case: Case, moment: Moment) -> Evidence:
    """The three, one line each, below the policy."""
    broken = broken_domains(case)
    lines = [f"as seen at {clock(moment.at)}: From {moment.found.dmarc.from_domain}, {_policy(moment.found)}"]
    lines.append(f"SPF   {spf_words(moment.found)}")
    for key in moment.found.dkim:
        words = dkim_words(moment.found, key)
        lines.append(f"DKIM  fail for {key.domain}: {_OUR_FAULT}" if key.domain in broken else f"DKIM  {words}")
    if not moment.found.dkim:
        lines.append("DKIM  the message carried no signature")
    apart = "with a signature that matches: " if broken else ""
    lines.append(f"DMARC {apart}{dmarc_words(moment.found)}")
    return Evidence(at=moment.at, kind="authentication", source="the DNS, asked by Waybill", text="\n".join(lines))


def _policy(found: Authentication) -> str:
    dmarc = found.dmarc
    if dmarc.record is None or dmarc.policy is None:
        return "no DMARC policy"
    where = "" if dmarc.record.domain == dmarc.from_domain else f" of {dmarc.record.domain}"
    tested = ", t=y" if dmarc.record.testing else ""
    return f"DMARC {dmarc.policy_tag}={dmarc.policy}{where}{tested}"


def spf_words(found: Authentication) -> str:
    """What SPF came to, and whether it aligns."""
    domain = found.sending.mail_from_domain
    if found.spf is None:
        return f"not known for {domain}: {found.spf_unknown}"
    return f"{found.spf.result} for {domain}{_aligned(found, 'spf', domain)}: {found.spf.reason}"


def dkim_words(found: Authentication, key: DkimKeySeen) -> str:
    """What a signature came to by the key that was published, and whether it aligns."""
    return f"{_RESULTS.get(key.result, 'fail')} for {key.domain}{_aligned(found, 'dkim', key.domain)}: {key.reason}"


def _aligned(found: Authentication, mechanism: str, domain: str) -> str:
    """What a pass is worth to DMARC; nothing where nothing has passed, or no policy asks for it."""
    passed = (each for each in found.dmarc.alignments if each.mechanism == mechanism and each.result == "pass")
    for each in passed:
        if each.domain == domain.lower() and found.dmarc.record is not None:
            return ", aligned" if each.aligned else f", not aligned with {found.dmarc.from_domain}"
    return ""


def dmarc_words(found: Authentication) -> str:
    """What DMARC came to, and what that means for the message."""
    dmarc = found.dmarc
    match dmarc.result:
        case DmarcResult.PASS:
            return f"pass: {dmarc.reason}"
        case DmarcResult.FAIL:
            return f"fail: receivers that follow it {_POLICIES[dmarc.disposition]} such a message"
        case DmarcResult.UNKNOWN:
            return "not known: it depends on SPF"
        case _:
            return f"{dmarc.result}: {dmarc.reason}"


def _intact(case: Case, attempt: Attempt) -> tuple[Evidence, ...]:
    if not attempt.signature_intact or not attempt.signed_by:
        return ()
    text = "Waybill checked its own signature over the octets that went out: it matched, so nothing changed them here"
    return (Evidence(at=case.now, kind="known", source="Waybill's ledger", text=text),)


def _broken(case: Case) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(
            at=event.at,
            kind="waybill",
            source=f"Waybill's check of its own signature for {event.fact.domain}, attempt {event.fact.number}",
            text=event.fact.reason,
            event=event.id,
        )
        for event in case.events
        if isinstance(event.fact, SignatureBroken)
    )


def _changed(case: Case, moment: Moment) -> tuple[Evidence, ...]:
    others = [seen for seen in case.authentications if seen is not moment.seen and seen.authentication.is_certain]
    before = [seen for seen in others if seen.last_seen < moment.at]
    after = [seen for seen in others if seen.first_seen > moment.at]
    lines = [*_key_changes(moment, before, after), *_spf_changes(moment, before, after)]
    lines += _policy_changes(moment, before, after)
    if not lines:
        return ()
    text = "\n".join(lines)
    return (Evidence(at=case.now, kind="changed", source="the DNS, asked by Waybill", text=text),)


def is_settled(case: Case, moment: Moment) -> bool:
    """Whether a later look found that DMARC passes for the same mail, or at least that all its signatures' keys are there."""
    name = moment.seen.sending_id
    later = [seen for seen in case.authentications if seen.sending_id == name and seen.first_seen > moment.at]
    if not later:
        return False
    last = max(later, key=lambda seen: seen.first_seen).authentication
    keys_there = bool(last.dkim) and all(key.result is DkimResult.PASS for key in last.dkim)
    return last.dmarc.result is DmarcResult.PASS or (last.dmarc.result is DmarcResult.NONE and keys_there)


def _key_changes(moment: Moment, before: list[AuthenticationSeen], after: list[AuthenticationSeen]) -> Iterator[str]:
    for key in moment.found.dkim:
        if key.result is DkimResult.PASS:
            continue
        name = f"{key.selector}._domainkey.{key.domain}"
        good = [seen.last_seen for seen in before if _has_key(seen, key)]
        if good:
            yield f"the key at {name} was published until {clock(max(good))} (last good check)"
        back = [seen.first_seen for seen in after if _has_key(seen, key)]
        if back:
            yield f"the key at {name} has been seen since {clock(min(back))}: that is settled"


def _has_key(seen: AuthenticationSeen, key: DkimKeySeen) -> bool:
    return any(
        (each.domain, each.selector, each.result) == (key.domain, key.selector, DkimResult.PASS)
        for each in seen.authentication.dkim
    )


def _spf_changes(moment: Moment, before: list[AuthenticationSeen], after: list[AuthenticationSeen]) -> Iterator[str]:
    spf, sending = moment.found.spf, moment.found.sending
    if spf is None or spf.result is SpfResult.PASS:
        return

    def passes(seen: AuthenticationSeen) -> bool:
        then = seen.authentication
        same = (then.sending.mail_from_domain, then.sending.source_ip) == (sending.mail_from_domain, sending.source_ip)
        return same and then.spf is not None and then.spf.result is SpfResult.PASS

    good = [seen.last_seen for seen in before if passes(seen)]
    if good:
        yield f"SPF of {sending.mail_from_domain} passed for {sending.source_ip} until {clock(max(good))} (last good check)"
    back = [seen.first_seen for seen in after if passes(seen)]
    if back:
        yield f"SPF of {sending.mail_from_domain} passes for {sending.source_ip} since {clock(min(back))}: that is settled"


def _policy_changes(moment: Moment, before: list[AuthenticationSeen], after: list[AuthenticationSeen]) -> Iterator[str]:
    if moment.found.dmarc.result is not DmarcResult.FAIL:
        return
    now, domain = _policy(moment.found), moment.found.dmarc.from_domain
    earlier = [seen for seen in before if _policy(seen.authentication) != now]
    if earlier:
        last = max(earlier, key=lambda seen: seen.last_seen)
        yield f"{domain} had {_policy(last.authentication)} until {clock(last.last_seen)}"
    later = [seen for seen in after if _policy(seen.authentication) != now]
    if later:
        first = min(later, key=lambda seen: seen.first_seen)
        yield f"{domain} has {_policy(first.authentication)} since {clock(first.first_seen)}"


def summary(case: Case, attempt: Attempt | None) -> str | None:
    """In one clause what was seen when it was taken; None where it is not on record."""
    moment = moment_of(case, attempt)
    if moment is None:
        return None
    return f"{_passing(moment.found)}, as seen at {clock(moment.at)}"


def _passing(found: Authentication) -> str:
    domain = found.dmarc.from_domain
    if found.dmarc.record is None:  # without a policy nothing needs to align
        words = [_alone(found, each) for each in found.dmarc.alignments]
        return ", ".join([*words, f"and no DMARC record applies to {domain}"])
    good = [each for each in found.dmarc.alignments if each.counts]
    names = list(dict.fromkeys(each.mechanism.upper() for each in good))
    bad = [each for each in found.dmarc.alignments if not each.counts and each.mechanism.upper() not in names]
    if len(names) == len(("SPF", "DKIM")):
        return f"SPF and DKIM pass and align with {domain}"
    words = [f"{names[0]} passes and aligns with {domain}"] if names else []
    words += [_falling_short(found, each) for each in bad]
    if not found.dkim:
        words.append("there was no DKIM signature")
    if found.dmarc.result is DmarcResult.FAIL:
        words.append(f"so DMARC fails ({_policy(found)})")
    return ", ".join(words)


def _alone(found: Authentication, each: Alignment) -> str:
    if each.result == "pass":
        return f"{each.mechanism.upper()} passes for {each.domain}"
    return _falling_short(found, each)


def _falling_short(found: Authentication, each: Alignment) -> str:
    name = each.mechanism.upper()
    if each.mechanism == "spf" and found.spf is None:
        return f"SPF is not known ({found.spf_unknown})"
    if each.result == "pass":
        return f"{name} passes for {each.domain}, which does not align"
    if each.result in {DkimResult.TEMPERROR, DmarcResult.UNKNOWN}:
        return f"{name} is not known for {each.domain}"
    if each.mechanism == "dkim":
        return f"DKIM fails for {each.domain}"
    return f"SPF says {each.result} for {each.domain}"
