-- Alerts that are read: the instances of one (a JSON array), how many reports joined it, and who has seen it.
ALTER TABLE alerts ADD COLUMN instances TEXT NOT NULL DEFAULT '[]';
ALTER TABLE alerts ADD COLUMN repeats BIGINT NOT NULL DEFAULT 0;
ALTER TABLE alerts ADD COLUMN acknowledged_at BIGINT NULL;
ALTER TABLE alerts ADD COLUMN acknowledged_by TEXT NULL;
ALTER TABLE alerts ADD COLUMN note TEXT NULL;

-- Which alerts call no person until a moment. The matchers are a JSON array.
CREATE TABLE silences (
    id         BIGINT NOT NULL PRIMARY KEY,
    matchers   TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT   NOT NULL,
    ends_at    BIGINT NOT NULL,
    reason     TEXT   NOT NULL
);
CREATE INDEX silences_ends_at ON silences (ends_at);
