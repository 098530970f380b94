-- Up to when the last heartbeats are complete: every heartbeat that the orchestrator of `term` heard
-- up to `through` is in last_beats, by the same clock. No row until the first of them is saved.
CREATE TABLE beat_watermark (
    id      INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    term    BIGINT  NOT NULL,
    through BIGINT  NOT NULL
);
