ALTER TABLE placements ADD COLUMN handover_before TEXT NULL CHECK (handover_before IN
    ('planned_move', 'not_run', 'auto_assigned'));
UPDATE placements SET handover_before = CASE handover_reason
    WHEN 'rebalance' THEN 'planned_move' ELSE handover_reason END;
ALTER TABLE placements DROP COLUMN handover_reason;
ALTER TABLE placements RENAME COLUMN handover_before TO handover_reason;

UPDATE placements SET reason = 'planned_move' WHERE reason = 'rebalance';
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
