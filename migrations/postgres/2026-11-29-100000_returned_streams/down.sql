-- The older release pauses nothing: what is remembered is of no use to it.
ALTER TABLE streams DROP COLUMN retry_at;
ALTER TABLE streams DROP COLUMN returned_at;
ALTER TABLE streams DROP COLUMN return_reason;
ALTER TABLE streams DROP COLUMN returned_by;
ALTER TABLE streams DROP COLUMN returns;
