ALTER TABLE leadership DROP COLUMN after_loss;
