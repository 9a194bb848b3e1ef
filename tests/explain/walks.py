"""Live probes and times of bad health that nobody thought of, for ledgers that nobody thought of."""

from typing import Any

from hypothesis import strategies as st

from waybill.model.health import HealthPeriod
from waybill.model.outcome import Reply, Stage
from waybill.model.probe import NotProbed, Probed, ProbedHost, ProbeStep, Step


def walks(text: st.SearchStrategy[str], at: st.SearchStrategy[int]) -> st.SearchStrategy[Any]:
    """Walks that came anywhere, or to nothing."""
    step = st.builds(
        ProbeStep,
        step=st.sampled_from(Step),
        at=at,
        ms=st.integers(0, 30_000),
        ok=st.booleans(),
        text=text,
        host=st.none() | text,
    )
    reply = st.builds(
        Reply, code=st.integers(200, 599), enhanced=st.none(), lines=st.lists(text, max_size=3).map(tuple)
    )
    host = st.builds(
        ProbedHost, host=text, stage=st.sampled_from(Stage), text=text, ip=st.none() | text, reply=st.none() | reply
    )
    return st.builds(
        Probed,
        started_at=at,
        ended_at=at,
        helo=text,
        mail_from=text,
        mx=st.lists(text, max_size=3).map(tuple),
        steps=st.lists(step, max_size=4).map(tuple),
        hosts=st.lists(host, max_size=3).map(tuple),
        remarks=st.lists(text, max_size=2).map(tuple),
    )


def no_walks(text: st.SearchStrategy[str], at: st.SearchStrategy[int]) -> st.SearchStrategy[NotProbed]:
    """Walks that nobody made."""
    return st.builds(NotProbed, at=at, why=text)


def periods(text: st.SearchStrategy[str], at: st.SearchStrategy[int]) -> st.SearchStrategy[tuple[HealthPeriod, ...]]:
    """Times in which some part was not well."""
    period = st.builds(
        HealthPeriod,
        part=st.sampled_from(["resolver", "store", "disk", "publishing", "odd"]),
        state=st.sampled_from(["degraded", "failing"]),
        since=at,
        evidence=text,
        until=st.none() | at,
    )
    return st.lists(period, max_size=4).map(tuple)
