-- Ended incidents are deleted after a while, and are looked for by their end.
CREATE INDEX incidents_ended_at ON incidents (ended_at);
