-- The older release places streams by their number alone.
ALTER TABLE instances DROP COLUMN capacity;
ALTER TABLE streams DROP COLUMN pinned;
ALTER TABLE streams DROP COLUMN spread_group;
ALTER TABLE streams DROP COLUMN requires;
ALTER TABLE streams DROP COLUMN weight;
