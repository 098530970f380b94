-- What left an instance since its lease was withdrawn, because its worker let go of it: counted
-- until an incident takes the numbers. The life it left, and how many streams moved or found no room.
ALTER TABLE instances ADD COLUMN handed_over_life BIGINT NULL;
ALTER TABLE instances ADD COLUMN handed_over_moved BIGINT NOT NULL DEFAULT 0
    CHECK (handed_over_moved >= 0);
ALTER TABLE instances ADD COLUMN handed_over_orphaned BIGINT NOT NULL DEFAULT 0
    CHECK (handed_over_orphaned >= 0);

-- Since when a move of the stream is given up: its owner did not let go of it, and keeps it.
ALTER TABLE placements ADD COLUMN given_up_since BIGINT NULL
    CHECK (given_up_since IS NULL OR (state = 'assigned' AND handover IS NULL));
