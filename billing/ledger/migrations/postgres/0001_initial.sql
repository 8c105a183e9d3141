-- Amounts are units (1 credit = 3,600,000), times are milliseconds since 1970-01-01T00:00Z, lengths of time are
-- milliseconds. The views at the end show both to people.
--
-- Whatever belongs to a user has user_id first in its primary key, so that the tables can be distributed by it.
-- Every change of what belongs to a user is made while his row of user_credits is locked, and refers to that row, so
-- that nobody who locks a row of users holds up a charge.

CREATE TABLE users (
  user_id    BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  name       TEXT   NOT NULL UNIQUE,
  email      TEXT   NOT NULL,
  state      TEXT   NOT NULL CHECK (state IN ('active', 'disabled')),
  token_hash BYTEA  NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
  created_at BIGINT NOT NULL,
  changed_at BIGINT NOT NULL
);
CREATE INDEX users_by_change ON users (changed_at);

-- Changed at every charge; the room in each page lets the new version of a row stay beside the old one (HOT).
CREATE TABLE user_credits (
  user_id    BIGINT PRIMARY KEY REFERENCES users,
  balance    BIGINT NOT NULL CHECK (balance >= 0),
  updated_at BIGINT NOT NULL
) WITH (fillfactor = 70);

CREATE TABLE credit_transactions (
  user_id    BIGINT NOT NULL REFERENCES user_credits,
  id         BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY,
  type       TEXT   NOT NULL CHECK (type IN ('purchase', 'bonus', 'usage', 'refund', 'adjustment')),
  amount     BIGINT NOT NULL,
  reference  TEXT   NOT NULL CHECK (reference <> ''),
  note       TEXT   NOT NULL,
  time_ms    BIGINT NOT NULL CHECK (time_ms >= 0),  -- of a usage row: the time that was used
  created_at BIGINT NOT NULL,
  PRIMARY KEY (user_id, id),
  UNIQUE (user_id, type, reference)
);

-- One row for each session, updated in place at each charge; no index holds a column that a charge changes.
CREATE TABLE metered_sessions (
  user_id        BIGINT NOT NULL REFERENCES user_credits,
  session_id     BIGINT NOT NULL,
  node           TEXT   NOT NULL,
  label          TEXT   NOT NULL,
  exit           TEXT   NOT NULL,
  charge_number  BIGINT NOT NULL CHECK (charge_number >= 1),
  last_amount    BIGINT NOT NULL CHECK (last_amount >= 0),
  last_grant     BIGINT NOT NULL CHECK (last_grant >= 0),
  charged        BIGINT NOT NULL CHECK (charged >= 0),
  posted         BIGINT NOT NULL CHECK (posted >= 0),
  granted        BIGINT NOT NULL CHECK (granted >= 0),
  granted_posted BIGINT NOT NULL CHECK (granted_posted >= 0),
  started_at     BIGINT NOT NULL,
  paid_until     BIGINT NOT NULL,
  last_posted_at BIGINT NOT NULL,
  ended_at       BIGINT,
  why            TEXT,
  PRIMARY KEY (user_id, session_id),
  CHECK ((ended_at IS NULL) = (why IS NULL))
) WITH (fillfactor = 70);
CREATE INDEX metered_sessions_live ON metered_sessions (node, last_posted_at) WHERE ended_at IS NULL;
CREATE INDEX metered_sessions_ended ON metered_sessions (node, ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX metered_sessions_by_user ON metered_sessions (user_id, ended_at);

CREATE TABLE payment_orders (
  user_id           BIGINT NOT NULL REFERENCES user_credits,
  reference         TEXT   NOT NULL UNIQUE,
  provider          TEXT   NOT NULL,
  state             TEXT   NOT NULL CHECK (state IN ('pending', 'paid', 'failed', 'abandoned', 'expired', 'review',
                                                     'refunded', 'disputed')),
  price             BIGINT NOT NULL CHECK (price > 0),
  currency          TEXT   NOT NULL,
  credits           BIGINT NOT NULL CHECK (credits > 0),
  bonus             BIGINT NOT NULL CHECK (bonus >= 0),
  idempotency_key   TEXT   NOT NULL,
  request_digest    TEXT   NOT NULL,
  authorization_url TEXT   NOT NULL,
  created_at        BIGINT NOT NULL,
  paid_at           BIGINT,
  PRIMARY KEY (user_id, reference)
);
CREATE UNIQUE INDEX payment_orders_by_key ON payment_orders (user_id, idempotency_key) WHERE idempotency_key <> '';

CREATE TABLE nodes (
  node       TEXT   PRIMARY KEY,
  started_at BIGINT NOT NULL
);

CREATE VIEW balances_in_credits AS
  SELECT user_id, name, trunc(balance / 3600000.0, 8) AS balance, to_timestamp(updated_at / 1000.0) AS updated_at
  FROM user_credits JOIN users USING (user_id);

CREATE VIEW transactions_in_credits AS
  SELECT user_id, id, type, trunc(amount / 3600000.0, 8) AS amount, reference, note,
         to_timestamp(created_at / 1000.0) AS created_at
  FROM credit_transactions;

CREATE VIEW sessions_in_credits AS
  SELECT user_id, lpad(to_hex(session_id), 16, '0') AS session, node, label, exit, charge_number,
         trunc(charged / 3600000.0, 8) AS charged, trunc(posted / 3600000.0, 8) AS posted,
         granted * interval '1 millisecond' AS granted, to_timestamp(started_at / 1000.0) AS started_at,
         to_timestamp(paid_until / 1000.0) AS paid_until, to_timestamp(ended_at / 1000.0) AS ended_at, why
  FROM metered_sessions;
