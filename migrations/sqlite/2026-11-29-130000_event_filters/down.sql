DROP INDEX events_at;
CREATE INDEX events_at ON events (at);
DROP INDEX events_kind;
