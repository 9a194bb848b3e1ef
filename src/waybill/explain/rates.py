"""How much of the sender's mail bounces and meets complaints, where an answer speaks of reputation: what receivers judge by."""

from dataclasses import replace

from waybill.explain.case import Case
from waybill.explain.record import Evidence, Telling
from waybill.model.cause import Cause
from waybill.model.standing import RateSeen

REPUTATION = frozenset(
    {
        Cause.LOW_REPUTATION,
        Cause.SPAM_CONTENT,
        Cause.RATE_LIMITED,
        Cause.COMPLAINT,
        Cause.IP_BLOCKLISTED,
        Cause.DOMAIN_BLOCKLISTED,
    }
)
"""Causes that may come of what our mail did before."""


def with_rates(case: Case, telling: Telling) -> Telling:
    """The telling, and with it how the sender's domain and our sending IP stand."""
    if not {case.cause, case.underlying_cause} & REPUTATION:
        return telling
    attempt = case.last_attempt
    source_ip = attempt.source_ip if attempt is not None else None
    found = tuple(
        Evidence(at=case.now, kind="figures", source="Waybill's ledger", text=_words(rate))
        for rate in case.rates
        if not rate.of_address or rate.about == source_ip
    )
    return replace(telling, evidence=(*telling.evidence, *found)) if found else telling


def _words(rate: RateSeen) -> str:
    which = f"from our IP {rate.about}" if rate.of_address else f"from {rate.about}"
    bounced = f"{rate.hard:,} of {rate.sent:,} recipients ({_percent(rate.hard, rate.sent)}) bounced for good"
    complained = f"{rate.complaints:,} of {rate.delivered:,} ({_percent(rate.complaints, rate.delivered)}) complained"
    return (
        f"of the mail {which} in the last {rate.window}, {bounced} and {complained}: {rate.state} by Amazon SES's measure; "
        "Gmail and Yahoo want complaints below 0.1 %, and never 0.3 %"
    )


def _percent(cases: int, of: int) -> str:
    share = 100 * cases / of if of else 0.0
    return "0 %" if not share else f"{share:.{2 if share < 1 else 1}f} %"
