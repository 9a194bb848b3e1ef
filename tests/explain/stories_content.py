"""Messages whose content has something against it, by our own rules and by real answers of filters."""

from collections.abc import Callable
from dataclasses import replace

from tests.explain.life import START, Life, message
from tests.mail.lint.messages import HTML, WORDS, both, header
from waybill.mail.lint import Circumstances, examine
from waybill.model.clock import DAY, HOUR, MINUTE
from waybill.model.content import ContentExamined, Finding, Severity
from waybill.model.event import EventKind
from waybill.model.history import DomainHistory
from waybill.model.outcome import Stage

MESSAGE = Stage.MESSAGE
SPAM = (
    "550-5.7.1 Our system has detected that this message is\n550-5.7.1 likely unsolicited mail. To reduce the amount of spam,\n"
    "550 5.7.1 this message has been blocked."
)
PHISHY = both(f'{HTML}<p><a href="http://203.0.113.80/login">https://firma.example/login</a></p>', WORDS)
BULK = (
    header(Subject="LAST CHANCE TODAY", Precedence="bulk")
    + 'Content-Type: text/html\r\n\r\n<a href="https://bit.ly/x"><img src="https://i.shop.example/1.png"></a>'
    + '<a href="http://shop.example/">x</a><form></form>\r\n'
).encode()
RSPAMD = ContentExamined(
    by="rspamd 3.4",
    score=9.1,
    threshold=15.0,
    action="add header",
    findings=(
        Finding(
            id="PHISHING",
            severity=Severity.HIGH,
            text="PHISHING: Phished URL",
            where="firma.example, shop.example",
            score=4.0,
        ),
        Finding(
            id="SUBJ_ALL_CAPS",
            severity=Severity.HIGH,
            text="SUBJ_ALL_CAPS: Subject contains mostly capital letters",
            score=3.0,
        ),
    ),
)
STRANGER = DomainHistory(
    delivered_to_domain=0,
    last_delivered_to_domain=START - 200 * DAY,
    last_delivered_to_address=None,
    last_bounced_address=None,
    same_cause_messages=0,
    same_cause_domains=0,
    same_cause_since=None,
)


def ours(data: bytes, **changes: object) -> ContentExamined:
    """What our own rules find in it."""
    known = Circumstances(at=START, signs=True)
    return replace(ContentExamined(by="waybill", findings=examine(data, known).findings), **changes)  # type: ignore[arg-type]


def _examined(life: Life, fact: ContentExamined) -> Life:
    life._write(EventKind.CONTENT_EXAMINED, fact, about=None)
    return life


def _taken(*facts: ContentExamined, history: DomainHistory | None = None) -> Life:
    life = Life(message=message(), history=history)
    life.answered("250 2.0.0 Ok: queued as 4F2", MESSAGE)
    for fact in facts:
        _examined(life, fact)
    return life.wait(26 * HOUR)


def _refused(reply: str, *facts: ContentExamined) -> Life:
    life = Life()
    for fact in facts:
        _examined(life, fact)
    return life.answered(reply, MESSAGE).wait(MINUTE)


def _complained() -> Life:
    life = _examined(Life(), ours(BULK)).answered("250 ok", MESSAGE).wait(3 * HOUR)
    return life.complained()


LIVES: dict[str, Callable[[], Life]] = {
    "accepted_by_receiver-risks": lambda: _taken(ours(PHISHY), history=STRANGER),
    "accepted_by_receiver-no-risks": lambda: _taken(ours(both())),
    "accepted_by_receiver-made-alike": lambda: _taken(
        ours(PHISHY, like="0100019ab5f3c000-00000000-0000-4000-8000-00000000000a-000000")
    ),
    "accepted_by_receiver-filter": lambda: _taken(ours(both()), RSPAMD),
    "accepted_by_receiver-filter-over": lambda: _taken(replace(RSPAMD, score=15.5, action="reject", findings=())),
    "accepted_by_receiver-filter-away": lambda: _taken(
        ours(both()),
        ContentExamined(by="rspamd", unseen="http://127.0.0.1:11333/checkv2 could not be asked: Connect call failed"),
    ),
    "spam_content-risks": lambda: _refused(SPAM, ours(BULK), RSPAMD),
    "content_malformed-risks": lambda: _refused(
        "554 5.6.0 Message is not RFC 2822 compliant", ours(both(Message_ID=None, Date="yesterday"))
    ),
    "complaint-hard-to-unsubscribe": _complained,
}
