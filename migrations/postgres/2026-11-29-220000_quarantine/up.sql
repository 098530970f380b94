-- What speaks against a stream until one owner has kept it for long: the failures of its last owners,
-- the last one last, a JSON array; nothing for most.
ALTER TABLE streams ADD COLUMN owner_failures TEXT NULL;
-- Since when it is quarantined, how many retries failed, and when it is retried; the last is empty
-- while it is on trial, and all are for a stream that is not quarantined.
ALTER TABLE streams ADD COLUMN quarantined_since BIGINT NULL;
ALTER TABLE streams ADD COLUMN quarantine_retries BIGINT NULL CHECK (quarantine_retries >= 0);
ALTER TABLE streams ADD COLUMN quarantine_retry_at BIGINT NULL;
