DROP TABLE health_history;
DROP TABLE alerts;

-- Words the older release does not know become the nearest ones it does.
UPDATE placements SET reason = 'instance_failed' WHERE reason = 'emergency';
ALTER TABLE placements DROP CONSTRAINT placements_reason;
ALTER TABLE placements ADD CONSTRAINT placements_reason CHECK (CASE state
        WHEN 'assigned' THEN COALESCE(reason, '') IN
            ('requested', 'auto_assigned', 'instance_failed', 'instance_removed', 'room_appeared')
        WHEN 'orphaned' THEN COALESCE(reason, '') IN
            ('instance_failed', 'instance_removed', 'room_reduced')
        ELSE reason IS NULL
    END);

UPDATE incidents SET cause = CASE cause WHEN 'emergency_threshold' THEN 'heartbeat_timeout' WHEN 'forced' THEN 'reported'
        WHEN 'emergency' THEN 'reported' ELSE cause END,
    outcome = CASE WHEN outcome IN ('recovered', 'recovered_partially') THEN outcome END;
ALTER TABLE incidents DROP CONSTRAINT incidents_cause_check;
ALTER TABLE incidents ADD CONSTRAINT incidents_cause_check CHECK (cause IN
        ('heartbeat_timeout', 'reported', 'found_failed'));
ALTER TABLE incidents DROP CONSTRAINT incidents_outcome_check;
ALTER TABLE incidents ADD CONSTRAINT incidents_outcome_check CHECK (outcome IN
        ('recovered', 'recovered_partially'));
DROP INDEX incidents_open;
ALTER TABLE incidents DROP COLUMN escalated_at;
ALTER TABLE incidents DROP COLUMN reason;

ALTER TABLE instances DROP COLUMN flaps;
