-- The older release quarantines nothing: the streams are placed again.
ALTER TABLE streams DROP COLUMN quarantine_retry_at;
ALTER TABLE streams DROP COLUMN quarantine_retries;
ALTER TABLE streams DROP COLUMN quarantined_since;
ALTER TABLE streams DROP COLUMN owner_failures;
