-- The audit trail is searched by kind and by time, in the order of writing.
CREATE INDEX events_kind ON events (kind, sequence);

-- With the sequence beside it, the index alone says which events of a time come first.
DROP INDEX events_at;
CREATE INDEX events_at ON events (at, sequence);
