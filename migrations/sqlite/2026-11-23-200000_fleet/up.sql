-- The fleet and its history. The same tables and columns exist for PostgreSQL; a test compares
-- them. Times are microseconds since 1970-01-01 UTC. Words are checked wherever a wrong one would
-- make a row unreadable; new words need a migration.

-- Who may write, and how far the fleet has come. Every fleet transaction begins by moving
-- `version`, guarded by `term` and `version`, so exactly one row may exist, and it is never deleted.
CREATE TABLE fleet_state (
    id      INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    term    BIGINT  NOT NULL,
    version BIGINT  NOT NULL,
    -- The last epoch given out. Incarnations and incident ids come from the same counter.
    epoch   BIGINT  NOT NULL
);
INSERT INTO fleet_state (id, term, version, epoch) VALUES (1, 0, 0, 0);

CREATE TABLE instances (
    id                 TEXT    NOT NULL PRIMARY KEY,
    incarnation        BIGINT  NOT NULL,
    status             TEXT    NOT NULL CHECK (status IN
        ('active', 'suspect', 'failed', 'recovering', 'draining', 'maintenance', 'inactive')),
    status_since       BIGINT  NOT NULL,
    ip                 TEXT    NOT NULL,
    port               INTEGER NOT NULL CHECK (port BETWEEN 0 AND 65535),
    max_streams        BIGINT  NOT NULL CHECK (max_streams >= 0),
    -- A JSON object of texts.
    labels             TEXT    NOT NULL,
    -- Microseconds; nothing if the worker did not say.
    heartbeat_interval BIGINT  NULL,
    auto_assign        BOOLEAN NOT NULL,
    assignment_version BIGINT  NOT NULL,
    registered_at      BIGINT  NOT NULL
);

CREATE TABLE streams (
    id         BIGINT  NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    url        TEXT    NULL,
    -- A JSON object of texts.
    labels     TEXT    NOT NULL,
    priority   INTEGER NOT NULL,
    enabled    BOOLEAN NOT NULL,
    created_at BIGINT  NOT NULL
);

-- Names are unique, but it is the model of the single writer that guards it, and loading checks it.
-- A UNIQUE constraint would refuse transactions that are valid as a whole: rows are written in the
-- order of their ids, so when a name passes from one stream to another, both have it for a moment.
-- Nothing is looked up by name here, and PostgreSQL refuses index entries above 2,704 bytes, so
-- there is no plain index either.

-- Where each stream is. One row a stream: it cannot have two assignments (I1). A stream without a
-- row counts as disabled.
CREATE TABLE placements (
    stream_id     BIGINT NOT NULL PRIMARY KEY REFERENCES streams (id) ON DELETE CASCADE,
    state         TEXT   NOT NULL CHECK (state IN
        ('assigned', 'unclaimed', 'orphaned', 'disabled')),
    -- Who runs it. An instance cannot be deleted while it runs something (I5).
    instance_id   TEXT   NULL REFERENCES instances (id),
    epoch         BIGINT NULL,
    -- The owner's assignment_version that first contained the stream.
    version       BIGINT NULL,
    -- Why it is there, or why it lost its instance.
    reason        TEXT   NULL,
    -- The incarnation of the owner that was told of it.
    delivered     BIGINT NULL,
    -- Who let go of an unclaimed stream, and whom an orphaned one lost. Names, not references:
    -- they outlive the instance.
    released_by   TEXT   NULL,
    orphaned_from TEXT   NULL,
    -- Since when it is assigned, unclaimed or orphaned.
    since         BIGINT NULL,

    CONSTRAINT placements_owner CHECK ((state = 'assigned') = (instance_id IS NOT NULL)),
    CONSTRAINT placements_epoch CHECK ((state = 'assigned') = (epoch IS NOT NULL)),
    CONSTRAINT placements_version CHECK ((state = 'assigned') = (version IS NOT NULL)),
    CONSTRAINT placements_delivered CHECK (state = 'assigned' OR delivered IS NULL),
    CONSTRAINT placements_released CHECK (state = 'unclaimed' OR released_by IS NULL),
    CONSTRAINT placements_orphaned CHECK ((state = 'orphaned') = (orphaned_from IS NOT NULL)),
    CONSTRAINT placements_since CHECK ((state = 'disabled') = (since IS NULL)),
    -- Without COALESCE a missing reason would make the check unknown, which passes.
    CONSTRAINT placements_reason CHECK (CASE state
        WHEN 'assigned' THEN COALESCE(reason, '') IN
            ('requested', 'auto_assigned', 'instance_failed', 'instance_removed', 'room_appeared')
        WHEN 'orphaned' THEN COALESCE(reason, '') IN
            ('instance_failed', 'instance_removed', 'room_reduced')
        ELSE reason IS NULL
    END)
);
CREATE INDEX placements_instance ON placements (instance_id);

-- What happened, written in the transaction of the change it tells of. No foreign keys: events
-- outlive what they are about. `kind` is not limited to a list: nothing decides by it, and a new
-- kind of event must not rewrite what can be the largest table.
CREATE TABLE events (
    sequence    INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at          BIGINT NOT NULL,
    kind        TEXT   NOT NULL CHECK (kind <> ''),
    instance_id TEXT   NULL,
    stream_id   BIGINT NULL,
    -- The event as JSON.
    payload     TEXT   NOT NULL
);
CREATE INDEX events_at ON events (at);
CREATE INDEX events_instance ON events (instance_id, sequence);
CREATE INDEX events_stream ON events (stream_id, sequence);

CREATE TABLE incidents (
    id               BIGINT NOT NULL PRIMARY KEY,
    instance_id      TEXT   NOT NULL,
    incarnation      BIGINT NOT NULL,
    cause            TEXT   NOT NULL CHECK (cause IN
        ('heartbeat_timeout', 'reported', 'found_failed')),
    detected_at      BIGINT NOT NULL,
    ended_at         BIGINT NULL,
    outcome          TEXT   NULL CHECK (outcome IN ('recovered', 'recovered_partially')),
    streams_affected BIGINT NOT NULL,
    streams_moved    BIGINT NOT NULL,
    streams_orphaned BIGINT NOT NULL,
    attempts         BIGINT NOT NULL,
    state            TEXT   NOT NULL DEFAULT 'ended' CHECK (state IN ('open', 'ended')),
    -- What was done, step by step: a JSON array.
    steps            TEXT   NOT NULL DEFAULT '[]'
);
CREATE INDEX incidents_instance ON incidents (instance_id, id);

-- Saved in batches beside the fleet's transactions. No foreign keys: a batch may tell of an
-- instance that was deleted a moment ago, and must not fail for it.
CREATE TABLE last_beats (
    instance_id      TEXT   NOT NULL PRIMARY KEY,
    at               BIGINT NOT NULL,
    reported_status  TEXT   NOT NULL,
    reported_streams BIGINT NOT NULL
);

CREATE TABLE metrics (
    instance_id     TEXT             NOT NULL,
    recorded_at     BIGINT           NOT NULL,
    cpu_percent     DOUBLE PRECISION NULL,
    memory_percent  DOUBLE PRECISION NULL,
    memory_used_gb  DOUBLE PRECISION NULL,
    memory_total_gb DOUBLE PRECISION NULL,
    disk_percent    DOUBLE PRECISION NULL,
    disk_free_gb    DOUBLE PRECISION NULL,
    disk_total_gb   DOUBLE PRECISION NULL,
    load_1          DOUBLE PRECISION NULL,
    load_5          DOUBLE PRECISION NULL,
    load_15         DOUBLE PRECISION NULL,
    uptime_seconds  DOUBLE PRECISION NULL,
    PRIMARY KEY (instance_id, recorded_at)
);
CREATE INDEX metrics_recorded_at ON metrics (recorded_at);
