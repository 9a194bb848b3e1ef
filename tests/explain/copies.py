"""Received copies by name: headers as mailboxes show them, and the ledger's side where they are ours."""

from dataclasses import replace
from typing import Any

from tests.explain.life import MESSAGE_ID, START, Life, message
from waybill.explain import explain
from waybill.explain.trace import Tied, Trace, trace_copy
from waybill.mail.received_copy import read_copy
from waybill.model.clock import MINUTE, SECOND
from waybill.model.outcome import Stage

OURS = f"Message-ID: <{MESSAGE_ID}@bounce.shop.example>"
OWN = f"""From: Shop <orders@shop.example>
To: sam@corp.example
Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=
Date: Tue, 24 Nov 2026 14:03:09 +0000
{OURS}
"""

MICROSOFT = f"""Received: from AM0PR05MB5678.eurprd05.prod.outlook.com (2603:10a6:208:11::7) by
 DB7PR05MB1234.eurprd05.prod.outlook.com with HTTPS; Tue, 24 Nov 2026 14:20:05 +0000
Received: from VE1EUR01FT012.mail.protection.outlook.com (10.152.2.200) by
 AM0PR05MB5678.eurprd05.prod.outlook.com (2603:10a6:208:11::7) with Microsoft SMTP Server
 (version=TLS1_2, cipher=TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384) id 15.20.7784.23;
 Tue, 24 Nov 2026 14:03:09 +0000
Authentication-Results: spf=pass (sender IP is 198.51.100.4)
 smtp.mailfrom=bounce.shop.example; dkim=fail (body hash did not verify)
 header.d=shop.example;dmarc=fail action=none header.from=shop.example;compauth=fail reason=001
Received: from mail.shop.example (198.51.100.4) by mx1.corp.example (10.152.2.200)
 with Microsoft SMTP Server (version=TLS1_3, cipher=TLS_AES_256_GCM_SHA384) id
 15.20.7784.25 via Frontend Transport; Tue, 24 Nov 2026 14:03:06 +0000
{OWN}X-Forefront-Antispam-Report: CIP:198.51.100.4;CTRY:DE;LANG:en;SCL:5;SRV:;IPV:NLI;SFV:SPM;H:mail.shop.example;PTR:mail.shop.example;CAT:PHSH;SFS:(13230040);DIR:INB;
X-Microsoft-Antispam-Mailbox-Delivery: ucf:0;jmr:0;auth:0;dest:J;OFR:SpamFilterAuthJ;

Hello
"""

GMAIL_VIA_SES = """Delivered-To: li@gmail.example
Received: by 2002:a05:6402:1296:b0:5cf:1234:5678 with SMTP id w22csp123456edv;
        Tue, 24 Nov 2026 06:03:12 -0800 (PST)
X-Received: by 2002:a17:906:4d0a:b0:a2c:1234:5678 with SMTP id r10mr123456eju.12.1795874592123;
        Tue, 24 Nov 2026 06:03:12 -0800 (PST)
ARC-Seal: i=1; a=rsa-sha256; t=1795874592; cv=none; d=google.com; s=arc-20240605; b=AAAA
ARC-Message-Signature: i=1; a=rsa-sha256; c=relaxed/relaxed; d=google.com; s=arc-20240605; h=from; bh=BB; b=CC
ARC-Authentication-Results: i=1; mx.google.com; dkim=pass header.i=@shop.example header.s=s1; spf=pass
       smtp.mailfrom=0100@amazonses.com; dmarc=pass (p=NONE) header.from=shop.example
Return-Path: <0100019ab5f3c0d4-5d6b2c1e-7f88-4f0e-9a51-2f3c4d5e6f70-000000@amazonses.com>
Received: from a8-50.smtp-out.amazonses.com (a8-50.smtp-out.amazonses.com. [192.0.2.50])
        by mx.google.com with ESMTPS id a640c23a62f3a
        for <li@gmail.example>
        (version=TLS1_3 cipher=TLS_AES_128_GCM_SHA256 bits=128/128);
        Tue, 24 Nov 2026 06:03:11 -0800 (PST)
Authentication-Results: mx.google.com; dkim=pass header.i=@shop.example header.s=s1;
       spf=pass smtp.mailfrom=0100@amazonses.com; dmarc=pass (p=NONE) header.from=shop.example
From: orders@shop.example
To: li@gmail.example
Date: Tue, 24 Nov 2026 14:03:09 +0000
Message-ID: <0100019ab5f3c0d4-5d6b2c1e-7f88-4f0e-9a51-2f3c4d5e6f70-000000@email.amazonses.com>
Feedback-ID: ::1.us-east-1.AbC=:AmazonSES

Hello
"""

RSPAMD = f"""Received: from mx.ngo.example ([10.0.0.3]) by imap.ngo.example with LMTP
\tid sOm3Id (envelope-from <orders@shop.example>); Tue, 24 Nov 2026 14:03:20 +0000
Received: from mail.shop.example (mail.shop.example [198.51.100.4])
\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))
\tby mx.ngo.example (Postfix) with ESMTPS id 4F5XkQ for <sam@corp.example>;
\tTue, 24 Nov 2026 14:03:10 +0000 (UTC)
X-Spamd-Result: default: False [9.40 / 15.00]; PHISHING(4.00)[corp.example->shop.example]; BAYES_SPAM(5.10)[99.99%]
X-Rspamd-Action: add header
Received: from app1.shop.example (app1.shop.example [10.1.2.3]) by relay.shop.example (Postfix) with ESMTP id 77AA;
\tTue, 24 Nov 2026 14:01:09 +0000 (UTC)
Authentication-Results: mail.bank.example; dmarc=pass header.from=bank.example
Authentication-Results: mx.ngo.example; spf=pass smtp.mailfrom=shop.example
{OWN}
Hello
"""

NO_CLOCKS = """Received: from a.example by b.example with SMTP
Received: from c.example by a.example with SMTP; someday
Subject: A copy whose servers tell no time

Hello
"""


def tied(life: Life, by: str = "its return path") -> Tied:
    """The ledger's side of a life."""
    return Tied(
        message=life.message,
        delivery=life.delivery,
        recipient=explain(life.facts(), life.now).recipients[0],
        events=tuple(life.events),
        by=by,
    )


def _delivered(reply: str, *, waits: bool = True, **changes: Any) -> Life:
    life = Life(recipient="sam@corp.example", message=replace(message(), client_started_at=START - SECOND))
    if waits:
        life.answered("451 4.7.1 Greylisted, try again later").wait_for_retry()
    return life.answered(reply, Stage.MESSAGE, **changes)


def _trace(text: str, life: Life | None, why: str | None = None) -> Trace:
    copy = read_copy(text.encode())
    assert copy is not None
    return trace_copy(copy, tied(life) if life else None, why)


def late_inside_microsoft() -> Trace:
    """Ours, handed over at once; then a clock that is behind, and a quarter of an hour inside the receiver."""
    life = _delivered("250 2.6.0 <x> [InternalId=1] Queued mail for delivery", waits=False).wait(MINUTE)
    return _trace(MICROSOFT, life)


def microsoft_alone() -> Trace:
    """The same header where there is no ledger."""
    return _trace(MICROSOFT, None, "not asked: there is no store at waybill.db")


def gmail_via_ses() -> Trace:
    """A copy in Gmail that Amazon SES sent: nobody says where it was filed."""
    return _trace(GMAIL_VIA_SES, None, "no message of this ledger has its Message-ID")


def marked_by_rspamd() -> Trace:
    """Greylisted at first, and a server of the sender's own before us."""
    life = Life(recipient="sam@corp.example", message=replace(message(), client_started_at=START - SECOND))
    return _trace(RSPAMD, life.answered("250 2.0.0 Ok: queued as 4F5XkQ", Stage.MESSAGE))


def held_up_at_the_door() -> Trace:
    """The receiver's first hop is a minute after our first try, since it had put us off."""
    return _trace(RSPAMD, _delivered("250 2.0.0 Ok: queued as 4F5XkQ"))


def without_dates() -> Trace:
    """No server's date can be read."""
    return _trace(NO_CLOCKS, None, "no message of this ledger has its Message-ID")


def from_a_sent_folder() -> Trace:
    """No Received field at all."""
    return _trace(f"{OWN}\nHello\n", None, "no message of this ledger has its Message-ID")


def not_handed_over_yet() -> Trace:
    """The ledger knows the message, and has no delivery: somebody else's copy, perhaps from a Bcc."""
    return _trace(RSPAMD, Life(recipient="sam@corp.example").answered("451 4.7.1 Greylisted, try again later"))


COPIES = {
    "late-inside-microsoft": late_inside_microsoft,
    "microsoft-alone": microsoft_alone,
    "gmail-via-ses": gmail_via_ses,
    "marked-by-rspamd": marked_by_rspamd,
    "held-up-at-the-door": held_up_at_the_door,
    "without-dates": without_dates,
    "from-a-sent-folder": from_a_sent_folder,
    "not-handed-over-yet": not_handed_over_yet,
}
