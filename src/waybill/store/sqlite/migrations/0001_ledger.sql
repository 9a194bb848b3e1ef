-- What belongs to the installation as a whole: the fingerprint of its key.
CREATE TABLE installation (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Keys, identities, templates, …: JSON of the record, its sealed fields encrypted.
CREATE TABLE resources (
    kind    TEXT NOT NULL,
    account TEXT NOT NULL,
    name    TEXT NOT NULL,
    body    BLOB NOT NULL,
    PRIMARY KEY (kind, account, name)
) STRICT;

-- Both suppression lists; the global list has the empty account.
CREATE TABLE suppressions (
    account     TEXT NOT NULL,
    address     TEXT NOT NULL,
    reason      TEXT NOT NULL,
    at          INTEGER NOT NULL,
    author      TEXT NOT NULL,
    message_id  TEXT,
    feedback_id TEXT,
    event       INTEGER,
    diagnostic  TEXT,
    expires_at  INTEGER,
    cause       TEXT,
    PRIMARY KEY (account, address)
) STRICT, WITHOUT ROWID;

-- A message as accepted: what is asked for as columns, the whole record as JSON.
CREATE TABLE messages (
    number            INTEGER PRIMARY KEY,
    id                TEXT NOT NULL UNIQUE,
    accepted_at       INTEGER NOT NULL,
    sender            TEXT NOT NULL,
    sender_domain     TEXT NOT NULL,
    configuration_set TEXT,
    identity          TEXT,
    body              BLOB NOT NULL,
    dkim_header       BLOB NOT NULL
) STRICT;

-- In this order the newest of a sender are found without sorting all it ever sent; a domain has few senders.
CREATE INDEX messages_sender ON messages (sender_domain, accepted_at, sender);

-- The bytes to send; a row lives as long as a delivery of its message is open.
CREATE TABLE contents (
    message INTEGER PRIMARY KEY REFERENCES messages (number),
    content BLOB NOT NULL
) STRICT;

-- One recipient of one message. recipient is as given; address has its domain in lower case.
CREATE TABLE deliveries (
    id               INTEGER PRIMARY KEY,
    message          INTEGER NOT NULL REFERENCES messages (number),
    account          TEXT NOT NULL,
    recipient        TEXT NOT NULL,
    address          TEXT NOT NULL,
    domain           TEXT NOT NULL,
    status           TEXT NOT NULL,
    cause            TEXT,
    underlying_cause TEXT,
    attempts         INTEGER NOT NULL,
    accepted_at      INTEGER NOT NULL,
    next_at          INTEGER,
    expires_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    lease_owner      TEXT,
    lease_until      INTEGER
) STRICT;

CREATE INDEX deliveries_message ON deliveries (message);
CREATE INDEX deliveries_accepted ON deliveries (accepted_at);
CREATE INDEX deliveries_address ON deliveries (address, accepted_at);
CREATE INDEX deliveries_domain ON deliveries (domain, accepted_at);

-- When somebody must look at an open delivery: it is due and no lease runs, or it has expired, lease or not.
CREATE INDEX deliveries_due ON deliveries (min(max(next_at, ifnull(lease_until, 0)), expires_at))
    WHERE status IN ('queued', 'delayed');

-- What waits for a destination: the part of it that waits for an earlier attempt than a given one.
CREATE INDEX deliveries_waiting ON deliveries (domain, next_at)
    WHERE status IN ('queued', 'delayed');

-- What went wrong is rare and is asked for: only these statuses and causes are worth an index.
CREATE INDEX deliveries_trouble ON deliveries (status, accepted_at)
    WHERE status NOT IN ('queued', 'delayed', 'delivered');
CREATE INDEX deliveries_cause ON deliveries (cause, accepted_at)
    WHERE cause IS NOT NULL AND cause <> 'accepted_by_receiver';

-- When an address bounced last, however much it was sent.
CREATE INDEX deliveries_bounced ON deliveries (address, updated_at) WHERE status = 'bounced';

-- The ledger: append-only.
CREATE TABLE events (
    id        INTEGER PRIMARY KEY,
    message   INTEGER NOT NULL REFERENCES messages (number),
    recipient TEXT,
    at        INTEGER NOT NULL,
    kind      TEXT NOT NULL,
    fact      BLOB NOT NULL
) STRICT;

CREATE INDEX events_message ON events (message);

-- The outbox. Ids are never used twice, since a publisher may still hold one of a deleted row.
CREATE TABLE notices (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    kind        TEXT NOT NULL,
    account     TEXT NOT NULL,
    target      TEXT NOT NULL,
    at          INTEGER NOT NULL,
    next_at     INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    event       INTEGER REFERENCES events (id),
    body        BLOB,
    headers     BLOB,
    error       TEXT,
    lease_owner TEXT,
    lease_until INTEGER
) STRICT;

CREATE INDEX notices_due ON notices (max(next_at, ifnull(lease_until, 0)));

-- Whose servers take a recipient domain's mail, as it was seen last.
CREATE TABLE sites (
    domain TEXT PRIMARY KEY,
    site   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sites_site ON sites (site);

-- Replies that no rule knows, by what all copies of one share.
CREATE TABLE unknown_replies (
    fingerprint TEXT PRIMARY KEY,
    site        TEXT NOT NULL,
    example     TEXT NOT NULL,
    message_id  TEXT NOT NULL,
    first_at    INTEGER NOT NULL,
    last_at     INTEGER NOT NULL,
    count       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX unknown_replies_count ON unknown_replies (count, last_at);

-- Reports about our mail as a whole: DMARC, TLS.
CREATE TABLE reports (
    kind        TEXT NOT NULL,
    key         TEXT NOT NULL,
    domain      TEXT NOT NULL,
    reporter    TEXT NOT NULL,
    begin_at    INTEGER NOT NULL,
    end_at      INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    summary     BLOB NOT NULL,
    PRIMARY KEY (kind, key)
) STRICT;

CREATE INDEX reports_received ON reports (kind, received_at);
CREATE INDEX reports_domain ON reports (kind, domain, received_at);

-- Counters: name says what is counted, start the beginning of its period (0: of all time).
CREATE TABLE counters (
    name    TEXT NOT NULL,
    account TEXT NOT NULL,
    start   INTEGER NOT NULL,
    value   INTEGER NOT NULL,
    PRIMARY KEY (name, account, start)
) STRICT, WITHOUT ROWID;
