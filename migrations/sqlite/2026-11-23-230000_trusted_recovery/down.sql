DROP TABLE health_history;
DROP TABLE alerts;

-- Words the older release does not know become the nearest ones it does.
ALTER TABLE placements RENAME TO placements_before;
DROP INDEX placements_instance;
CREATE TABLE placements (
    stream_id     BIGINT NOT NULL PRIMARY KEY REFERENCES streams (id) ON DELETE CASCADE,
    state         TEXT   NOT NULL CHECK (state IN
        ('assigned', 'unclaimed', 'orphaned', 'disabled')),
    -- Who runs it. An instance cannot be deleted while it runs something (I5).
    instance_id   TEXT   NULL REFERENCES instances (id),
    epoch         BIGINT NULL,
    -- The owner's assignment_version that first contained the stream.
    version       BIGINT NULL,
    -- Why it is there, or why it lost its instance.
    reason        TEXT   NULL,
    -- The incarnation of the owner that was told of it.
    delivered     BIGINT NULL,
    -- Who let go of an unclaimed stream, and whom an orphaned one lost. Names, not references:
    -- they outlive the instance.
    released_by   TEXT   NULL,
    orphaned_from TEXT   NULL,
    -- Since when it is assigned, unclaimed or orphaned.
    since         BIGINT NULL,

    CONSTRAINT placements_owner CHECK ((state = 'assigned') = (instance_id IS NOT NULL)),
    CONSTRAINT placements_epoch CHECK ((state = 'assigned') = (epoch IS NOT NULL)),
    CONSTRAINT placements_version CHECK ((state = 'assigned') = (version IS NOT NULL)),
    CONSTRAINT placements_delivered CHECK (state = 'assigned' OR delivered IS NULL),
    CONSTRAINT placements_released CHECK (state = 'unclaimed' OR released_by IS NULL),
    CONSTRAINT placements_orphaned CHECK ((state = 'orphaned') = (orphaned_from IS NOT NULL)),
    CONSTRAINT placements_since CHECK ((state = 'disabled') = (since IS NULL)),
    -- Without COALESCE a missing reason would make the check unknown, which passes.
    CONSTRAINT placements_reason CHECK (CASE state
        WHEN 'assigned' THEN COALESCE(reason, '') IN
            ('requested', 'auto_assigned', 'instance_failed', 'instance_removed', 'room_appeared')
        WHEN 'orphaned' THEN COALESCE(reason, '') IN
            ('instance_failed', 'instance_removed', 'room_reduced')
        ELSE reason IS NULL
    END)
);
INSERT INTO placements (stream_id, state, instance_id, epoch, version, reason, delivered, released_by,
    orphaned_from, since)
SELECT stream_id, state, instance_id, epoch, version, CASE reason WHEN 'emergency' THEN 'instance_failed' ELSE reason END, delivered, released_by,
    orphaned_from, since
FROM placements_before;
DROP TABLE placements_before;
CREATE INDEX placements_instance ON placements (instance_id);

DROP INDEX incidents_open;
-- SQLite cannot change a CHECK: the table is made anew.
ALTER TABLE incidents RENAME TO incidents_before;
DROP INDEX incidents_instance;
CREATE TABLE incidents (
    id               BIGINT NOT NULL PRIMARY KEY,
    instance_id      TEXT   NOT NULL,
    incarnation      BIGINT NOT NULL,
    cause            TEXT   NOT NULL CHECK (cause IN
        ('heartbeat_timeout', 'reported', 'found_failed')),
    detected_at      BIGINT NOT NULL,
    ended_at         BIGINT NULL,
    outcome          TEXT   NULL CHECK (outcome IN
        ('recovered', 'recovered_partially')),
    streams_affected BIGINT NOT NULL,
    streams_moved    BIGINT NOT NULL,
    streams_orphaned BIGINT NOT NULL,
    attempts         BIGINT NOT NULL,
    state            TEXT   NOT NULL DEFAULT 'ended' CHECK (state IN ('open', 'ended')),
    -- What was done, step by step: a JSON array.
    steps            TEXT   NOT NULL DEFAULT '[]'
);
INSERT INTO incidents (id, instance_id, incarnation, cause, detected_at, ended_at, outcome, streams_affected,
    streams_moved, streams_orphaned, attempts, state, steps)
SELECT id, instance_id, incarnation, CASE cause WHEN 'emergency_threshold' THEN 'heartbeat_timeout' WHEN 'forced' THEN 'reported'
        WHEN 'emergency' THEN 'reported' ELSE cause END, detected_at, ended_at, CASE WHEN outcome IN ('recovered', 'recovered_partially') THEN outcome END, streams_affected,
    streams_moved, streams_orphaned, attempts, state, steps
FROM incidents_before;
DROP TABLE incidents_before;
CREATE INDEX incidents_instance ON incidents (instance_id, id);

ALTER TABLE instances DROP COLUMN flaps;
