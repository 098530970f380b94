-- Words the older release does not know become the nearest ones it does; a move under way is
-- not: its stream stays where it is.
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
            ('requested', 'auto_assigned', 'instance_failed', 'instance_removed', 'emergency',
             'room_appeared')
        WHEN 'orphaned' THEN COALESCE(reason, '') IN
            ('instance_failed', 'instance_removed', 'emergency', 'room_reduced')
        ELSE reason IS NULL
    END)
);
INSERT INTO placements (stream_id, state, instance_id, epoch, version, reason, delivered, released_by,
    orphaned_from, since)
SELECT stream_id, state, instance_id, epoch, version, CASE WHEN reason IN ('planned_move', 'not_run')
    THEN CASE state WHEN 'assigned' THEN 'room_appeared' ELSE 'instance_failed' END
    ELSE reason END, delivered, released_by,
    orphaned_from, since
FROM placements_before;
DROP TABLE placements_before;
CREATE INDEX placements_instance ON placements (instance_id);

ALTER TABLE streams DROP COLUMN handoff;
ALTER TABLE instances DROP COLUMN withdrawn_since;
ALTER TABLE instances DROP COLUMN withdrawn;
ALTER TABLE instances DROP COLUMN lease;
