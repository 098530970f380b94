-- What a stream costs its owner, and the conditions on the owner: labels it must have (a JSON object
-- of texts), the group whose streams are kept apart, and the instance the stream belongs on (a name,
-- not a reference: the stream waits for it while it is not registered).
ALTER TABLE streams ADD COLUMN weight BIGINT NOT NULL DEFAULT 1 CHECK (weight BETWEEN 1 AND 1000);
ALTER TABLE streams ADD COLUMN requires TEXT NULL;
ALTER TABLE streams ADD COLUMN spread_group TEXT NULL;
ALTER TABLE streams ADD COLUMN pinned TEXT NULL;

-- The sum of the weights of the streams an instance may own; nothing: only their number is limited.
ALTER TABLE instances ADD COLUMN capacity BIGINT NULL CHECK (capacity >= 1);
