-- What SPF, DKIM and DMARC looked like from outside, a row for as long as the same was found; digest is the hash of the body.
CREATE TABLE authentications (
    sending     TEXT NOT NULL,
    first_seen  INTEGER NOT NULL,
    last_seen   INTEGER NOT NULL,
    account     TEXT NOT NULL,
    from_domain TEXT NOT NULL,
    digest      BLOB NOT NULL,
    body        BLOB NOT NULL,
    PRIMARY KEY (sending, first_seen)
) STRICT;

CREATE INDEX authentications_domain ON authentications (account, from_domain, last_seen);
