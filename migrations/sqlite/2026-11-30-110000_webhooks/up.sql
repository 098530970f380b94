-- Receivers outside, each as a JSON object, secrets included; and the number of the last event that each has,
-- or that has a row of its own below.
CREATE TABLE webhook_targets (
    name   TEXT   NOT NULL PRIMARY KEY,
    body   TEXT   NOT NULL,
    cursor BIGINT NOT NULL
);

-- Messages on their way to a receiver: all about alerts, and those about events that were not accepted at once.
CREATE TABLE webhook_deliveries (
    -- A name, not a reference: a target may be deleted while one of its deliveries is under way.
    target       TEXT    NOT NULL,
    message_id   TEXT    NOT NULL,
    number       BIGINT  NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
    -- A JSON object.
    message      TEXT    NOT NULL,
    attempts     BIGINT  NOT NULL,
    created_at   BIGINT  NOT NULL,
    waits_since  BIGINT  NOT NULL,
    next_try_at  BIGINT,
    ended_at     BIGINT,
    last_answer  TEXT,
    last_status  INTEGER,
    PRIMARY KEY (target, message_id)
);
CREATE INDEX webhook_deliveries_number ON webhook_deliveries (target, number);
CREATE INDEX webhook_deliveries_pending ON webhook_deliveries (target, number) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_ended_at ON webhook_deliveries (ended_at);

-- What of each alert was announced to receivers: 0 nothing, 1 that it is open, 2 that it is critical, 3 that it is
-- over. Of those from before there were receivers, only the end of the open ones is.
ALTER TABLE alerts ADD COLUMN announced INTEGER NOT NULL DEFAULT 0;
UPDATE alerts SET announced = CASE WHEN closed_at IS NULL THEN 2 ELSE 3 END;
CREATE INDEX alerts_unannounced ON alerts (id) WHERE announced < 3;
