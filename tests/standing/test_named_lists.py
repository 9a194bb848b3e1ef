"""The blocklists that a refusal names, asked whether they list us still."""

from dataclasses import replace

import pytest

from waybill.lab.dns import LabDns
from waybill.mail.reply import parse_reply
from waybill.model.cause import CATALOGUE, Cause, Responder
from waybill.model.outcome import Attempt, Outcome, Result, Stage
from waybill.net.resolver import Resolver
from waybill.standing.named_lists import ask_named, named_in, refused_ip

REPLY = "550 5.1.1 Mail from 198.51.100.4 refused, see https://www.spamhaus.org/query/ip/198.51.100.4"
ZEN = {"2.0.0.127.zen.spamhaus.org": ["A 127.0.0.2"]}


def refused(reply: str = REPLY, source_ip: str = "192.168.1.5") -> Attempt:
    outcome = Outcome(
        result=Result.BOUNCED,
        cause=Cause.IP_BLOCKLISTED,
        scope=CATALOGUE[Cause.IP_BLOCKLISTED].scope,
        responder=Responder.REMOTE,
        permanent=True,
        stage=Stage.RCPT,
        status="5.1.1",
        diagnostic=f"smtp; {reply}",
        rule="r",
        reply=parse_reply(reply),
    )
    return Attempt(number=1, started_at=1, ended_at=2, outcome=outcome, ip="192.0.2.7", source_ip=source_ip)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("blocked using zen.spamhaus.org", ["Spamhaus ZEN"]),
        (REPLY, ["Spamhaus ZEN"]),
        ("found on a list that nobody knows", []),
        ("blocked by barracudacentral.org", ["Barracuda"]),
    ],
)
def test_the_lists_that_are_named(words: str, names: list[str]) -> None:
    """By zone, domain or name; a list that we do not know is not asked."""
    assert names == [one.name for one in named_in(words)]


def test_the_address_that_was_refused() -> None:
    """The one in the reply; ours where it names none and the world can see it."""
    assert "198.51.100.4" == refused_ip(refused())
    assert None is refused_ip(refused("550 5.7.1 listed"))
    assert "8.8.8.8" == refused_ip(refused("550 5.7.1 [192.0.2.7] says: listed", source_ip="8.8.8.8"))
    assert None is refused_ip(replace(refused(), outcome=replace(refused().outcome, reply=None)))


@pytest.mark.parametrize(
    ("zones", "state"),
    [
        ({**ZEN, "4.100.51.198.zen.spamhaus.org": ["A 127.0.0.4"]}, "listed"),
        (ZEN, "clear"),
        ({"*": ["A 127.255.255.254"]}, "refused"),
        ({"*": ["SERVFAIL"]}, "unknown"),
    ],
)
async def test_asking(zones: dict[str, list[str]], state: str) -> None:
    """Still listed, listed no more, and answers that mean nothing."""
    async with LabDns(zones) as dns:
        resolver = Resolver([dns.address], patience=1.0, rounds=1)
        (found,) = await ask_named(resolver, refused())
        await resolver.close()
    assert ("198.51.100.4", state) == (found.subject, found.state)
