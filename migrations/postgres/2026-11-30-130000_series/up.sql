-- The recent past in numbers: one row for each place of a ring. A later point of the same place replaces it, so
-- the table never grows.
CREATE TABLE series (
    resolution TEXT   NOT NULL CHECK (resolution IN ('fine', 'coarse')),
    place      BIGINT NOT NULL,
    -- The number of the step, counted from 1970.
    slot       BIGINT NOT NULL,
    -- Sums over so many samples; the load in thousandths of a percent.
    samples    BIGINT NOT NULL,
    heartbeats BIGINT NOT NULL,
    failures   BIGINT NOT NULL,
    moves      BIGINT NOT NULL,
    waiting    BIGINT NOT NULL,
    instances  BIGINT NOT NULL,
    load       BIGINT NOT NULL,
    PRIMARY KEY (resolution, place)
);
