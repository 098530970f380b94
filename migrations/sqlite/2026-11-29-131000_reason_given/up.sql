-- Whether the reason of an ordered recovery is the operator's, or a stand-in for none.
ALTER TABLE incidents ADD COLUMN reason_given BOOLEAN NOT NULL DEFAULT 1;
UPDATE incidents SET reason_given = 0 WHERE reason = 'Manual trigger';
