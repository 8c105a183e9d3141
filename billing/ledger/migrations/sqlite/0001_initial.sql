-- Amounts are units (1 credit = 3,600,000), times are milliseconds since 1970-01-01T00:00Z, lengths of time are
-- milliseconds. The views at the end show both to people.

CREATE TABLE users (
  user_id    INTEGER PRIMARY KEY AUTOINCREMENT,
  name       TEXT    NOT NULL UNIQUE,
  email      TEXT    NOT NULL,
  state      TEXT    NOT NULL CHECK (state IN ('active', 'disabled')),
  token_hash BLOB    NOT NULL UNIQUE CHECK (length(token_hash) = 32),
  created_at INTEGER NOT NULL,
  changed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX users_by_change ON users (changed_at);

CREATE TABLE user_credits (
  user_id    INTEGER PRIMARY KEY REFERENCES users,
  balance    INTEGER NOT NULL CHECK (balance >= 0),
  updated_at INTEGER NOT NULL
) STRICT;

-- A user's rows lie together, in the order of their ids, which are counted within the user.
CREATE TABLE credit_transactions (
  user_id    INTEGER NOT NULL REFERENCES user_credits,
  id         INTEGER NOT NULL,
  type       TEXT    NOT NULL CHECK (type IN ('purchase', 'bonus', 'usage', 'refund', 'adjustment')),
  amount     INTEGER NOT NULL,
  reference  TEXT    NOT NULL CHECK (reference <> ''),
  note       TEXT    NOT NULL,
  time_ms    INTEGER NOT NULL CHECK (time_ms >= 0),  -- of a usage row: the time that was used
  created_at INTEGER NOT NULL,
  PRIMARY KEY (user_id, id),
  UNIQUE (user_id, type, reference)
) STRICT, WITHOUT ROWID;

-- One row for each session, updated in place at each charge; no index holds a column that a charge changes.
CREATE TABLE metered_sessions (
  user_id        INTEGER NOT NULL REFERENCES user_credits,
  session_id     INTEGER NOT NULL,
  node           TEXT    NOT NULL,
  label          TEXT    NOT NULL,
  exit           TEXT    NOT NULL,
  charge_number  INTEGER NOT NULL CHECK (charge_number >= 1),
  last_amount    INTEGER NOT NULL CHECK (last_amount >= 0),
  last_grant     INTEGER NOT NULL CHECK (last_grant >= 0),
  charged        INTEGER NOT NULL CHECK (charged >= 0),
  posted         INTEGER NOT NULL CHECK (posted >= 0),
  granted        INTEGER NOT NULL CHECK (granted >= 0),
  granted_posted INTEGER NOT NULL CHECK (granted_posted >= 0),
  started_at     INTEGER NOT NULL,
  paid_until     INTEGER NOT NULL,
  last_posted_at INTEGER NOT NULL,
  ended_at       INTEGER,
  why            TEXT,
  PRIMARY KEY (user_id, session_id),
  CHECK ((ended_at IS NULL) = (why IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX metered_sessions_live ON metered_sessions (node, last_posted_at) WHERE ended_at IS NULL;
CREATE INDEX metered_sessions_ended ON metered_sessions (node, ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX metered_sessions_by_user ON metered_sessions (user_id, ended_at);

CREATE TABLE payment_orders (
  user_id           INTEGER NOT NULL REFERENCES user_credits,
  reference         TEXT    NOT NULL UNIQUE,
  provider          TEXT    NOT NULL,
  state             TEXT    NOT NULL CHECK (state IN ('pending', 'paid', 'failed', 'abandoned', 'expired', 'review',
                                                      'refunded', 'disputed')),
  price             INTEGER NOT NULL CHECK (price > 0),
  currency          TEXT    NOT NULL,
  credits           INTEGER NOT NULL CHECK (credits > 0),
  bonus             INTEGER NOT NULL CHECK (bonus >= 0),
  idempotency_key   TEXT    NOT NULL,
  request_digest    TEXT    NOT NULL,
  authorization_url TEXT    NOT NULL,
  created_at        INTEGER NOT NULL,
  paid_at           INTEGER,
  PRIMARY KEY (user_id, reference)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX payment_orders_by_key ON payment_orders (user_id, idempotency_key) WHERE idempotency_key <> '';

CREATE TABLE nodes (
  node       TEXT PRIMARY KEY,
  started_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- SQLite has no decimals; these are texts with eight places, made without a float.
CREATE VIEW balances_in_credits AS
  SELECT user_id, name, printf('%d.%08d', balance / 3600000, balance % 3600000 * 1000 / 36) AS balance,
         datetime(updated_at / 1000, 'unixepoch') AS updated_at
  FROM user_credits JOIN users USING (user_id);

CREATE VIEW transactions_in_credits AS
  SELECT user_id, id, type,
         printf('%s%d.%08d', iif(amount < 0, '-', ''), abs(amount) / 3600000, abs(amount) % 3600000 * 1000 / 36)
           AS amount,
         reference, note, datetime(created_at / 1000, 'unixepoch') AS created_at
  FROM credit_transactions;

CREATE VIEW sessions_in_credits AS
  SELECT user_id, printf('%016x', session_id) AS session, node, label, exit, charge_number,
         printf('%d.%08d', charged / 3600000, charged % 3600000 * 1000 / 36) AS charged,
         printf('%d.%08d', posted / 3600000, posted % 3600000 * 1000 / 36) AS posted,
         granted AS granted_ms, datetime(started_at / 1000, 'unixepoch') AS started_at,
         datetime(paid_until / 1000, 'unixepoch') AS paid_until, datetime(ended_at / 1000, 'unixepoch') AS ended_at, why
  FROM metered_sessions;
