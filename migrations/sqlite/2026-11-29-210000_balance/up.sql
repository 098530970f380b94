-- A stream may have moved so that each instance has its fair share. SQLite cannot change a CHECK; the
-- rows stay as they are, so the text of the table is edited, as SQLite's documentation says.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, '''room_appeared'', ''planned_move'', ''not_run'')',
    '''room_appeared'', ''planned_move'', ''not_run'', ''rebalance'')')
WHERE type = 'table' AND name = 'placements';
PRAGMA writable_schema = RESET;

ALTER TABLE placements ADD COLUMN handover_next TEXT NULL CHECK (handover_next IN
    ('planned_move', 'not_run', 'auto_assigned', 'rebalance'));
UPDATE placements SET handover_next = handover_reason;
ALTER TABLE placements DROP COLUMN handover_reason;
ALTER TABLE placements RENAME COLUMN handover_next TO handover_reason;
