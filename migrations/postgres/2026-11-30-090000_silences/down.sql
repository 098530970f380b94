DROP TABLE silences;
ALTER TABLE alerts DROP COLUMN note;
ALTER TABLE alerts DROP COLUMN acknowledged_by;
ALTER TABLE alerts DROP COLUMN acknowledged_at;
ALTER TABLE alerts DROP COLUMN repeats;
ALTER TABLE alerts DROP COLUMN instances;
