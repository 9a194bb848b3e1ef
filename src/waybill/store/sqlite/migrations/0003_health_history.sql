-- How the service's own parts were: the times in which one was not well. until is NULL while it lasts.
CREATE TABLE health_history (
    part     TEXT NOT NULL,
    since    INTEGER NOT NULL,
    until    INTEGER,
    state    TEXT NOT NULL,
    evidence TEXT NOT NULL,
    PRIMARY KEY (part, since)
) STRICT, WITHOUT ROWID;

CREATE INDEX health_history_since ON health_history (since);

-- When a live probe went to a domain last, so that nobody is walked to again and again.
CREATE TABLE walks (
    domain TEXT PRIMARY KEY,
    at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
