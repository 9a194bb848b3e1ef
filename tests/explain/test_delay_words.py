"""Where the time went, as a person reads it."""

from waybill.explain.delay_words import describe_delay, long_parts
from waybill.explain.record import AT_RECEIVER, IN_WAYBILL, Delay, DelayPart
from waybill.model.clock import HOUR, MINUTE, SECOND, parse_rfc3339
from waybill.model.message import Source

START = parse_rfc3339("2026-11-24T14:03:09Z")


def part(at: int, ms: int, *, where: str = AT_RECEIVER, by: str = "mx1.firma.example", text: str = "why") -> DelayPart:
    return DelayPart(where=where, start=START + at, end=START + at + ms, by=by, text=text)


def test_parts_that_are_not_known_are_left_out() -> None:
    """An API client's clock has whole seconds only."""
    delay = Delay(before_acceptance_ms=420, in_waybill_ms=40, at_receiver_ms=963_800, attempts=2)
    assert "before us under 1 s · in Waybill 0.04 s · at the receiver 16 min 3 s (2 attempts)" == describe_delay(
        delay, Source.API
    )
    assert "before us 0.42 s · in Waybill 0.04 s · since then 1 h" == describe_delay(
        Delay(before_acceptance_ms=420, in_waybill_ms=40, after_acceptance_ms=HOUR), Source.SMTP
    )
    assert "not known" == describe_delay(Delay(), Source.API)
    assert "in Amazon SES 2.0 s" == describe_delay(Delay(in_waybill_ms=2 * SECOND), Source.AMAZON_SES)


def test_the_dns_and_the_network_are_not_the_receiver() -> None:
    """Where they took long, or where no server was met at all, they are told apart."""
    dns, network = part(0, 5 * SECOND, by="dns"), part(5_000, 30 * SECOND, by="network")
    met = Delay(at_receiver_ms=36 * SECOND, parts=(dns, network, part(35_000, SECOND)))
    assert "for the DNS 5.0 s · for a connection 30 s · at the receiver 1.0 s" == describe_delay(met, Source.SMTP)
    brief = Delay(at_receiver_ms=1_100, parts=(part(0, 100, by="dns"), part(100, SECOND)))
    assert "at the receiver 1.1 s" == describe_delay(brief, Source.SMTP)
    nobody = Delay(at_receiver_ms=40, parts=(part(0, 40, by="dns"),))
    assert "for the DNS 0.04 s" == describe_delay(nobody, Source.SMTP)


def test_long_stretches_have_a_line_each() -> None:
    """Short ones are left to --json; of very many only the longest are told."""
    held = part(0, 4 * MINUTE, where=IN_WAYBILL, by="rule:x", text="held by rule x: too fast")
    assert ("4 min from 2026-11-24 14:03:09 UTC: held by rule x: too fast",) == long_parts(
        Delay(parts=(held, part(240_000, 59 * SECOND)))
    )
    many = tuple(part(at * HOUR, (10 + at) * MINUTE) for at in range(9))
    told = long_parts(Delay(parts=many))
    assert 7 == len(told)
    assert told[0].startswith("13 min from")
    assert "and 3 shorter, which --json lists" == told[-1]
