-- The older release knows no planned work. An instance that drains is active there; one in maintenance
-- with streams has failed, and its streams are moved.
UPDATE instances SET status = 'active' WHERE status = 'draining';
UPDATE instances SET status = 'failed' WHERE status = 'maintenance' AND planned IS NOT NULL;
ALTER TABLE instances DROP COLUMN planned;
