-- A stream may have moved so that each instance has its fair share.
ALTER TABLE placements DROP CONSTRAINT placements_reason;
ALTER TABLE placements ADD CONSTRAINT placements_reason CHECK (CASE state
        WHEN 'assigned' THEN COALESCE(reason, '') IN
            ('requested', 'auto_assigned', 'instance_failed', 'instance_removed', 'emergency',
             'room_appeared', 'planned_move', 'not_run', 'rebalance')
        WHEN 'orphaned' THEN COALESCE(reason, '') IN
            ('instance_failed', 'instance_removed', 'emergency', 'room_reduced', 'planned_move',
             'not_run')
        ELSE reason IS NULL
    END);

ALTER TABLE placements ADD COLUMN handover_next TEXT NULL CHECK (handover_next IN
    ('planned_move', 'not_run', 'auto_assigned', 'rebalance'));
UPDATE placements SET handover_next = handover_reason;
ALTER TABLE placements DROP COLUMN handover_reason;
ALTER TABLE placements RENAME COLUMN handover_next TO handover_reason;
