"""The SMTP conversation of an attempt that is told of in a story."""

from waybill.model.clock import Instant
from waybill.model.outcome import Line, Reply, Speaker, Stage


def conversation(
    host: str, recipient: str, *, at: Instant, stage: Stage, reply: Reply | None, route: str
) -> tuple[Line, ...]:
    """What was said until ``stage``, at which the reply came; nothing where nobody was spoken to."""
    dialogue = [
        (Speaker.SERVER, f"220 {host} ESMTP"),
        (Speaker.CLIENT, "EHLO mail.shop.example"),
        (Speaker.SERVER, f"250-{host}"),
        (Speaker.SERVER, "250 PIPELINING"),
    ]
    steps = [
        (Speaker.CLIENT, "MAIL FROM:<1.abcdef@bounce.shop.example>", "250 2.1.0 Ok"),
        (Speaker.CLIENT, f"RCPT TO:<{recipient}>", "250 2.1.5 Ok"),
        (Speaker.CLIENT, "DATA", "354 Go ahead"),
    ]
    if stage not in {Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.MESSAGE}:
        return ()
    said = reply.text if reply else ""
    for index, (who, command, answer) in enumerate(steps):
        dialogue.append((who, command))
        if (index, stage) in {(0, Stage.MAIL), (1, Stage.RCPT), (2, Stage.DATA)}:
            dialogue.append((Speaker.SERVER, said))
            break
        dialogue.append((Speaker.SERVER, answer))
    else:
        dialogue.append((Speaker.SERVER, said))
    lines = [Line(at=at, who=who, text=text) for who, text in dialogue]
    return (Line(at=at, who=Speaker.NOTE, text=route), *lines) if route else tuple(lines)
