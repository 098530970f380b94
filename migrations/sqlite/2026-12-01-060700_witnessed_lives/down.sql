DROP TABLE witnessed;

CREATE TABLE witnessed (
    instance_id TEXT   NOT NULL PRIMARY KEY,
    heard_at    BIGINT NOT NULL,
    node        TEXT   NOT NULL
);
