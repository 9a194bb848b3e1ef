"""What else may be behind a report of Amazon SES that says too little, and the fact that would decide."""

from waybill.explain.amazon_commands import GET_ACCOUNT, GET_INSIGHTS, GET_SUPPRESSED, asked, look
from waybill.explain.amazon_words import LATE
from waybill.explain.case import Case
from waybill.explain.record import Hypothesis
from waybill.model.amazon import AmazonEvent, AmazonReported
from waybill.model.cause import Cause
from waybill.model.message import Status
from waybill.model.simulator import is_simulated


def hypotheses_of(case: Case, fact: AmazonReported | None) -> tuple[Hypothesis, ...]:
    """Ranked; none where SES passes on words, or says all."""
    if is_simulated(case.recipient):
        return ()
    if case.delivery.status is Status.QUEUED:
        return _silent(case)
    return () if fact is None or fact.diagnostic else _wordless(case, fact)


def _wordless(case: Case, fact: AmazonReported) -> tuple[Hypothesis, ...]:
    if fact.is_wordless and fact.sub_type == "General":
        return _soft(case)
    if fact.type is AmazonEvent.BOUNCE and fact.kind == "Permanent" and fact.cause is Cause.UNDETERMINED:
        return _hard(case)
    if fact.type is AmazonEvent.DELIVERY_DELAY and fact.kind == "IPFailure":
        return _blocked(case)
    return ()


def _silent(case: Case) -> tuple[Hypothesis, ...]:
    """Taken, and long past its time without a last word: the events are missing, or nothing was ever sent."""
    answer = asked(case).get(GET_ACCOUNT)
    if case.now <= case.delivery.expires_at + LATE or (answer is not None and answer[2].failed is None):
        return ()
    return (
        Hypothesis(
            cause=Cause.SENDING_PAUSED,
            confidence="possible",
            text="the account's sending was paused after the request had been taken",
            decided_by="the account's sending status and quota",
            command=look(case, GET_ACCOUNT),
        ),
    )


def _soft(case: Case) -> tuple[Hypothesis, ...]:
    return (
        Hypothesis(
            cause=Cause.ACCEPTED_BY_RECEIVER,
            confidence="likely",
            text="it was delivered, and what came back is an automatic reply (out of office), of which SES makes a soft bounce, too",
            decided_by="a Delivery event of the same recipient, which SES's own insights show as well",
            command=look(case, GET_INSIGHTS),
        ),
        Hypothesis(
            cause=Cause.DELIVERY_EXPIRED,
            confidence="possible",
            text="the receiver put it off until SES gave up",
            decided_by="notices of delay (DeliveryDelay) of the same recipient, in the 14 hours before",
        ),
    )


def _hard(case: Case) -> tuple[Hypothesis, ...]:
    return (
        Hypothesis(
            cause=Cause.USER_UNKNOWN,
            confidence="likely",
            text="the mailbox does not exist: most hard bounces are of that kind",
            decided_by="the bounce mail itself, or an entry with reason BOUNCE on the account's suppression list",
            command=look(case, GET_SUPPRESSED),
        ),
    )


def _blocked(case: Case) -> tuple[Hypothesis, ...]:  # noqa: ARG001 - one signature for all
    return (
        Hypothesis(
            cause=Cause.IP_BLOCKLISTED,
            confidence="possible",
            text="the sending IP is blocked, and not only slowed down: SES calls both IPFailure",
            decided_by="the receiver's words in a later DeliveryDelay or Bounce event",
        ),
    )
