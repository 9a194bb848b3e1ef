"""A verdict that the message carried when it was handed to us is no word of its receiver."""

from dataclasses import replace

from tests.explain.copies import tied
from tests.explain.life import Life
from waybill.explain.trace import trace_copy
from waybill.mail.received_copy import read_copy
from waybill.mail.verdict import Filed

MARK = "Yes, score=9.1 required=5.0\r\n tests=BAYES_99 autolearn=no"


def test_what_stood_in_the_message_already_decides_nothing() -> None:
    """The sender's own filter had marked it; the receiver said nothing."""
    copy = read_copy(
        f"Received: from a by mx; Tue, 1 Jan 2030 00:00:00 +0000\r\nX-Spam-Status: {MARK}\r\n\r\n".encode()
    )
    assert copy is not None
    assert copy.decided is not None
    assert Filed.SPAM is copy.decided.filed
    ledger = tied(Life())
    marked = replace(ledger, message=replace(ledger.message, headers=(("x-spam-status", MARK),)))

    assert copy.decided == trace_copy(copy, ledger).copy.decided
    assert None is trace_copy(copy, marked).copy.decided
    assert () == trace_copy(copy, marked).copy.verdicts
