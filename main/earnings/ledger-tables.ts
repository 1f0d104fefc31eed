/**
 * Tables of earnings.db. Counts, times, addresses and amounts only; contents of requests never reach this room.
 * Tokens are adjusted tokens unless named otherwise. Products of tokens and fee are never stored: they are exact when they are needed.
 */
export const earningsMigrations: readonly string[] = [
  `CREATE TABLE request (
    id TEXT PRIMARY KEY,
    proxy TEXT,
    worker_contract TEXT,
    model TEXT,
    started_at_ms INTEGER,
    interrupted INTEGER NOT NULL DEFAULT 0,
    result TEXT,
    prompt_tokens INTEGER NOT NULL DEFAULT 0,
    cached_tokens INTEGER NOT NULL DEFAULT 0,
    completion_tokens INTEGER NOT NULL DEFAULT 0,
    reasoning_tokens INTEGER NOT NULL DEFAULT 0,
    adjusted_tokens INTEGER NOT NULL DEFAULT 0,
    took_ms REAL,
    finished_at_ms INTEGER
  ) STRICT;
  CREATE INDEX request_started ON request (started_at_ms);
  CREATE INDEX request_finished ON request (finished_at_ms);

  -- Each counted request is a stretch of its contract's line of tokens: from first (exclusive) to last (inclusive).
  CREATE TABLE counted (
    worker_contract TEXT NOT NULL,
    request_id TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    fee INTEGER NOT NULL,
    -- 1: the proxy counted the same stretch again for another request, so it forgot this one before it had signed it.
    forgotten INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (worker_contract, request_id),
    CHECK (0 <= first AND first <= last)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX counted_line ON counted (worker_contract, last);

  CREATE TABLE contract (
    address TEXT PRIMARY KEY,
    signed INTEGER NOT NULL DEFAULT 0,
    settled INTEGER NOT NULL DEFAULT 0,
    -- Newest fee told with a count; NULL before the first.
    fee INTEGER
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE payout (
    id TEXT PRIMARY KEY,
    started_at_ms INTEGER NOT NULL,
    state TEXT NOT NULL,
    adjusted_tokens INTEGER NOT NULL,
    expected INTEGER NOT NULL,
    owner_received INTEGER,
    node_wallet_change INTEGER,
    transaction_hash TEXT,
    error TEXT
  ) STRICT;
  CREATE INDEX payout_started ON payout (started_at_ms);`,

  `-- The proxy's newest total, signed or not.
  ALTER TABLE contract ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
  UPDATE contract SET told = max(signed, settled,
    coalesce((SELECT max(last) FROM counted WHERE worker_contract = address AND forgotten = 0), 0));
  -- 1: the proxy told only its total; that this request is a part of it follows from what the worker has reported.
  ALTER TABLE counted ADD COLUMN inferred INTEGER NOT NULL DEFAULT 0;`,

  `-- What answering took in a quarter of an hour, counted in quarters since 1970: for so long, of which so long was measured; joules drawn by the
  -- cards meanwhile, and what they would have drawn at rest.
  CREATE TABLE energy (
    quarter INTEGER PRIMARY KEY,
    serving_ms REAL NOT NULL,
    measured_ms REAL NOT NULL,
    drawn_j REAL NOT NULL,
    rest_j REAL NOT NULL
  ) STRICT;`,

  `-- The least that a card was seen to draw at rest, W.
  CREATE TABLE card_rest (card TEXT PRIMARY KEY, watt REAL NOT NULL) STRICT;`,
]
