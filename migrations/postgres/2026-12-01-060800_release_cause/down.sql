ALTER TABLE leadership DROP COLUMN release_cause;
