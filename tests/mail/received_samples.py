"""Received fields as mail systems write them: system, field, and what of it must be read (the rest is not asked)."""

from typing import Any

SAMPLES: list[tuple[str, str, dict[str, Any]]] = [
    (
        "postfix, TLS 1.3",
        "from mail.shop.example (mail.shop.example [198.51.100.4])\r\n\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\r\n\t key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256)\r\n\t(No client certificate requested)\r\n\tby mx.ngo.example (Postfix) with ESMTPS id 4XyzAB12Cdz9sQ\r\n\tfor <kim@ngo.example>; Tue, 24 Nov 2026 14:03:12 +0000 (UTC)",
        {"sender": "mail.shop.example", "ip": "198.51.100.4", "by": "mx.ngo.example", "software": "Postfix", "protocol": "ESMTPS", "id": "4XyzAB12Cdz9sQ", "recipient": "kim@ngo.example", "tls": "TLSv1.3 TLS_AES_256_GCM_SHA384", "at": "2026-11-24T14:03:12.000Z"},
    ),
    (
        "postfix, another HELO than the name",
        "from WIN-7.local (host-7.isp.example [203.0.113.7]) by mx.ngo.example (Postfix) with ESMTPSA id 9B1F2; Tue, 24 Nov 2026 15:03:12 +0100 (CET)",
        {"sender": "WIN-7.local", "helo": "WIN-7.local", "ip": "203.0.113.7", "protocol": "ESMTPSA", "at": "2026-11-24T14:03:12.000Z"},
    ),
    (
        "postfix, no name for the address",
        "from mail.shop.example (unknown [IPv6:2001:db8::25]) by mx.ngo.example (Postfix) with ESMTP id 1; Tue, 24 Nov 2026 14:03:12 +0000 (UTC)",
        {"sender": "mail.shop.example", "ip": "2001:db8::25", "id": "1"},
    ),
    (
        "postfix, from a local user",
        "by www.shop.example (Postfix, from userid 33)\r\n\tid 7A2C41; Tue, 24 Nov 2026 14:03:10 +0000 (UTC)",
        {"sender": None, "ip": None, "by": "www.shop.example", "software": "Postfix, from userid 33", "id": "7A2C41"},
    ),
    (
        "postfix, behind amavis",
        "from mx.ngo.example ([127.0.0.1])\r\n\tby localhost (mx.ngo.example [127.0.0.1]) (amavisd-new, port 10024)\r\n\twith ESMTP id fXq3-Ab9Zk; Tue, 24 Nov 2026 14:03:13 +0000 (UTC)",
        {"sender": "mx.ngo.example", "ip": "127.0.0.1", "by": "localhost", "protocol": "ESMTP", "id": "fXq3-Ab9Zk"},
    ),
    (
        "exim, HELO beside the address",
        "from [198.51.100.4] (port=41022 helo=mail.shop.example)\r\n\tby mx.uni.example with esmtps  (TLS1.3) tls TLS_AES_256_GCM_SHA384\r\n\t(Exim 4.96)\r\n\t(envelope-from <bounce@shop.example>)\r\n\tid 1pXyZ0-0004kD-2a\r\n\tfor jo@uni.example;\r\n\tTue, 24 Nov 2026 14:03:12 +0000",
        {"sender": "198.51.100.4", "helo": "mail.shop.example", "ip": "198.51.100.4", "by": "mx.uni.example", "software": "Exim 4.96", "protocol": "esmtps", "id": "1pXyZ0-0004kD-2a", "recipient": "jo@uni.example", "envelope_from": "bounce@shop.example", "tls": "TLSv1.3 TLS_AES_256_GCM_SHA384"},
    ),
    (
        "exim, older",
        "from mail.shop.example ([198.51.100.4]:50522) by mx.uni.example with esmtp (Exim 4.80.1) (envelope-from <a@shop.example>) id 1TcX9k-0001Zf-Mv for jo@uni.example; Tue, 24 Nov 2026 09:03:12 -0500",
        {"sender": "mail.shop.example", "ip": "198.51.100.4", "protocol": "esmtp", "software": "Exim 4.80.1", "id": "1TcX9k-0001Zf-Mv", "at": "2026-11-24T14:03:12.000Z"},
    ),
    (
        "exim, from a local user",
        "from www-data by shop.example with local (Exim 4.94.2) (envelope-from <www-data@shop.example>) id 1m0-0001-9X for jo@uni.example; Tue, 24 Nov 2026 14:03:12 +0000",
        {"sender": "www-data", "by": "shop.example", "protocol": "local", "ip": None},
    ),
    (
        "exim, without an address's name",
        "from [2001:db8::25] (helo=mail.shop.example) by mx.uni.example with esmtpsa (TLS1.2:ECDHE_X25519__RSA_PSS_RSAE_SHA256__AES_256_GCM:256) (Exim 4.94) id 1a; Tue, 24 Nov 2026 14:03:12 +0000",
        {"ip": "2001:db8::25", "helo": "mail.shop.example", "tls": "TLSv1.2 ECDHE_X25519__RSA_PSS_RSAE_SHA256__AES_256_GCM"},
    ),
    (
        "sendmail",
        "from mail.shop.example (mail.shop.example [198.51.100.4])\r\n\tby mx.corp.example (8.17.1/8.17.1) with ESMTPS id 4AOE3Bxx012345\r\n\t(version=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 bits=256 verify=NOT)\r\n\tfor <sam@corp.example>; Tue, 24 Nov 2026 14:03:12 GMT",
        {"sender": "mail.shop.example", "ip": "198.51.100.4", "software": "8.17.1/8.17.1", "id": "4AOE3Bxx012345", "recipient": "sam@corp.example", "tls": "TLSv1.3 TLS_AES_256_GCM_SHA384", "at": "2026-11-24T14:03:12.000Z"},
    ),
    (
        "sendmail, name that does not lead back",
        "from mail.shop.example (mail.isp.example [198.51.100.4] (may be forged)) by mx.corp.example (8.12.11/8.12.11) with ESMTP id iAOE3; Wed, 24 Nov 2004 09:03:12 EST",
        {"ip": "198.51.100.4", "by": "mx.corp.example", "at": "2004-11-24T14:03:12.000Z"},
    ),
    (
        "sendmail, from the same machine",
        "(from root@localhost) by app1.shop.example (8.14.7/8.14.7/Submit) id 4AOE31; Tue, 24 Nov 2026 14:03:01 GMT",
        {"by": "app1.shop.example", "software": "8.14.7/8.14.7/Submit", "id": "4AOE31"},
    ),
    (
        "sendmail, a year of two digits",
        "from relay.old.example by mx.old.example (5.61/1.35) id AA01234; Sun, 24 Nov 96 14:03:12 PST",
        {"sender": "relay.old.example", "at": "1996-11-24T22:03:12.000Z"},
    ),
    ("qmail, from the network", "(qmail 12345 invoked from network); 24 Nov 2026 14:03:12 -0000", {"by": None, "id": "12345", "at": "2026-11-24T14:03:12.000Z", "software": "qmail 12345 invoked from network"}),
    (
        "qmail, SMTP",
        "from unknown (HELO mail.shop.example) (198.51.100.4)\n  by mx.club.example with SMTP; 24 Nov 2026 14:03:11 -0000",
        {"sender": "unknown", "helo": "mail.shop.example", "ip": "198.51.100.4", "by": "mx.club.example", "protocol": "SMTP"},
    ),
    (
        "qmail, with a user and TLS",
        "from dsl.isp.example (HELO pc) (anna@203.0.113.7)\n  by mx.club.example with (DHE-RSA-AES256-SHA encrypted) SMTP; 24 Nov 2026 14:03:11 -0000",
        {"helo": "pc", "ip": "203.0.113.7", "tls": "TLS DHE-RSA-AES256-SHA"},
    ),
    (
        "netqmail, spamdyke",
        "from mail.shop.example (HELO mail.shop.example) (198.51.100.4) by mx.club.example with (TLS_AES_256_GCM_SHA384 encrypted) ESMTPS; 24 Nov 2026 15:03:11 +0100",
        {"protocol": "ESMTPS", "tls": "TLS TLS_AES_256_GCM_SHA384", "at": "2026-11-24T14:03:11.000Z"},
    ),
    (
        "exchange online, between its servers",
        "from DB7PR05MB1234.eurprd05.prod.outlook.com (2603:10a6:10:2e::12) by AM0PR05MB5678.eurprd05.prod.outlook.com (2603:10a6:208:11::7) with Microsoft SMTP Server (version=TLS1_2, cipher=TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384) id 15.20.7784.23; Tue, 24 Nov 2026 14:03:15 +0000",
        {"sender": "DB7PR05MB1234.eurprd05.prod.outlook.com", "ip": "2603:10a6:10:2e::12", "by": "AM0PR05MB5678.eurprd05.prod.outlook.com", "by_ip": "2603:10a6:208:11::7", "protocol": "Microsoft SMTP Server", "id": "15.20.7784.23", "tls": "TLSv1.2 TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"},
    ),
    (
        "exchange online, at its edge",
        "from mail.shop.example (198.51.100.4) by VE1EUR01FT012.mail.protection.outlook.com (10.152.2.200) with Microsoft SMTP Server (version=TLS1_3, cipher=TLS_AES_256_GCM_SHA384) id 15.20.7784.25 via Frontend Transport; Tue, 24 Nov 2026 14:03:13 +0000",
        {"sender": "mail.shop.example", "ip": "198.51.100.4", "by_ip": "10.152.2.200", "via": "Frontend", "tls": "TLSv1.3 TLS_AES_256_GCM_SHA384"},
    ),
    (
        "exchange online, to the mailbox",
        "from AM0PR05MB5678.eurprd05.prod.outlook.com ([fe80::1c2d:3e4f%5]) by AM0PR05MB5678.eurprd05.prod.outlook.com ([fe80::1c2d:3e4f%5]) with mapi id 15.20.7784.025; Tue, 24 Nov 2026 14:03:16 +0000",
        {"ip": "fe80::1c2d:3e4f", "protocol": "mapi", "id": "15.20.7784.025"},
    ),
    (
        "exchange 2016, inside",
        "from EX01.corp.example (10.0.0.11) by EX02.corp.example (10.0.0.12) with Microsoft SMTP Server (version=TLS1_2, cipher=TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384_P256) id 15.1.2507.6; Tue, 24 Nov 2026 15:03:12 +0100",
        {"ip": "10.0.0.11", "by": "EX02.corp.example", "id": "15.1.2507.6"},
    ),
    (
        "exchange 2003",
        "from mail pickup service by web.corp.example with Microsoft SMTPSVC;\r\n\t Tue, 24 Nov 2009 15:03:12 +0100",
        {"sender": "mail", "by": "web.corp.example", "protocol": "Microsoft SMTPSVC"},
    ),
    (
        "gmail, at its edge",
        "from mail.shop.example (mail.shop.example. [198.51.100.4])\r\n        by mx.google.com with ESMTPS id a640c23a62f3a-b1e4d2c3f5esi123456766b.12.2026.11.24.06.03.12\r\n        for <li@gmail.example>\r\n        (version=TLS1_3 cipher=TLS_AES_256_GCM_SHA384 bits=256/256);\r\n        Tue, 24 Nov 2026 06:03:12 -0800 (PST)",
        {"sender": "mail.shop.example", "ip": "198.51.100.4", "by": "mx.google.com", "recipient": "li@gmail.example", "tls": "TLSv1.3 TLS_AES_256_GCM_SHA384", "at": "2026-11-24T14:03:12.000Z"},
    ),
    (
        "gmail, inside",
        "by 2002:a05:6402:1296:b0:5cf:1234:5678 with SMTP id w22csp123456edv;\r\n        Tue, 24 Nov 2026 06:03:12 -0800 (PST)",
        {"by": "2002:a05:6402:1296:b0:5cf:1234:5678", "by_ip": "2002:a05:6402:1296:b0:5cf:1234:5678", "protocol": "SMTP", "id": "w22csp123456edv"},
    ),
    (
        "gmail, sent from a phone",
        "from smtpclient.apple ([2001:db8:1::7])\r\n        by smtp.gmail.com with ESMTPSA id x1-20020a5d6541000000sm123.4.2026.11.24.06.03.09\r\n        for <kim@ngo.example>\r\n        (version=TLS1_3 cipher=TLS_AES_128_GCM_SHA256 bits=128/128);\r\n        Tue, 24 Nov 2026 06:03:09 -0800 (PST)",
        {"sender": "smtpclient.apple", "ip": "2001:db8:1::7", "protocol": "ESMTPSA"},
    ),
    (
        "yahoo, at its edge",
        "from 198.51.100.4 (EHLO mail.shop.example)\r\n by 10.197.38.11 with SMTPs\r\n (version=TLS1_3 cipher=TLS_AES_128_GCM_SHA256); Tue, 24 Nov 2026 14:03:12 +0000",
        {"sender": "198.51.100.4", "helo": "mail.shop.example", "ip": "198.51.100.4", "by": "10.197.38.11", "by_ip": "10.197.38.11", "protocol": "SMTPs", "tls": "TLSv1.3 TLS_AES_128_GCM_SHA256"},
    ),
    (
        "yahoo, inside",
        "from 127.0.0.1\r\n by atlas-production.v2-mail-prod1-gq1.omega.yahoo.com pod-id atlas--production-gq1-7d8.gq1.yahoo.com with HTTP; Tue, 24 Nov 2026 14:03:13 +0000",
        {"by": "atlas-production.v2-mail-prod1-gq1.omega.yahoo.com", "ip": "127.0.0.1", "protocol": "HTTP"},
    ),
    (
        "amazon ses, seen by another",
        "from a8-50.smtp-out.amazonses.com (a8-50.smtp-out.amazonses.com [192.0.2.50]) by mx.ngo.example (Postfix) with ESMTPS id 4Xyz for <kim@ngo.example>; Tue, 24 Nov 2026 14:03:12 +0000 (UTC)",
        {"sender": "a8-50.smtp-out.amazonses.com", "ip": "192.0.2.50"},
    ),
    (
        "amazon ses, inbound",
        "from mail.shop.example (mail.shop.example [198.51.100.4]) by inbound-smtp.us-east-1.amazonaws.com with SMTP id 0j4t1k2l3m4n5o6p7q8r9s0t for bo@mail.example; Tue, 24 Nov 2026 14:03:12 +0000 (UTC)",
        {"by": "inbound-smtp.us-east-1.amazonaws.com", "id": "0j4t1k2l3m4n5o6p7q8r9s0t", "recipient": "bo@mail.example"},
    ),
    (
        "proofpoint, its filter",
        "from pps.filterd (m0098.ppops.net [127.0.0.1])\r\n\tby m0098.ppops.net (8.18.1.2/8.18.1.2) with ESMTP id 4AOE0abc123\r\n\tfor <sam@corp.example>; Tue, 24 Nov 2026 09:03:14 -0500",
        {"sender": "pps.filterd", "ip": "127.0.0.1", "by": "m0098.ppops.net", "at": "2026-11-24T14:03:14.000Z"},
    ),
    (
        "proofpoint, at its edge",
        "from mail.shop.example (mail.shop.example [198.51.100.4])\r\n\tby mx0a-0012.pphosted.com (PPS) with ESMTPS id 4312345abc-1\r\n\t(version=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 bits=256 verify=NOT)\r\n\tfor <sam@corp.example>; Tue, 24 Nov 2026 09:03:13 -0500 (EST)",
        {"software": "PPS", "id": "4312345abc-1", "at": "2026-11-24T14:03:13.000Z"},
    ),
    (
        "mimecast",
        "from mail.shop.example (mail.shop.example [198.51.100.4]) by\r\n relay.mimecast.com with ESMTP with STARTTLS (version=TLSv1.3,\r\n cipher=TLS_AES_256_GCM_SHA384) id uk-mta-123-AbCdEfGhIjKlMnOpQrStUv-1; Tue,\r\n 24 Nov 2026 14:03:12 +0000",
        {"by": "relay.mimecast.com", "protocol": "ESMTP STARTTLS", "id": "uk-mta-123-AbCdEfGhIjKlMnOpQrStUv-1", "tls": "TLSv1.3 TLS_AES_256_GCM_SHA384"},
    ),
    (
        "barracuda",
        "from mail.shop.example (mail.shop.example [198.51.100.4]) by barracuda.corp.example with ESMTP id Ab1Cd2Ef3Gh4 (version=TLSv1.2 cipher=ECDHE-RSA-AES128-GCM-SHA256 bits=128 verify=NO) for <sam@corp.example>; Tue, 24 Nov 2026 09:03:12 -0500 (EST)",
        {"by": "barracuda.corp.example", "tls": "TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256"},
    ),
    (
        "zimbra, to its mailbox",
        "from zmta.firma.example (LHLO zmta.firma.example) (10.1.0.5) by\r\n zbox.firma.example with LMTP; Tue, 24 Nov 2026 15:03:14 +0100 (CET)",
        {"sender": "zmta.firma.example", "helo": "zmta.firma.example", "ip": "10.1.0.5", "by": "zbox.firma.example", "protocol": "LMTP"},
    ),
    (
        "dovecot, LMTP",
        "from mx.ngo.example ([10.0.0.3])\r\n\tby imap.ngo.example with LMTP\r\n\tid sOm3Id4nD0v3c0t\r\n\t(envelope-from <bounce@shop.example>)\r\n\tfor <kim@ngo.example>; Tue, 24 Nov 2026 14:03:13 +0000",
        {"protocol": "LMTP", "envelope_from": "bounce@shop.example", "recipient": "kim@ngo.example"},
    ),
    ("cyrus", "from mx.ngo.example ([unix socket])\r\n\tby imap (Cyrus v2.4.17-Fedora-RPM) with LMTPA;\r\n\tTue, 24 Nov 2026 15:03:14 +0100", {"by": "imap", "software": "Cyrus v2.4.17-Fedora-RPM", "ip": None}),
    (
        "mdaemon",
        "from mail.shop.example by mail.firm.example (MDaemon PRO v23.0.2)\r\n\twith ESMTPS id md5001000123456.MSG; Tue, 24 Nov 2026 15:03:12 +0100",
        {"by": "mail.firm.example", "software": "MDaemon PRO v23.0.2", "id": "md5001000123456.MSG"},
    ),
    (
        "mox",
        "from mail.shop.example ([198.51.100.4])\r\n\tby mox.club.example ([203.0.113.25]) via tcp with ESMTPS id\r\n\tAbCdEfGhIjKlMnOpQrStUv (TLS1.3 TLS_AES_128_GCM_SHA256)\r\n\tfor <kim@club.example>; 24 Nov 2026 15:03:12 +0100",
        {"ip": "198.51.100.4", "by": "mox.club.example", "by_ip": "203.0.113.25", "via": "tcp", "protocol": "ESMTPS", "id": "AbCdEfGhIjKlMnOpQrStUv", "tls": "TLSv1.3 TLS_AES_128_GCM_SHA256"},
    ),
    (
        "haraka",
        "from mail.shop.example (mail.shop.example [198.51.100.4])\r\n\tby mx.club.example (Haraka/3.0.2) with ESMTPS id 1B2C3D4E-5F60-4711-8A9B-0C1D2E3F4051.1\r\n\tenvelope-from <bounce@shop.example>\r\n\ttls TLS_AES_256_GCM_SHA384 (cipher=TLS_AES_256_GCM_SHA384); Tue, 24 Nov 2026 14:03:12 +0000",
        {"software": "Haraka/3.0.2", "protocol": "ESMTPS", "id": "1B2C3D4E-5F60-4711-8A9B-0C1D2E3F4051.1", "envelope_from": "bounce@shop.example"},
    ),
    (
        "courier",
        "from mail.shop.example (mail.shop.example [::ffff:198.51.100.4])\r\n  (TLS: TLS1.3,256bits,ECDHE_RSA_AES_256_GCM_SHA384)\r\n  by mx.club.example with ESMTPS; Tue, 24 Nov 2026 15:03:12 +0100\r\n  id 00000000001A0B0C.00000000656FA1B2.0000ABCD",
        {"ip": "198.51.100.4", "by": "mx.club.example", "tls": "TLSv1.3 ECDHE_RSA_AES_256_GCM_SHA384", "at": "2026-11-24T14:03:12.000Z"},
    ),
    (
        "domino",
        "from mail.shop.example ([198.51.100.4])\r\n          by d06.corp.example (Lotus Domino Release 9.0.1FP7)\r\n          with ESMTP id 2026112415031234-5678 ;\r\n          Tue, 24 Nov 2026 15:03:12 +0100",
        {"by": "d06.corp.example", "software": "Lotus Domino Release 9.0.1FP7", "id": "2026112415031234-5678", "at": "2026-11-24T14:03:12.000Z"},
    ),
    (
        "opensmtpd",
        "from mail.shop.example (mail.shop.example [198.51.100.4])\r\n\tby mx.bsd.example (OpenSMTPD) with ESMTPS id 1a2b3c4d (TLSv1.3:TLS_AES_256_GCM_SHA384:256:NO)\r\n\tfor <kim@bsd.example>;\r\n\tTue, 24 Nov 2026 14:03:12 +0000 (UTC)",
        {"software": "OpenSMTPD", "id": "1a2b3c4d", "tls": "TLSv1.3 TLS_AES_256_GCM_SHA384"},
    ),
    ("sendgrid, Go's way of writing time", "by recvd-7d8f9 with SMTP id recvd-7d8f9-1-6563A1B2-1\n\t2026-11-24 14:03:10.123456789 +0000 UTC m=+1234567.890", {"by": "recvd-7d8f9", "at": "2026-11-24T14:03:10.123Z"}),
    ("sendgrid, HTTP", "from MTIzNDU2 (unknown)\n\tby geopod-ismtpd-1 (SG)\n\twith HTTP\n\tid AbCdEfGhSjKlMnOpQrStUv\n\tTue, 24 Nov 2026 14:03:10.012 +0000 (UTC)", {"software": "SG", "protocol": "HTTP", "id": "AbCdEfGhSjKlMnOpQrStUv", "at": "2026-11-24T14:03:10.012Z"}),
    ("mailgun", "by 3b6f1234ab with HTTP id 6563a1b2c3d4; Tue, 24 Nov 2026 14:03:10 GMT", {"by": "3b6f1234ab", "protocol": "HTTP", "id": "6563a1b2c3d4"}),
    ("icloud", "from p00-icloudmta-smtpin-us-1.mail.icloud.com by p123-mailgateway-smtp-7 (mailgateway 2545B42)\r\n\twith SMTP id 8e1a2b3c-0000-4711-9d8c-7b6a5f4e3d2c\r\n\tfor <bo@icloud.example>; Tue, 24 Nov 2026 14:03:13 GMT", {"software": "mailgateway 2545B42", "at": "2026-11-24T14:03:13.000Z"}),
    ("oracle", "from mail.shop.example (mail.shop.example [198.51.100.4])\r\n by st11p00.me.example (Oracle Communications Messaging Server 8.0.1.4 64bit (built Nov 15 2018)) with ESMTPS id <0Q1A00XYZ@st11p00.me.example> for bo@me.example; Tue, 24 Nov 2026 14:03:12 +0000 (GMT)", {"id": "0Q1A00XYZ@st11p00.me.example", "by": "st11p00.me.example", "at": "2026-11-24T14:03:12.000Z"}),
    ("cisco ironport", "from unknown (HELO mail.shop.example) ([198.51.100.4])\r\n  by esa1.corp.example with ESMTP/TLS/ECDHE-RSA-AES256-GCM-SHA384; 24 Nov 2026 14:03:12 +0000", {"ip": "198.51.100.4", "by": "esa1.corp.example", "protocol": "ESMTP/TLS/ECDHE-RSA-AES256-GCM-SHA384"}),
    ("fastmail", "from mailmx.nyi.internal (mailmx [10.202.2.1])\r\n\tby mailuser.nyi.internal (Postfix) with ESMTP id A1B2C3\r\n\tfor <kim@fastmail.example>; Tue, 24 Nov 2026 09:03:12 -0500 (EST)", {"by": "mailuser.nyi.internal", "ip": "10.202.2.1"}),
    ("fetchmail", "from mail.isp.example [203.0.113.99]\n\tby home with POP3 (fetchmail-6.4.37)\n\tfor <anna@localhost> (single-drop); Tue, 24 Nov 2026 15:10:12 +0100 (CET)", {"sender": "mail.isp.example", "ip": "203.0.113.99", "protocol": "POP3", "recipient": "anna@localhost"}),
    ("groupwise", "from mail.shop.example ([198.51.100.4])\r\n\tby gw.corp.example with ESMTP; Tue, 24 Nov 2026 15:03:12 +0100", {"by": "gw.corp.example"}),
    ("hmailserver", "from mail.shop.example (mail.shop.example [198.51.100.4])\r\n\tby hmail.club.example with ESMTPS\r\n\t(version=TLSv1.2 cipher=ECDHE-RSA-AES256-GCM-SHA384 bits=256)\r\n\t; Tue, 24 Nov 2026 15:03:12 +0100", {"tls": "TLSv1.2 ECDHE-RSA-AES256-GCM-SHA384"}),
    ("stalwart", "from mail.shop.example (mail.shop.example [198.51.100.4])\r\n\t(using TLSv1.3 with cipher TLS13_AES_256_GCM_SHA384)\r\n\tby mx.club.example (Stalwart SMTP) with ESMTPS id 1C2B3A;\r\n\tTue, 24 Nov 2026 14:03:12 +0000", {"software": "Stalwart SMTP", "id": "1C2B3A"}),
    ("no date", "from mail.shop.example (mail.shop.example [198.51.100.4]) by mx.odd.example with SMTP id 7", {"by": "mx.odd.example", "id": "7", "at": None}),
    ("a date without a zone", "from a.example by mx.odd.example; Tue, 24 Nov 2026 14:03:12", {"at": "2026-11-24T14:03:12.000Z", "has_zone": False}),
    ("a military zone says nothing", "from a.example by mx.odd.example; 24 Nov 2026 14:03 A", {"at": "2026-11-24T14:03:00.000Z", "has_zone": False}),
    ("a date as ctime writes it", "from a.example by mx.odd.example; Tue Nov 24 14:03:12 UTC 2026", {"at": "2026-11-24T14:03:12.000Z"}),
    ("a leap second", "from a.example by mx.odd.example; Thu, 31 Dec 2026 23:59:60 +0000", {"at": "2027-01-01T00:00:00.000Z"}),
    ("a semicolon in a comment", "from a.example (a; b (c; d)) by mx.odd.example; Tue, 24 Nov 2026 14:03:12 +0000", {"by": "mx.odd.example", "at": "2026-11-24T14:03:12.000Z"}),
    ("a broken comment", "from a.example (oops by mx.odd.example; Tue, 24 Nov 2026 14:03:12 +0000", {"sender": "a.example", "at": "2026-11-24T14:03:12.000Z"}),
]  # fmt: skip
