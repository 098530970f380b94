ALTER TABLE placements DROP COLUMN given_up_since;
ALTER TABLE instances DROP COLUMN handed_over_orphaned;
ALTER TABLE instances DROP COLUMN handed_over_moved;
ALTER TABLE instances DROP COLUMN handed_over_life;
