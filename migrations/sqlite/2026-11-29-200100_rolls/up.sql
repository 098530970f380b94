-- Drains of many instances, one batch after the other: state and progress as a JSON object.
CREATE TABLE rolls (
    id    BIGINT NOT NULL PRIMARY KEY,
    state TEXT   NOT NULL CHECK (state IN ('running', 'paused', 'done', 'cancelled')),
    body  TEXT   NOT NULL
);
