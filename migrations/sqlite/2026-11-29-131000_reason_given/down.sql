ALTER TABLE incidents DROP COLUMN reason_given;
