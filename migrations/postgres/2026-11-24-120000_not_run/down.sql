ALTER TABLE placements DROP COLUMN handover_reason;
