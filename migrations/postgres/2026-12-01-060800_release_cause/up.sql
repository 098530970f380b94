-- Why the leader released the term: 'fitness' if its successor hears more instances; NULL otherwise.
ALTER TABLE leadership ADD COLUMN release_cause TEXT NULL;
