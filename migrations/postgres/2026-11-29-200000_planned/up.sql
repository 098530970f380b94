-- What is planned for an instance, as a JSON object: its cordon, its last drain, its planned absence.
ALTER TABLE instances ADD COLUMN planned TEXT NULL;
