-- What is remembered of a stream that its workers give back, until it runs steadily: how often in a
-- row; 0 for one that was not, and then the other columns are empty.
ALTER TABLE streams ADD COLUMN returns BIGINT NOT NULL DEFAULT 0 CHECK (returns >= 0);
-- The workers that gave it back lately, the last one last: a JSON array of names, not references.
ALTER TABLE streams ADD COLUMN returned_by TEXT NULL;
-- The last reason that one of them gave.
ALTER TABLE streams ADD COLUMN return_reason TEXT NULL;
-- When the last return was, and until when the stream waits; nothing once that is over.
ALTER TABLE streams ADD COLUMN returned_at BIGINT NULL;
ALTER TABLE streams ADD COLUMN retry_at BIGINT NULL;
