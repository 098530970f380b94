ALTER TABLE placements ADD COLUMN handover_before TEXT NULL CHECK (handover_before IN
    ('planned_move', 'not_run', 'auto_assigned'));
UPDATE placements SET handover_before = CASE handover_reason
    WHEN 'rebalance' THEN 'planned_move' ELSE handover_reason END;
ALTER TABLE placements DROP COLUMN handover_reason;
ALTER TABLE placements RENAME COLUMN handover_before TO handover_reason;

UPDATE placements SET reason = 'planned_move' WHERE reason = 'rebalance';
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql,
    '''room_appeared'', ''planned_move'', ''not_run'', ''rebalance'')',
    '''room_appeared'', ''planned_move'', ''not_run'')')
WHERE type = 'table' AND name = 'placements';
PRAGMA writable_schema = RESET;
