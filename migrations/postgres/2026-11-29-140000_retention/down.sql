DROP INDEX incidents_ended_at;
