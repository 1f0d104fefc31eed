/**
 * Tables of gateway.db. Of a key only its hash is kept; amounts are nanoton; a day is a calendar day of this computer, `2026-11-22`. Nothing of a
 * question or answer is ever written here.
 *
 * `reservation` holds what requests under way may cost at most. One that is found at the start belongs to a request that a crash cut off: what it cost
 * is not known, so it goes to `unsure`, which counts against the limit.
 */
export const gatewayMigrations: readonly string[] = [
  `CREATE TABLE api_switch (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    enabled INTEGER NOT NULL,
    port INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE api_key (
    id TEXT PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    hint TEXT NOT NULL,
    name TEXT NOT NULL,
    level TEXT NOT NULL,
    models TEXT NOT NULL,
    origins TEXT NOT NULL,
    daily_limit INTEGER NOT NULL,
    consented_at_ms INTEGER,
    created_at_ms INTEGER NOT NULL,
    last_used_at_ms INTEGER,
    revoked_at_ms INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE api_day (
    key_id TEXT NOT NULL REFERENCES api_key (id),
    day TEXT NOT NULL,
    requests INTEGER NOT NULL DEFAULT 0,
    prompt_tokens INTEGER NOT NULL DEFAULT 0,
    completion_tokens INTEGER NOT NULL DEFAULT 0,
    spent INTEGER NOT NULL DEFAULT 0,
    unsure INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (key_id, day)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE reservation (
    id TEXT PRIMARY KEY,
    key_id TEXT NOT NULL REFERENCES api_key (id),
    day TEXT NOT NULL,
    amount INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX reservation_key ON reservation (key_id, day);`,
  // Until now there was one level that needed an agreement.
  `ALTER TABLE api_key ADD COLUMN consented_level TEXT;
  UPDATE api_key SET consented_level = 'practice' WHERE consented_at_ms IS NOT NULL;`,
]
