-- Keys of callers, each by the SHA-256 of its secret alone. A key that was revoked stays for a while, so that its
-- holder can be told.
CREATE TABLE access_keys (
    id           INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    hash         TEXT   NOT NULL UNIQUE CHECK (LENGTH(hash) = 64),
    name         TEXT   NOT NULL,
    role         TEXT   NOT NULL CHECK (role IN ('worker', 'viewer', 'operator', 'admin')),
    -- A JSON list of patterns; an empty one allows every server_id.
    server_ids   TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT,
    revoked_at   BIGINT,
    last_used_at BIGINT
);
CREATE UNIQUE INDEX access_keys_name ON access_keys (name) WHERE revoked_at IS NULL;
CREATE INDEX access_keys_revoked_at ON access_keys (revoked_at) WHERE revoked_at IS NOT NULL;
