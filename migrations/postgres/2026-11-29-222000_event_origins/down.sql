DROP INDEX events_actor;
DROP INDEX events_incident;
ALTER TABLE events DROP COLUMN actor;
ALTER TABLE events DROP COLUMN incident_id;
