-- Which of several orchestrators leads. One row, moved by compare-and-swap on `term` and `beat`, in
-- one transaction with the term of fleet_state: the two terms are always the same.
CREATE TABLE leadership (
    id         INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    term       BIGINT  NOT NULL,
    node       TEXT    NOT NULL,
    -- A random number of the leader's process.
    run        BIGINT  NOT NULL,
    -- Counts the renewals of the term. Readers time its changes on clocks of their own.
    beat       BIGINT  NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('held', 'released')),
    -- Whom the leader gave the term to.
    successor  TEXT    NULL CHECK (successor IS NULL OR state = 'released'),
    address    TEXT    NOT NULL,
    public_url TEXT    NOT NULL,
    -- By what the members know each other.
    secret     TEXT    NOT NULL,
    since      BIGINT  NOT NULL
);
-- The first process takes the term at once.
INSERT INTO leadership (id, term, node, run, beat, state, successor, address, public_url, secret, since)
SELECT 1, term, '', 0, 0, 'released', NULL, '', '', '', 0 FROM fleet_state WHERE id = 1;

-- The orchestrators of this database.
CREATE TABLE members (
    node           TEXT    NOT NULL PRIMARY KEY,
    run            BIGINT  NOT NULL,
    address        TEXT    NOT NULL,
    public_url     TEXT    NOT NULL,
    release        TEXT    NOT NULL,
    protocol       BIGINT  NOT NULL,
    beat           BIGINT  NOT NULL,
    -- The term under which a leader last admitted it. It may take over that term.
    admitted       BIGINT  NULL,
    -- The version of the fleet that it has loaded ahead.
    prepared       BIGINT  NULL,
    -- How many instances it hears.
    hears          BIGINT  NOT NULL,
    reaches_leader BOOLEAN NOT NULL,
    seen_at        BIGINT  NOT NULL
);

-- The last heartbeats that members heard while they did not reach the leader.
CREATE TABLE witnessed (
    instance_id TEXT   NOT NULL PRIMARY KEY,
    heard_at    BIGINT NOT NULL,
    node        TEXT   NOT NULL
);
