"""Stories whose teller was asked live: the receiver as it is now, beside what was recorded."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from tests.explain.life import SOURCE_IP, Life
from tests.explain.stories_authentication import PUBLISHED, REJECT, SPF_OF_MAILER, refused, seen, sending
from tests.explain.stories_waybill import LIVES as WAYBILLS
from waybill.deliver.evidence import Failure
from waybill.mail.reply import parse_reply
from waybill.model.clock import HOUR, MINUTE, Instant
from waybill.model.event import EventKind
from waybill.model.outcome import Stage, Tls
from waybill.model.probe import NotProbed, Probed, ProbedHost, ProbedListing, ProbeStep, Step
from waybill.model.standing import ListingState

RETURN_PATH = "b1abcdef@bounce.shop.example"
TLS = Tls(version="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384", peer_subject=None, verified=True)
ROUTE = "192.0.2.53:53 answered for firma.example MX: 10 mx1.firma.example."


def _steps(at: Instant, host: str, words: Sequence[tuple[Step, str]]) -> tuple[ProbeStep, ...]:
    return tuple(
        ProbeStep(
            step=step,
            at=at + 20 * number,
            ms=20,
            ok=not text.startswith(("4", "5", "no ", "Conn")),
            text=text,
            host=None if step is Step.MX else host,
            ip=None if step is Step.MX else "192.0.2.7",
        )
        for number, (step, text) in enumerate(words)
    )


def asked(life: Life, reply: str, *, mx: str = "mx1.firma.example", tls: Tls | None = TLS) -> Life:
    """Somebody asks now, and the server answers RCPT with this reply."""
    words = [
        (Step.MX, f"192.0.2.53:53 answered for firma.example MX: 10 {mx}."),
        (Step.CONNECT, f"port 25, from {SOURCE_IP}"),
        (Step.GREETING, f"220 {mx} ESMTP"),
        (Step.EHLO, f"250 {mx}; offers PIPELINING, STARTTLS"),
        (Step.STARTTLS, "TLSv1.3 TLS_AES_256_GCM_SHA384, certificate verified" if tls else "STARTTLS is not offered"),
        (Step.MAIL, "250 2.1.0 Ok"),
        (Step.RCPT, reply),
    ]
    host = ProbedHost(
        host=mx,
        stage=Stage.RCPT,
        text=reply,
        ip="192.0.2.7",
        port=25,
        reply=parse_reply(reply),
        tls=tls,
        source_ip=SOURCE_IP,
    )
    return found(life, words, (f"10 {mx}",), host)


def found(life: Life, words: Sequence[tuple[Step, str]], mx: tuple[str, ...], *hosts: ProbedHost) -> Life:
    """Somebody asks now, and this is what the walk comes to; it is in the ledger, too."""
    steps = _steps(life.now, hosts[0].host if hosts else "", words)
    probed = Probed(
        started_at=life.now,
        ended_at=life.now + 20 * len(steps),
        helo="mail.shop.example",
        mail_from=RETURN_PATH,
        mx=mx,
        steps=steps,
        hosts=hosts,
    )
    before = life.delivery
    life.end(before.status, before.cause, EventKind.PROBED, probed)  # type: ignore[arg-type] # None while it is queued
    life.delivery = before
    life.live = probed
    return life.wait(20 * len(steps))


def _unknown() -> Life:
    return (
        Life(route=ROUTE)
        .answered("550 5.1.1 <anna.k@firma.example>: Recipient address rejected: User unknown")
        .wait(HOUR)
    )


def _gone() -> Life:
    return found(_unknown(), [(Step.MX, "192.0.2.53:53 answered NXDOMAIN for firma.example MX")], ())


def _silent() -> Life:
    words = [(Step.MX, ROUTE), (Step.CONNECT, "Connection refused by mx1.firma.example [192.0.2.7]:25")]
    host = ProbedHost(host="mx1.firma.example", stage=Stage.CONNECT, text=words[-1][1], ip="192.0.2.7", port=25)
    return found(_unknown(), words, ("10 mx1.firma.example",), host)


def _back() -> Life:
    life = Life().failed(Failure.CONNECTION_TIMEOUT, "Connecting to mx1.firma.example [192.0.2.7]:25 timed out")
    return asked(life.wait(MINUTE), "250 2.1.5 Ok")


def _not_again() -> Life:
    life = _unknown()
    why = "somebody walked to firma.example 12 s ago, and once in 30 s is enough; ask again in 18 s"
    life.live = NotProbed(at=life.now, why=why)
    return life


def _of_two_minds() -> Life:
    """Two MX hosts of equal preference, of which one says no and the other yes."""
    life = asked(_unknown(), "550 5.1.1 no such user")
    probed = life.live
    assert isinstance(probed, Probed)
    reply = parse_reply("250 2.1.5 Ok")
    other = ProbedHost(
        host="mx2.firma.example", stage=Stage.RCPT, text="250 2.1.5 Ok", ip="192.0.2.8", port=25, reply=reply
    )
    life.live = replace(probed, mx=(*probed.mx, "10 mx2.firma.example"), hosts=(*probed.hosts, other))
    life.events[-1] = replace(life.events[-1], fact=life.live)
    return life


def _unverified() -> Life:
    return asked(
        _unknown(), "550 5.1.1 no such user", tls=replace(TLS, verified=False, why_not_verified="it has expired")
    )


def _blocked(state: ListingState, text: str) -> Life:
    """Refused for a listing; asked now, the list says this of it."""
    words = "550 5.7.1 Service unavailable; Client host [198.51.100.4] blocked using zen.spamhaus.org"
    life = Life(route=ROUTE).answered(words).wait(HOUR)
    life = asked(life, words if state is ListingState.LISTED else "250 2.1.5 Ok")
    probed = life.live
    assert isinstance(probed, Probed)
    listing = ProbedListing(name="Spamhaus ZEN", subject="198.51.100.4", state=state, text=text)
    life.live = replace(probed, listings=(listing,))
    life.events[-1] = replace(life.events[-1], fact=life.live)
    return life


def _published_now() -> Life:
    """Refused for its authentication: the key was not there then, and is there now; the policy is milder now."""
    what = sending(mail_from_domain="bounce.mailer.example")
    life = refused(seen(what, REJECT, SPF_OF_MAILER), what=what).wait(HOUR)
    life = asked(life, "250 2.1.5 Ok")
    probed = life.live
    assert isinstance(probed, Probed)
    milder = {"_dmarc.shop.example": "v=DMARC1; p=none"}
    now = seen(what, milder, SPF_OF_MAILER, PUBLISHED).authentication
    life.live = replace(probed, authentication=now)
    life.events[-1] = replace(life.events[-1], fact=life.live)
    return life


LIVES: dict[str, Callable[[], Life]] = {
    "user_unknown-live-exists-now": lambda: asked(_unknown(), "250 2.1.5 Ok"),
    "user_unknown-live-still": lambda: asked(_unknown(), "550 5.1.1 no such user here"),
    "user_unknown-live-put-off": lambda: asked(_unknown(), "451 4.7.1 Greylisted, try again later"),
    "user_unknown-live-elsewhere": lambda: asked(_unknown(), "250 2.1.5 Ok", mx="mx.new.example"),
    "user_unknown-live-domain-gone": _gone,
    "user_unknown-live-silent": _silent,
    "user_unknown-live-certificate-expired": _unverified,
    "user_unknown-live-of-two-minds": _of_two_minds,
    "user_unknown-live-not-again": _not_again,
    "policy_rejected-live-after-content": lambda: asked(
        Life(route=ROUTE).answered("550 5.7.1 Message rejected due to local policy", Stage.MESSAGE).wait(HOUR),
        "250 2.1.5 Ok",
    ),
    "auth_failed-live-published-now": _published_now,
    "ip_blocklisted-live-still": lambda: _blocked(
        ListingState.LISTED, "Spamhaus ZEN lists 198.51.100.4 (127.0.0.4: XBL: a hijacked machine or an open proxy)"
    ),
    "ip_blocklisted-live-gone": lambda: _blocked(ListingState.CLEAR, "Spamhaus ZEN does not list 198.51.100.4"),
    "greylisted-live-passes-now": lambda: asked(
        Life().answered("451 4.7.1 Greylisted, try again later").wait(30_000), "250 2.1.5 Ok"
    ),
    "accepted_by_receiver-live-refused-now": lambda: asked(
        Life().answered("250 2.0.0 Ok: queued as 4F1", Stage.MESSAGE).wait(HOUR), "550 5.1.1 User unknown"
    ),
    "connection_failed-live-back": _back,
    "suppressed_account-live": lambda: asked(WAYBILLS["suppressed_account"]().wait(HOUR), "250 2.1.5 Ok"),
    "held_by_waybill-live": lambda: asked(WAYBILLS["held_by_waybill"](), "250 2.1.5 Ok"),
}
