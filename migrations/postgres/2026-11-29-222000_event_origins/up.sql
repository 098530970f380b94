-- The incident an event belongs to, and the caller that caused it; empty for the program itself.
ALTER TABLE events ADD COLUMN incident_id BIGINT NULL;
ALTER TABLE events ADD COLUMN actor TEXT NULL;

-- Events of older versions: what they say of themselves.
UPDATE events SET incident_id = (payload::jsonb ->> 'incident')::BIGINT
WHERE kind IN ('emergency_recovered', 'recovery_escalated', 'recovery_ended');
UPDATE events SET actor = 'worker'
WHERE kind IN ('instance_registered', 'instance_on_time', 'instance_returned', 'lease_agreed',
    'stream_released', 'stream_returned', 'streams_delivered')
    OR (kind = 'stream_assigned' AND payload::jsonb ->> 'reason' = 'requested');
UPDATE events SET actor = 'operator'
WHERE kind IN ('brake_ordered', 'maintenance_ended', 'stream_created', 'stream_updated',
    'stream_deleted', 'stream_withdrawn')
    OR (kind IN ('stream_assigned', 'stream_releasing') AND payload::jsonb ->> 'reason' = 'planned_move')
    OR (kind = 'instance_removed' AND payload::jsonb ->> 'reason' = 'requested')
    OR (kind = 'instance_failed' AND payload::jsonb ->> 'cause' IN ('reported', 'forced', 'emergency'))
    OR (kind = 'lease_withdrawn' AND payload::jsonb ->> 'cause' IN ('emergency', 'removal'))
    OR (kind = 'quarantine_over' AND payload::jsonb ->> 'because' = 'by_hand')
    OR (kind = 'mass_failure_ended' AND payload::jsonb ->> 'ending' = 'released')
    OR (kind = 'emergency_recovered' AND payload::jsonb ->> 'status' = 'maintenance');
UPDATE events SET actor = NULLIF(payload::jsonb ->> 'by', 'program')
WHERE kind IN ('rebalance_begun', 'instance_cordoned', 'instance_uncordoned', 'drain_started',
    'drain_ended', 'maintenance_started', 'roll_changed', 'lease_withdrawn', 'instance_removed',
    'maintenance_ended', 'quarantine_over')
    AND payload::jsonb ->> 'by' IS NOT NULL;

-- Most events have neither.
CREATE INDEX events_incident ON events (incident_id, sequence) WHERE incident_id IS NOT NULL;
CREATE INDEX events_actor ON events (actor, sequence) WHERE actor IS NOT NULL;
