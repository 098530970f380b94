-- One owner at a time: leases, and moves that take more than one step.

-- The longest lease it may have been granted, in microseconds; 0 for one that is classic: it does
-- not beat with its incarnation.
ALTER TABLE instances ADD COLUMN lease BIGINT NOT NULL DEFAULT 0 CHECK (lease >= 0);
-- Why its lease is not renewed any more, and since when.
ALTER TABLE instances ADD COLUMN withdrawn TEXT NULL CHECK (withdrawn IN
    ('failure', 'emergency', 'removal'));
ALTER TABLE instances ADD COLUMN withdrawn_since BIGINT NULL;

-- What comes first when it moves: the old owner's stop, or the new one's start.
ALTER TABLE streams ADD COLUMN handoff TEXT NOT NULL DEFAULT 'exclusive' CHECK (handoff IN
    ('exclusive', 'overlap'));

-- SQLite cannot change a CHECK: the table is made anew.
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
    -- A move under way: the owner is to let go, or the former owner runs it a while longer.
    handover         TEXT   NULL CHECK (handover IN ('releasing', 'overlapping')),
    -- Who gets a stream that is let go of, if that is known; who had one that overlaps. A name,
    -- not a reference.
    handover_with    TEXT   NULL,
    -- The owner's assignment_version that tells it to let go.
    handover_version BIGINT NULL,
    -- The epoch of the former owner of one that overlaps.
    handover_epoch   BIGINT NULL,
    handover_since   BIGINT NULL,

    CONSTRAINT placements_owner CHECK ((state = 'assigned') = (instance_id IS NOT NULL)),
    CONSTRAINT placements_epoch CHECK ((state = 'assigned') = (epoch IS NOT NULL)),
    CONSTRAINT placements_version CHECK ((state = 'assigned') = (version IS NOT NULL)),
    CONSTRAINT placements_delivered CHECK (state = 'assigned' OR delivered IS NULL),
    CONSTRAINT placements_released CHECK (state = 'unclaimed' OR released_by IS NULL),
    CONSTRAINT placements_orphaned CHECK ((state = 'orphaned') = (orphaned_from IS NOT NULL)),
    CONSTRAINT placements_since CHECK ((state = 'disabled') = (since IS NULL)),
    CONSTRAINT placements_handover CHECK (CASE COALESCE(handover, '')
        WHEN 'releasing' THEN state = 'assigned' AND handover_version IS NOT NULL
            AND handover_epoch IS NULL AND handover_since IS NOT NULL
        WHEN 'overlapping' THEN state = 'assigned' AND handover_with IS NOT NULL
            AND handover_version IS NULL AND handover_epoch IS NOT NULL
            AND handover_since IS NOT NULL
        ELSE handover_with IS NULL AND handover_version IS NULL AND handover_epoch IS NULL
            AND handover_since IS NULL
    END),
    -- Without COALESCE a missing reason would make the check unknown, which passes.
    CONSTRAINT placements_reason CHECK (CASE state
        WHEN 'assigned' THEN COALESCE(reason, '') IN
            ('requested', 'auto_assigned', 'instance_failed', 'instance_removed', 'emergency',
             'room_appeared', 'planned_move', 'not_run')
        WHEN 'orphaned' THEN COALESCE(reason, '') IN
            ('instance_failed', 'instance_removed', 'emergency', 'room_reduced', 'planned_move',
             'not_run')
        ELSE reason IS NULL
    END)
);
INSERT INTO placements (stream_id, state, instance_id, epoch, version, reason, delivered, released_by,
    orphaned_from, since)
SELECT stream_id, state, instance_id, epoch, version, reason, delivered, released_by,
    orphaned_from, since
FROM placements_before;
DROP TABLE placements_before;
CREATE INDEX placements_instance ON placements (instance_id);
