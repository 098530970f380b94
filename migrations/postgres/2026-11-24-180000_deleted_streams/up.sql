-- A deleted stream is remembered until nobody runs it.
ALTER TABLE streams ADD COLUMN deleted BOOLEAN NOT NULL DEFAULT FALSE;

-- One made again meanwhile waits to be asked for: its next owner gets it as any new stream.
ALTER TABLE placements ADD COLUMN handover_next TEXT NULL CHECK (handover_next IN
    ('planned_move', 'not_run', 'auto_assigned'));
UPDATE placements SET handover_next = handover_reason;
ALTER TABLE placements DROP COLUMN handover_reason;
ALTER TABLE placements RENAME COLUMN handover_next TO handover_reason;
