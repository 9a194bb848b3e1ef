"""What is known of a message before it came and after it was taken: stories to explain."""

from collections.abc import Callable

from tests.explain.life import START, Life, message
from waybill.model.clock import HOUR, MINUTE, SECOND
from waybill.model.message import Source
from waybill.model.outcome import Stage

_TAKEN = "250 2.0.0 Ok"
_RECEIVED = (
    (
        "Received",
        "from app1 (app1 [10.1.2.3]) by relay.shop.example with ESMTP id 77A; Tue, 24 Nov 2026 13:41:09 +0000",
    ),
    ("Received", "by app1.shop.example (Postfix, from userid 33) id 9B; Tue, 24 Nov 2026 13:21:00 +0000"),
    ("Subject", "Your order has shipped"),
)


def _taken() -> Life:
    return Life(recipient="sam@corp.example").answered(_TAKEN, Stage.MESSAGE).wait(HOUR)


def _filed_as_spam() -> Life:
    return _taken().copy_traced(
        filed="spam",
        system="Microsoft",
        header="X-Microsoft-Antispam-Mailbox-Delivery",
        words="ucf:0;jmr:0;auth:0;dest:J;OFR:SpamFilterAuthJ;",
        text="the mailbox put it into Junk Email",
        reason="phishing",
        is_folder=True,
        grounds=("category PHSH: phishing", "SFV SPM: the filter took it for spam"),
        after_ms=16 * MINUTE,
        slowest="AM0PR05MB5678.eurprd05.prod.outlook.com",
        skew_ms=-3 * SECOND,
    )


def _taken_for_spam() -> Life:
    return _taken().copy_traced(
        filed="spam",
        system="Rspamd",
        header="X-Rspamd-Action",
        words="add header",
        text="action add header: probably spam",
    )


def _stored_late() -> Life:
    return _taken().copy_traced(after_ms=47 * MINUTE, slowest="quarantine.corp.example")


def _in_the_inbox() -> Life:
    return _taken().copy_traced(
        filed="inbox",
        system="Microsoft",
        header="X-Microsoft-Antispam-Mailbox-Delivery",
        words="dest:I;",
        text="the mailbox put it into the Inbox",
        is_folder=True,
        after_ms=2 * SECOND,
    )


def _through_a_slow_relay() -> Life:
    asked = message(source=Source.SMTP, client_started_at=START - 60, headers=_RECEIVED)
    return Life(recipient="sam@corp.example", message=asked).answered(_TAKEN, Stage.MESSAGE).wait(HOUR)


def _slowly_handed_in() -> Life:
    asked = message(source=Source.SMTP, client_started_at=START - 7 * MINUTE)
    return Life(recipient="sam@corp.example", message=asked).answered(_TAKEN, Stage.MESSAGE).wait(HOUR)


LIVES: dict[str, Callable[[], Life]] = {
    "placed_in_spam-copy": _filed_as_spam,
    "placed_in_spam-by-a-filter": _taken_for_spam,
    "delayed_after_acceptance-copy": _stored_late,
    "accepted_by_receiver-copy-in-inbox": _in_the_inbox,
    "delayed_before_acceptance-through-a-relay": _through_a_slow_relay,
    "delayed_before_acceptance-slow-client": _slowly_handed_in,
}
