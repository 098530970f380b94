-- Why streams were given to an instance: one row for all streams that one command gave to it, which
-- have the epochs from the first to the last. It is kept for as long as one of them lasts.
CREATE TABLE placings (
    first_epoch BIGINT NOT NULL PRIMARY KEY,
    last_epoch  BIGINT NOT NULL,
    -- A name, not a reference.
    instance_id TEXT   NOT NULL,
    at          BIGINT NOT NULL,
    reason      TEXT   NOT NULL,
    -- The instances that were compared: a JSON array.
    candidates  TEXT   NOT NULL
);
CREATE INDEX placings_instance ON placings (instance_id, first_epoch);
CREATE INDEX placings_at ON placings (at);
