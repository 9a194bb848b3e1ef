-- What attempts came to, by minute, site and worker: JSON of the counts. Kept for an hour.
CREATE TABLE incident_counts (
    minute INTEGER NOT NULL,
    site   TEXT NOT NULL,
    worker TEXT NOT NULL,
    body   BLOB NOT NULL,
    PRIMARY KEY (minute, site, worker)
) STRICT, WITHOUT ROWID;

-- What is usual at a site: JSON of what the detector remembers.
CREATE TABLE incident_memory (
    site TEXT PRIMARY KEY,
    at   INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Incidents; their numbers are never used twice. closed_at is null while one lasts.
CREATE TABLE incidents (
    number    INTEGER PRIMARY KEY AUTOINCREMENT,
    since     INTEGER NOT NULL,
    closed_at INTEGER,
    body      BLOB NOT NULL
) STRICT;

CREATE INDEX incidents_since ON incidents (since);
CREATE INDEX incidents_lasting ON incidents (number) WHERE closed_at IS NULL;

-- Suppression entries that rest on refusals in an incident: not in force until it is over. Then ended says what became of each.
CREATE TABLE incident_quarantine (
    incident    INTEGER NOT NULL REFERENCES incidents (number),
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
    ended       TEXT,
    PRIMARY KEY (incident, account, address)
) STRICT, WITHOUT ROWID;
