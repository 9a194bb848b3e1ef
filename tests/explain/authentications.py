"""Any evidence of SPF, DKIM and DMARC that the store may hold."""

from hypothesis import strategies as st

from waybill.model.authentication import (
    Alignment,
    Authentication,
    AuthenticationSeen,
    DkimKeySeen,
    DkimResult,
    DmarcEvaluation,
    DmarcPolicy,
    DmarcRecord,
    DmarcResult,
    Sending,
    SignatureBroken,
    SpfEvaluation,
    SpfRecord,
    SpfResult,
)

NAMES = ("one", "two")
_DOMAIN = st.sampled_from(["shop.example", "bounce.shop.example", "", "é"])
_RESULT = st.sampled_from(["pass", "fail", "temperror", "unknown"])


def broken(text: st.SearchStrategy[str]) -> st.SearchStrategy[SignatureBroken]:
    """Any signature that did not match."""
    return st.builds(SignatureBroken, number=st.integers(1, 9), domain=_DOMAIN, selector=text, reason=text)


def seen(text: st.SearchStrategy[str], at: st.SearchStrategy[int]) -> st.SearchStrategy[AuthenticationSeen]:
    """Anything that may have been seen."""
    sending = st.builds(
        Sending, account=text, from_domain=_DOMAIN, mail_from_domain=_DOMAIN, helo=text, source_ip=text, via=text
    )
    spf = st.builds(
        SpfEvaluation,
        result=st.sampled_from(SpfResult),
        domain=_DOMAIN,
        ip=text,
        reason=text,
        records=st.lists(st.builds(SpfRecord, domain=_DOMAIN, text=text), max_size=2).map(tuple),
    )
    key = st.builds(
        DkimKeySeen,
        domain=_DOMAIN,
        selector=text,
        result=st.sampled_from(DkimResult),
        reason=text,
        record=st.none() | text,
        expected=text,
    )
    alignment = st.builds(
        Alignment,
        mechanism=st.sampled_from(["spf", "dkim"]),
        domain=_DOMAIN,
        result=_RESULT,
        aligned=st.booleans(),
        strict=st.booleans(),
    )
    record = st.builds(DmarcRecord, domain=_DOMAIN, text=text, policy=st.sampled_from(DmarcPolicy))
    dmarc = st.builds(
        DmarcEvaluation,
        result=st.sampled_from(DmarcResult),
        from_domain=_DOMAIN,
        reason=text,
        record=st.none() | record,
        policy=st.none() | st.sampled_from(DmarcPolicy),
        disposition=st.sampled_from(DmarcPolicy),
        alignments=st.lists(alignment, max_size=3).map(tuple),
    )
    found = st.builds(
        Authentication,
        sending=sending,
        spf=st.none() | spf,
        spf_unknown=st.none() | text,
        dkim=st.lists(key, max_size=2).map(tuple),
        dmarc=dmarc,
    )
    name = st.sampled_from(NAMES)
    return st.builds(AuthenticationSeen, sending_id=name, authentication=found, first_seen=at, last_seen=at)
