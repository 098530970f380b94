DROP INDEX alerts_unannounced;
ALTER TABLE alerts DROP COLUMN announced;
DROP TABLE webhook_deliveries;
DROP TABLE webhook_targets;
