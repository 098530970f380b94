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

-- A move under way: the owner is to let go, or the former owner runs it a while longer.
ALTER TABLE placements ADD COLUMN handover TEXT NULL CHECK (handover IN ('releasing', 'overlapping'));
-- Who gets a stream that is let go of, if that is known; who had one that overlaps. A name,
-- not a reference.
ALTER TABLE placements ADD COLUMN handover_with TEXT NULL;
-- The owner's assignment_version that tells it to let go.
ALTER TABLE placements ADD COLUMN handover_version BIGINT NULL;
-- The epoch of the former owner of one that overlaps.
ALTER TABLE placements ADD COLUMN handover_epoch BIGINT NULL;
ALTER TABLE placements ADD COLUMN handover_since BIGINT NULL;
ALTER TABLE placements ADD CONSTRAINT placements_handover CHECK (CASE COALESCE(handover, '')
        WHEN 'releasing' THEN state = 'assigned' AND handover_version IS NOT NULL
            AND handover_epoch IS NULL AND handover_since IS NOT NULL
        WHEN 'overlapping' THEN state = 'assigned' AND handover_with IS NOT NULL
            AND handover_version IS NULL AND handover_epoch IS NOT NULL
            AND handover_since IS NOT NULL
        ELSE handover_with IS NULL AND handover_version IS NULL AND handover_epoch IS NULL
            AND handover_since IS NULL
    END);
ALTER TABLE placements DROP CONSTRAINT placements_reason;
ALTER TABLE placements ADD CONSTRAINT placements_reason CHECK (CASE state
        WHEN 'assigned' THEN COALESCE(reason, '') IN
            ('requested', 'auto_assigned', 'instance_failed', 'instance_removed', 'emergency',
             'room_appeared', 'planned_move', 'not_run')
        WHEN 'orphaned' THEN COALESCE(reason, '') IN
            ('instance_failed', 'instance_removed', 'emergency', 'room_reduced', 'planned_move',
             'not_run')
        ELSE reason IS NULL
    END);
