"""What the rules of SpamAssassin and the symbols of Rspamd mean, for a person: those that senders meet most."""

import re

_EXACT = {
    "BAYES_99": "its words are those of spam, by what this filter has learned (99 %)",
    "BAYES_999": "its words are those of spam, by what this filter has learned (99.9 %)",
    "BAYES_95": "its words are those of spam, by what this filter has learned (95 %)",
    "BAYES_80": "its words look like spam, by what this filter has learned (80 %)",
    "BAYES_SPAM": "its words are those of spam, by what this filter has learned",
    "SPF_FAIL": "SPF says that this address may not send for the MAIL FROM domain",
    "SPF_SOFTFAIL": "SPF says that this address should not send for the MAIL FROM domain",
    "SPF_HELO_FAIL": "SPF says that this address may not use the HELO name",
    "R_SPF_FAIL": "SPF says that this address may not send for the MAIL FROM domain",
    "R_SPF_SOFTFAIL": "SPF says that this address should not send for the MAIL FROM domain",
    "R_SPF_NA": "the MAIL FROM domain has no SPF record",
    "R_DKIM_REJECT": "the DKIM signature is wrong",
    "R_DKIM_NA": "it has no DKIM signature",
    "DKIM_INVALID": "it has a DKIM signature that is wrong",
    "DMARC_POLICY_REJECT": "DMARC failed, and the From domain asks for rejection",
    "DMARC_POLICY_QUARANTINE": "DMARC failed, and the From domain asks for quarantine",
    "DMARC_POLICY_SOFTFAIL": "DMARC failed; the From domain asks for nothing (p=none)",
    "DMARC_REJECT": "DMARC failed, and the From domain asks for rejection",
    "DMARC_QUAR": "DMARC failed, and the From domain asks for quarantine",
    "DMARC_NONE": "DMARC failed; the From domain asks for nothing (p=none)",
    "DMARC_NA": "the From domain has no DMARC record",
    "RDNS_NONE": "the sending address has no name (PTR)",
    "RDNS_DYNAMIC": "the sending address has a name as of a dial-up line",
    "HFILTER_HOSTNAME_UNKNOWN": "the sending address has no name (PTR) that leads back to it",
    "RBL_SENDERSCORE": "the sending address has a low Sender Score",
    "HTML_MIME_NO_HTML_TAG": "an HTML part without an html tag",
    "MIME_HTML_ONLY": "it has an HTML part and no text part",
    "HTML_IMAGE_ONLY_04": "an image with hardly any text",
    "MISSING_MID": "it has no Message-ID",
    "MISSING_DATE": "it has no Date",
    "MISSING_TO": "it has no To",
    "MISSING_SUBJECT": "it has no Subject",
    "SUBJ_ALL_CAPS": "the subject is all capitals",
    "FORGED_SENDER": "From and MAIL FROM differ",
    "FROM_NEQ_ENVFROM": "From and MAIL FROM differ",
    "FREEMAIL_FORGED_REPLYTO": "replies go to a free mail address other than the sender's",
    "HEADER_FROM_DIFFERENT_DOMAINS": "From and MAIL FROM are of different domains",
    "PHISHING": "a link's text names another place than the link leads to",
    "MANY_INVISIBLE_PARTS": "much of its text is made invisible",
    "FUZZY_DENIED": "mail nearly like this was reported as spam before",
    "GREYLIST": "it was put off once (greylisting)",
}
_PREFIXES = {
    "BAYES_": "what this filter has learned about its words",
    "URIBL_BLOCKED": "the link blocklist refused to answer this resolver, which says nothing about the message",
    "URIBL_ZEN_BLOCKED": "the blocklist refused to answer this resolver, which says nothing about the message",
    "URIBL_": "a domain that it links to is on a blocklist",
    "SURBL_": "a domain that it links to is on a blocklist",
    "DBL_": "a domain in it is on Spamhaus's domain blocklist",
    "RCVD_IN_DNSWL": "the sending address is on a list of good senders",
    "RCVD_IN_MSPIKE": "what Mailspike says of the sending address",
    "RCVD_IN_": "an address it came through is on a blocklist",
    "RBL_": "an address it came through is on a blocklist",
    "RAZOR2": "mail like this was reported as spam to Razor",
    "PYZOR": "mail like this was reported as spam to Pyzor",
    "DCC_": "mail like this was sent in bulk (DCC)",
    "FUZZY_": "mail nearly like this was reported before",
    "HTML_IMAGE_": "images with little text",
    "HTML_FONT_": "text in a colour or size that hides it",
    "FREEMAIL_": "it uses a free mail address",
    "MIME_": "how its parts are put together",
    "HFILTER_": "the sending server's name or HELO",
}
_RULE = re.compile(r"[A-Z][A-Z0-9_]{1,60}")


def meaning_of(rule: str) -> str | None:
    """What a rule says, in words; None where it is not among those known here."""
    if not _RULE.fullmatch(rule):
        return None
    if rule in _EXACT:
        return _EXACT[rule]
    return next((meaning for prefix, meaning in _PREFIXES.items() if rule.startswith(prefix)), None)
