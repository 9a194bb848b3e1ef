"""What filters write into a copy, in words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waybill.mail.header import scan
from waybill.mail.receiver_verdict import decide, read_verdicts
from waybill.mail.verdict import Filed, Verdict

FOREFRONT = (
    "X-Forefront-Antispam-Report: CIP:198.51.100.4;CTRY:DE;LANG:en;SCL:5;SRV:;IPV:NLI;SFV:SPM;H:mail.shop.example;"
    "PTR:mail.shop.example;CAT:SPM;SFS:(13230040)(4326012);DIR:INB;"
)
RSPAMD = """X-Spamd-Result: default: False [9.40 / 15.00];
\tPHISHING(4.00)[corp.example->shop.example];
\tR_SPF_FAIL(1.00)[-all:c];
\tBAYES_SPAM(5.10)[99.99%];
\tDMARC_POLICY_ALLOW(-0.50)[shop.example,reject];
\tARC_NA(0.00)[]
X-Rspamd-Action: add header"""
SPAMASSASSIN = """X-Spam-Status: Yes, score=7.3 required=5.0 tests=BAYES_99,HTML_MESSAGE,
\tMIME_HTML_ONLY,URIBL_BLACK autolearn=no autolearn_force=no version=4.0.0
X-Spam-Flag: YES
X-Spam-Report:
\t*  3.5 BAYES_99 BODY: Bayes spam probability is 99 to 100%
\t*      [score: 1.0000]
\t*  0.0 HTML_MESSAGE BODY: HTML included in message
\t*  1.7 URIBL_BLACK Contains an URL listed in the URIBL blacklist
\t*      [URIs: bad.example]"""
AMAVIS = "X-Spam-Status: No, score=-1.9 tagged_above=-999 required=6.31 tests=[BAYES_00=-1.9, DKIM_INVALID=0.1, SPF_FAIL=0.9] autolearn=ham"
PROOFPOINT = "X-Proofpoint-Spam-Details: rule=spam policy=default score=97 mlxscore=97 phishscore=0 spamscore=97 bulkscore=12 classifier=spam adjust=0 reason=mlx scancount=1 engine=8.19.0-2311"
BARRACUDA = "X-Barracuda-Spam-Status: Yes, SCORE=5.20 using global scores of TAG_LEVEL=3.5 QUARANTINE_LEVEL=1000.0 KILL_LEVEL=9.0 tests=BSF_SC0_MISMATCH_TO"


def verdicts(text: str) -> tuple[Verdict, ...]:
    return read_verdicts(scan(f"{text}\n\nbody".encode())[0])


def decided(text: str) -> Verdict:
    verdict = decide(verdicts(text))
    assert verdict is not None
    return verdict


@pytest.mark.parametrize(
    ("header", "system", "filed", "text"),
    [
        (FOREFRONT, "Microsoft", Filed.SPAM, "SCL 5: spam; it goes to Junk Email"),
        ("X-Forefront-Antispam-Report: CIP:1.2.3.4;SCL:-1;SFV:SKN;CAT:NONE;", "Microsoft", Filed.INBOX, "SCL -1: it passed without filtering, as from a safe sender"),
        ("X-Forefront-Antispam-Report: SCL:1;SFV:NSPM;CAT:NONE", "Microsoft", Filed.INBOX, "SCL 1: not spam; it goes to the Inbox"),
        ("X-Forefront-Antispam-Report: SCL:8;SFV:SPM;CAT:HPHISH", "Microsoft", Filed.QUARANTINE, "SCL 8: spam with high confidence; it goes to Junk Email or quarantine, as the administrator has set"),
        ("X-MS-Exchange-Organization-SCL: 6", "Microsoft", Filed.SPAM, "SCL 6: spam; it goes to Junk Email"),
        ("X-Microsoft-Antispam-Mailbox-Delivery: ucf:0;jmr:0;auth:0;dest:J;OFR:SpamFilterAuthJ;", "Microsoft", Filed.SPAM, "the mailbox put it into Junk Email (the mailbox's own filter: SpamFilterAuthJ)"),
        ("X-Microsoft-Antispam-Mailbox-Delivery: ucf:0;jmr:1;dest:I;", "Microsoft", Filed.INBOX, "the mailbox put it into the Inbox (a rule of the recipient: 1)"),
        ("X-Gm-Spam: 1", "Gmail", Filed.SPAM, "Google Workspace took it for spam"),
        ("X-Gmail-Labels: Spam,Unread", "Gmail", Filed.SPAM, "the mailbox's export has it in Spam: labels Spam,Unread"),
        ("X-YahooFilteredBulk: 198.51.100.4", "Yahoo", Filed.SPAM, "Yahoo put it into Spam (filtered as bulk, from 198.51.100.4)"),
        ("X-Apple-MoveToFolder: Junk", "iCloud", Filed.SPAM, "iCloud put it into Junk"),
        ("X-GMX-Antispam: 0 (Mail was not recognized as spam)", "GMX", Filed.INBOX, "not taken for spam: Mail was not recognized as spam"),
        ("X-Pm-Spam-Action: spam", "Proton", Filed.SPAM, "Proton's filter says spam"),
        (RSPAMD, "Rspamd", Filed.SPAM, "action add header: probably spam: it was marked, which puts it into Junk, 9.4 of 15 points"),
        ("X-Spamd-Result: default: True [16.00 / 15.00]; X(16.00)[]", "Rspamd", Filed.SPAM, "taken for spam, 16 of 15 points"),
        ("X-Rspamd-Score: 1.5", "Rspamd", Filed.NOT_TOLD, "it does not say what was done, 1.5 points"),
        (SPAMASSASSIN, "SpamAssassin", Filed.SPAM, "taken for spam, 7.3 of 5 points"),
        (AMAVIS, "SpamAssassin", Filed.INBOX, "not taken for spam, -1.9 of 6.31 points"),
        (PROOFPOINT, "Proofpoint", Filed.QUARANTINE, "rule spam: taken for spam, score 97 of 100"),
        ("X-Proofpoint-Spam-Details: rule=outbound_notspam policy=outbound score=0", "Proofpoint", Filed.INBOX, "rule outbound_notspam: not taken for spam, score 0 of 100"),
        (BARRACUDA, "Barracuda", Filed.SPAM, "taken for spam, score 5.2 (tag at 3.5, kill at 9)"),
        ("X-Mimecast-Spam-Signature: yes", "Mimecast", Filed.QUARANTINE, "it has the signature of known spam"),
        ("X-Spam-Flag: YES", "a spam filter that does not say its name", Filed.SPAM, "taken for spam"),
    ],
)  # fmt: skip
def test_each_filter(header: str, system: str, filed: Filed, text: str) -> None:
    """Whose verdict it is, what it leads to, and what it says."""
    found = verdicts(header)[0]
    assert (system, filed, text) == (found.system, found.filed, found.text)


def test_microsofts_grounds() -> None:
    """Category, filter verdict, and who was seen sending."""
    assert (
        "category SPM: spam",
        "SFV SPM: the filter took it for spam",
        "it came from 198.51.100.4 (DE), PTR mail.shop.example, which called itself mail.shop.example",
        "language as read: en",
    ) == decided(FOREFRONT).grounds


def test_grounds_are_the_weightiest_first_and_in_words() -> None:
    """What spoke for the message is left out."""
    assert (
        "5.1 BAYES_SPAM [99.99%]: its words are those of spam, by what this filter has learned",
        "4 PHISHING [corp.example->shop.example]: a link's text names another place than the link leads to",
        "1 R_SPF_FAIL [-all:c]: SPF says that this address may not send for the MAIL FROM domain",
    ) == decided(RSPAMD).grounds
    assert (
        "3.5 BAYES_99: BODY: Bayes spam probability is 99 to 100%",
        "1.7 URIBL_BLACK: Contains an URL listed in the URIBL blacklist",
    ) == decided(SPAMASSASSIN).grounds
    assert (
        "0.9 SPF_FAIL: SPF says that this address may not send for the MAIL FROM domain",
        "0.1 DKIM_INVALID: it has a DKIM signature that is wrong",
    ) == decided(AMAVIS).grounds
    assert ("spamscore 97 of 100", "bulkscore 12 of 100") == decided(PROOFPOINT).grounds
    names_only = "X-Spam-Status: Yes, score=6 required=5 tests=BAYES_99,ODD_RULE autolearn=no"
    assert ("BAYES_99: its words are those of spam, by what this filter has learned (99 %)",) == decided(
        names_only
    ).grounds


def test_the_folder_decides_over_the_filter() -> None:
    """A message that the filter let pass may still be in Junk, by the recipient's own rule; and the other way round."""
    passed = "X-Forefront-Antispam-Report: SCL:1;SFV:NSPM\nX-Microsoft-Antispam-Mailbox-Delivery: jmr:1;dest:J;"
    assert (Filed.SPAM, True) == (decided(passed).filed, decided(passed).is_folder)
    rescued = f"{FOREFRONT}\nX-Microsoft-Antispam-Mailbox-Delivery: dest:I;"
    assert Filed.INBOX is decided(rescued).filed


def test_spam_by_one_filter_outweighs_the_others_silence() -> None:
    """Several filters on the way: the one that says spam is the one to tell of."""
    assert "SpamAssassin" == decided(f"{SPAMASSASSIN}\nX-Forefront-Antispam-Report: SCL:1;SFV:NSPM").system


def test_gmail_does_not_tell() -> None:
    """Its header says nothing about the folder, and that is said."""
    (verdict,) = verdicts("Authentication-Results: mx.google.com; spf=pass smtp.mailfrom=a@b.example")
    assert Filed.NOT_TOLD is verdict.filed
    assert "only the mailbox shows it" in verdict.text
    assert decide((verdict,)) is None


def test_compauth_and_bulk_in_words() -> None:
    """Microsoft's numbers mean something."""
    header = (
        "Authentication-Results: spf=pass smtp.mailfrom=a; compauth=fail reason=001\nX-Microsoft-Antispam: BCL:8;ARA:1;"
    )
    texts = {verdict.header: verdict.text for verdict in verdicts(header)}
    assert {
        "X-Microsoft-Antispam": "BCL 8: many complaints; from 7 on it is treated as spam by default",
        "Authentication-Results": "composite authentication: fail (reason 001: implicit authentication failed: the sender "
        "publishes no records, or only weak ones)",
    } == texts


NAMES = [
    "X-Forefront-Antispam-Report",
    "X-MS-Exchange-Organization-SCL",
    "X-Microsoft-Antispam",
    "X-Spamd-Result",
    "X-Spam-Status",
    "X-Rspamd-Score",
    "X-Spam-Report",
    "X-Barracuda-Spam-Status",
    "X-Mimecast-Spam-Score",
    "X-GMX-Antispam",
    "X-Proofpoint-Spam-Details",
    "X-Microsoft-Antispam-Mailbox-Delivery",
    "Authentication-Results",
    "X-Pm-SpamScore",
]
VALUES = st.text(max_size=60) | st.from_regex(r"[A-Za-z]{0,4}[:=,\[\]/*; 0-9.-]{0,30}", fullmatch=True)


@settings(deadline=None, max_examples=200)
@given(fields=st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=5))
def test_nothing_breaks_them(fields: list[tuple[str, str]]) -> None:
    """Any values give verdicts with words, or none."""
    text = "\n".join(f"{name}: {value}" for name, value in fields)
    assert all(verdict.text for verdict in read_verdicts(scan(f"{text}\n\n".encode())[0]))
