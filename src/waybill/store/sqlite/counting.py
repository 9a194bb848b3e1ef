"""What is counted while messages move: recipients sent, statistics by quarter of an hour, deliveries by status."""

import sqlite3

from waybill.model.clock import DAY, MINUTE, SECOND, Instant
from waybill.model.message import Status
from waybill.store.protocol import Acceptance, LimitKind, LimitReached, SendingBucket
from waybill.store.sqlite.writer import Transaction

QUARTER = 15 * MINUTE
SENT = "sent"  # recipients by minute
SENT_SECOND = "sent_second"  # recipients by second, where the account has a rate
STATISTICS = ("delivery_attempts", "bounces", "complaints", "rejects")

_SOURCE = "source:"  # attempts by day: of a source address, by site
_TALLY = "tally:"  # what else is counted by day, by name

_FOR_EVER = 1 << 62
_DAYS_KEPT = 100 * DAY
_KEPT = {SENT: 2 * DAY, SENT_SECOND: MINUTE} | dict.fromkeys(STATISTICS, 15 * DAY)


def check_limits(transaction: Transaction, acceptance: Acceptance, recipients: int) -> LimitReached | None:
    """The limit that these recipients would exceed, or None.

    The rate's allowance is that of one second, at least one recipient; a message with more recipients than that passes
    as the only one of its second, since it could never pass otherwise.
    """
    account, now, limits = acceptance.message.account, acceptance.message.accepted_at, acceptance.limits
    if limits.per_second > 0:
        second = now - now % SECOND
        sent = transaction.counted(SENT_SECOND, account, second, second)
        if sent and sent + recipients > max(1, limits.per_second):
            return LimitReached(kind=LimitKind.RATE, limit=limits.per_second, sent=sent, free_at=second + SECOND)
    if limits.per_24_hours > 0 and acceptance.counts_against_quota:
        sent = transaction.counted(SENT, account, _first_minute(now - DAY), _FOR_EVER)
        if sent + recipients > limits.per_24_hours:
            return LimitReached(
                kind=LimitKind.QUOTA,
                limit=limits.per_24_hours,
                sent=sent,
                free_at=_free_at(transaction, account, now, sent + recipients - limits.per_24_hours),
            )
    return None


def _first_minute(since: Instant) -> Instant:
    # A minute counts until all of it lies before the period.
    return since - since % MINUTE


def _free_at(transaction: Transaction, account: str, now: Instant, needed: int) -> Instant:
    for start, value in transaction.execute(
        "SELECT start, value FROM counters WHERE name = ? AND account = ? AND start >= ? ORDER BY start",
        (SENT, account, _first_minute(now - DAY)),
    ):
        needed -= value
        if needed <= 0:
            return int(start) + MINUTE + DAY
    return now + MINUTE + DAY


def count_sent(transaction: Transaction, acceptance: Acceptance, recipients: int) -> None:
    """Counts recipients against the quota (unless the message does not count), and against the rate where there is one."""
    account, now = acceptance.message.account, acceptance.message.accepted_at
    if acceptance.counts_against_quota:
        transaction.count(SENT, account, now - now % MINUTE, recipients)
    if acceptance.limits.per_second > 0:
        transaction.count(SENT_SECOND, account, now - now % SECOND, recipients)


_STATUS = {status: f"status {status}" for status in Status}
_STATISTIC = {Status.BOUNCED: "bounces", Status.COMPLAINED: "complaints", Status.REJECTED: "rejects"}


def count_move(
    transaction: Transaction, account: str, at: Instant, *, before: Status | None, after: Status, first_attempt: bool
) -> None:
    """Counts a delivery that went from one status to another, as GetSendStatistics counts it.

    A delivery attempt is counted once for a delivery, however often it is tried; a bounce once, when it becomes one.
    """
    if before is not after:
        transaction.count(_STATUS[after], "", 0)
        if before is not None:
            transaction.count(_STATUS[before], "", 0, -1)
    start = at - at % QUARTER
    if first_attempt:
        transaction.count("delivery_attempts", account, start)
    name = _STATISTIC.get(after)
    if name and before is not after:
        transaction.count(name, account, start)


def count_attempt_from(transaction: Transaction, source_ip: str, site: str, at: Instant) -> None:
    """Counts an attempt by the address it was made from and the site it was made to."""
    transaction.count(_SOURCE + source_ip, site, at - at % DAY)


def sent_from(connection: sqlite3.Connection, source_ip: str, site: str, since: Instant) -> int:
    """Attempts made from the address to the site since then, whole days."""
    return _sum_of_days(connection, _SOURCE + source_ip, site, since)


def count_by_name(transaction: Transaction, name: str, at: Instant, more: int) -> None:
    """Adds to a tally of its day."""
    transaction.count(_TALLY + name, "", at - at % DAY, more)


def tallied(connection: sqlite3.Connection, name: str, since: Instant) -> int:
    """A tally since then, whole days."""
    return _sum_of_days(connection, _TALLY + name, "", since)


def _sum_of_days(connection: sqlite3.Connection, name: str, account: str, since: Instant) -> int:
    rows = connection.execute(
        "SELECT ifnull(sum(value), 0) FROM counters WHERE name = ? AND account = ? AND start >= ?",
        (name, account, since - since % DAY),
    ).fetchall()
    return int(rows[0][0])


def count_global_suppression(transaction: Transaction, account: str, at: Instant) -> None:
    """Counts an attempt that bounced: as such SES shows an address on its global list."""
    for name in ("delivery_attempts", "bounces"):
        transaction.count(name, account, at - at % QUARTER)


def prune(transaction: Transaction, now: Instant) -> None:
    """Deletes counters of periods that nobody asks for any more."""
    for name, kept in _KEPT.items():
        transaction.execute("DELETE FROM counters WHERE name = ? AND start < ?", (name, now - kept))


def prune_days(transaction: Transaction, now: Instant) -> None:
    """Deletes what was counted by day and is too old; worth it once a day, since there is a row for each site."""
    for prefix in (_SOURCE, _TALLY):
        transaction.execute(
            "DELETE FROM counters WHERE name > ? AND name < ? AND start < ?",
            (prefix, prefix + "\U0010ffff", now - _DAYS_KEPT),
        )


def sent(connection: sqlite3.Connection, account: str, since: Instant) -> int:
    """Recipients counted against the quota since then, to the minute."""
    rows = connection.execute(
        "SELECT ifnull(sum(value), 0) FROM counters WHERE name = ? AND account = ? AND start >= ?",
        (SENT, account, _first_minute(since)),
    ).fetchall()
    return int(rows[0][0])


def statistics(connection: sqlite3.Connection, account: str, since: Instant) -> list[SendingBucket]:
    """Quarters of an hour that end after ``since``, oldest first; those without sending are left out."""
    buckets: dict[int, dict[str, int]] = {}
    for name in STATISTICS:
        for start, value in connection.execute(
            "SELECT start, value FROM counters WHERE name = ? AND account = ? AND start > ?",
            (name, account, since - QUARTER),
        ).fetchall():
            buckets.setdefault(start, dict.fromkeys(STATISTICS, 0))[name] = value
    return [SendingBucket(start=start, **buckets[start]) for start in sorted(buckets)]


def statuses(connection: sqlite3.Connection) -> dict[Status, int]:
    """How many deliveries stand at each status."""
    rows = dict(connection.execute("SELECT name, value FROM counters WHERE name LIKE 'status %'").fetchall())
    return {status: rows.get(_STATUS[status], 0) for status in Status}
