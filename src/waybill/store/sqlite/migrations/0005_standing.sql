-- What became of mail, added up by hour (older than three days: by day) for each combination of who sent, from where and to whom.
CREATE TABLE standing (
    start             INTEGER NOT NULL,
    account           TEXT NOT NULL,
    identity          TEXT NOT NULL,
    configuration_set TEXT NOT NULL,
    source_ip         TEXT NOT NULL,
    provider          TEXT NOT NULL,
    sent              INTEGER NOT NULL,
    delivered         INTEGER NOT NULL,
    permanent         INTEGER NOT NULL,
    transient         INTEGER NOT NULL,
    hard              INTEGER NOT NULL,
    excused           INTEGER NOT NULL,
    complaints        INTEGER NOT NULL,
    PRIMARY KEY (start, account, identity, configuration_set, source_ip, provider)
) STRICT, WITHOUT ROWID;

-- What blocklists said of our addresses and domains, a row for as long as one said the same. until is null while it does.
CREATE TABLE listings (
    subject   TEXT NOT NULL,
    blocklist TEXT NOT NULL,
    since     INTEGER NOT NULL,
    zone      TEXT NOT NULL,
    state     TEXT NOT NULL,
    answers   BLOB NOT NULL,
    text      TEXT NOT NULL,
    asked_at  INTEGER NOT NULL,
    until     INTEGER,
    PRIMARY KEY (subject, blocklist, since)
) STRICT, WITHOUT ROWID;
