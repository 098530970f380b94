ALTER TABLE members DROP COLUMN settings;
ALTER TABLE members DROP COLUMN schema_version;
