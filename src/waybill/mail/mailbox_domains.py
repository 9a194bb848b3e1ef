"""Domains under which millions have their mailbox: whoever writes from one of them does so through its own servers."""

MAILBOX_DOMAINS = (
    *("gmail.com", "googlemail.com", "yahoo.com", "hotmail.com", "outlook.com", "live.com", "msn.com", "icloud.com"),
    *("me.com", "aol.com", "gmx.de", "gmx.net", "web.de", "t-online.de", "orange.fr", "wanadoo.fr", "free.fr"),
    *("yahoo.co.uk", "hotmail.co.uk", "btinternet.com", "comcast.net", "verizon.net", "att.net", "mail.com"),
    *("proton.me", "protonmail.com", "fastmail.com", "zoho.com", "yandex.ru", "mail.ru", "qq.com", "163.com"),
    *("ymail.com", "rocketmail.com", "gmx.com", "gmx.at", "gmx.ch", "mac.com", "outlook.de", "outlook.fr", "live.de"),
    *("hotmail.de", "hotmail.fr", "hotmail.it", "yahoo.de", "yahoo.fr", "yahoo.it", "yahoo.es", "libero.it", "wp.pl"),
    *("126.com", "hey.com", "tutanota.com", "tuta.com", "laposte.net", "sfr.fr", "freenet.de", "bluewin.ch"),
    "email.com",
)
