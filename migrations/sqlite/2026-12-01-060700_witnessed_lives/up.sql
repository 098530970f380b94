-- No release wrote the table before. A life of an instance has a row of its own, so that a process whose
-- life is over hides no heartbeat of the current one.
DROP TABLE witnessed;

-- The last heartbeats that members heard while they did not reach the leader.
CREATE TABLE witnessed (
    instance_id TEXT   NOT NULL,
    -- The life that the worker named; 0 for none.
    incarnation BIGINT NOT NULL,
    -- In the time of this database.
    heard_at    BIGINT NOT NULL,
    -- Who heard it.
    node        TEXT   NOT NULL,
    PRIMARY KEY (instance_id, incarnation)
);
