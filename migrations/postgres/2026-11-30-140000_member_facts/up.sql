-- What a leader compares the other orchestrators with. Both are empty for one that runs an older release.
-- The newest migration that it knows.
ALTER TABLE members ADD COLUMN schema_version TEXT NOT NULL DEFAULT '';
-- The settings by which it judges instances, one NAME=VALUE a line.
ALTER TABLE members ADD COLUMN settings TEXT NOT NULL DEFAULT '';
