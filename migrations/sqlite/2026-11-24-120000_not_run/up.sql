-- Why the next owner gets a stream that is let go of; none: it was planned.
ALTER TABLE placements ADD COLUMN handover_reason TEXT NULL CHECK (handover_reason IN
    ('planned_move', 'not_run'));
