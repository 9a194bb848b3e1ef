"""Which addresses rest after a failure, and for how long."""

import pytest

from waybill.deliver import hosts
from waybill.deliver.hosts import FailedHosts
from waybill.model.clock import MINUTE
from waybill.model.outcome import Reply, Stage
from waybill.net.smtp_target import Fault, SmtpError, Target

TARGET = Target(host="mx.b.test", ip="192.0.2.1", port=25)
REFUSED = SmtpError(Stage.CONNECT, "Connection refused by mx.b.test", fault=Fault.CONNECTION_REFUSED)
AT = 43_384_000  # 12:03:04


def test_a_failure_rests_longer_each_time_in_a_row() -> None:
    """Two minutes at first, ten at most; what fails while it rests, for want of another, does not count again."""
    failed = FailedHosts()
    now, rests = AT, []
    for _ in range(5):
        failed.fail(TARGET, REFUSED, now)
        failed.fail(TARGET, REFUSED, now + 1)
        rest = next(
            minute for minute in range(99) if failed.resting(TARGET, now + minute * MINUTE, failed.mark) is None
        )
        rests.append(rest)
        now += rest * MINUTE
    assert rests == [2, 4, 8, 10, 10]


def test_a_success_ends_the_rest() -> None:
    """And the next failure is the first again."""
    failed = FailedHosts()
    failed.fail(TARGET, REFUSED, AT)
    failed.fail(TARGET, REFUSED, AT + 3 * MINUTE)
    failed.succeed(TARGET)
    assert failed.resting(TARGET, AT + 3 * MINUTE, failed.mark) is None
    failed.fail(TARGET, REFUSED, AT)
    assert failed.resting(TARGET, AT + 2 * MINUTE, failed.mark) is None


def test_only_that_address_from_that_source_rests() -> None:
    """A server may refuse one of our addresses and take another; and only failures before the mark count."""
    failed = FailedHosts()
    failed.fail(TARGET, REFUSED, AT)
    other = Target(host="mx.b.test", ip="192.0.2.1", port=25, source_ip="192.0.2.9")
    assert failed.resting(other, AT, failed.mark) is None
    assert failed.resting(TARGET, AT, 0) is None
    assert failed.resting(TARGET, AT, 1) == "it refused connections at 12:03:04 UTC"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (SmtpError(Stage.CONNECT, "", fault=Fault.CONNECTION_TIMEOUT), "it did not answer"),
        (SmtpError(Stage.CONNECT, "", fault=Fault.UNREACHABLE), "there was no way to it"),
        (SmtpError(Stage.GREETING, "", fault=Fault.CONNECTION_LOST), "it dropped the connection before it greeted"),
        (
            SmtpError(Stage.GREETING, "421 4.3.2 busy", reply=Reply(code=421, enhanced="4.3.2", lines=("4.3.2 busy",))),
            'it greeted with "421 4.3.2 busy"',
        ),
    ],
)
def test_the_words(error: SmtpError, words: str) -> None:
    """Why it rests, for people, with the time."""
    failed = FailedHosts()
    failed.fail(TARGET, error, AT)
    assert failed.resting(TARGET, AT, failed.mark) == f"{words} at 12:03:04 UTC"


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest failure is forgotten first."""
    monkeypatch.setattr(hosts, "MAX_FAILED", 2)
    failed = FailedHosts()
    targets = [Target(host="mx.b.test", ip=f"192.0.2.{last}", port=25) for last in range(4)]
    for target in targets:
        failed.fail(target, REFUSED, AT)
    assert [failed.resting(target, AT, failed.mark) is None for target in targets] == [True, True, False, False]
