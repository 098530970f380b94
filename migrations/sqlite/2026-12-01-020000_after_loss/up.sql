-- If the term starts after a loss of the database: the highest version of the fleet that was known before.
ALTER TABLE leadership ADD COLUMN after_loss BIGINT;
