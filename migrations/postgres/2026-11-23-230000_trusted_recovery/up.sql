-- Recoveries that are recorded from their beginning, alerts, and the system's history.

ALTER TABLE instances ADD COLUMN flaps BIGINT NOT NULL DEFAULT 0 CHECK (flaps >= 0);

ALTER TABLE incidents DROP CONSTRAINT incidents_cause_check;
ALTER TABLE incidents ADD CONSTRAINT incidents_cause_check CHECK (cause IN
        ('heartbeat_timeout', 'reported', 'found_failed', 'emergency_threshold', 'forced',
         'emergency'));
ALTER TABLE incidents DROP CONSTRAINT incidents_outcome_check;
ALTER TABLE incidents ADD CONSTRAINT incidents_outcome_check CHECK (outcome IN
        ('recovered', 'recovered_partially', 'averted', 'interrupted', 'failed'));
-- What the operator who asked for it gave as the reason.
ALTER TABLE incidents ADD COLUMN reason TEXT NULL;
-- When its attempts were used up and it became an emergency.
ALTER TABLE incidents ADD COLUMN escalated_at BIGINT NULL;
-- What is under way at a start is looked for by its state.
CREATE INDEX incidents_open ON incidents (state) WHERE state = 'open';

ALTER TABLE placements DROP CONSTRAINT placements_reason;
ALTER TABLE placements ADD CONSTRAINT placements_reason CHECK (CASE state
        WHEN 'assigned' THEN COALESCE(reason, '') IN
            ('requested', 'auto_assigned', 'instance_failed', 'instance_removed', 'emergency',
             'room_appeared')
        WHEN 'orphaned' THEN COALESCE(reason, '') IN
            ('instance_failed', 'instance_removed', 'emergency', 'room_reduced')
        ELSE reason IS NULL
    END);

-- Written beside the fleet's transactions, like heartbeats: an alert about the database must not
-- wait for a transaction of the fleet.
CREATE TABLE alerts (
    -- The microsecond it was opened, or one more if that was taken.
    id        BIGINT NOT NULL PRIMARY KEY,
    -- Not limited to a list here: a new kind must not need a migration. Reading checks it.
    kind      TEXT   NOT NULL CHECK (kind <> ''),
    severity  TEXT   NOT NULL CHECK (severity IN ('warning', 'critical')),
    subject   TEXT   NOT NULL,
    detail    TEXT   NOT NULL,
    opened_at BIGINT NOT NULL,
    closed_at BIGINT NULL
);
CREATE INDEX alerts_closed_at ON alerts (closed_at);

CREATE TABLE health_history (
    at                BIGINT NOT NULL PRIMARY KEY,
    health            TEXT   NOT NULL CHECK (health IN
        ('healthy', 'degraded', 'critical', 'emergency')),
    -- The names of the rules that made it so: a JSON array.
    rules             TEXT   NOT NULL,
    active_instances  BIGINT NOT NULL,
    failed_instances  BIGINT NOT NULL,
    total_instances   BIGINT NOT NULL,
    capacity          BIGINT NOT NULL,
    assigned_streams  BIGINT NOT NULL,
    orphaned_streams  BIGINT NOT NULL
);
