-- Words the older release does not know become the nearest ones it does; a move under way is
-- not: its stream stays where it is.
ALTER TABLE placements DROP CONSTRAINT placements_handover;
ALTER TABLE placements DROP COLUMN handover;
ALTER TABLE placements DROP COLUMN handover_with;
ALTER TABLE placements DROP COLUMN handover_version;
ALTER TABLE placements DROP COLUMN handover_epoch;
ALTER TABLE placements DROP COLUMN handover_since;
UPDATE placements SET reason = CASE WHEN reason IN ('planned_move', 'not_run')
    THEN CASE state WHEN 'assigned' THEN 'room_appeared' ELSE 'instance_failed' END
    ELSE reason END;
ALTER TABLE placements DROP CONSTRAINT placements_reason;
ALTER TABLE placements ADD CONSTRAINT placements_reason CHECK (CASE state
        WHEN 'assigned' THEN COALESCE(reason, '') IN
            ('requested', 'auto_assigned', 'instance_failed', 'instance_removed', 'emergency',
             'room_appeared')
        WHEN 'orphaned' THEN COALESCE(reason, '') IN
            ('instance_failed', 'instance_removed', 'emergency', 'room_reduced')
        ELSE reason IS NULL
    END);

ALTER TABLE streams DROP COLUMN handoff;
ALTER TABLE instances DROP COLUMN withdrawn_since;
ALTER TABLE instances DROP COLUMN withdrawn;
ALTER TABLE instances DROP COLUMN lease;
