-- The older release does not know a deleted stream that may still be run: to it, it is gone.
DELETE FROM placements WHERE stream_id IN (SELECT id FROM streams WHERE deleted);
DELETE FROM streams WHERE deleted;
ALTER TABLE streams DROP COLUMN deleted;

ALTER TABLE placements ADD COLUMN handover_before TEXT NULL CHECK (handover_before IN
    ('planned_move', 'not_run'));
UPDATE placements SET handover_before = CASE handover_reason
    WHEN 'auto_assigned' THEN 'planned_move' ELSE handover_reason END;
ALTER TABLE placements DROP COLUMN handover_reason;
ALTER TABLE placements RENAME COLUMN handover_before TO handover_reason;
