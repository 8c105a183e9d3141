-- Where a user's way out stands when his user name asks for no place; '' asks for nothing.
ALTER TABLE users ADD COLUMN default_country TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN default_state TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN default_city TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN default_isp TEXT NOT NULL DEFAULT '';

-- Blocks of client addresses that a user has listed as his own, as '203.0.113.0/24': who comes from there needs no
-- token. No two users have the same one; no constraint says so, but users change one after the other and each looks
-- before, so that the table can be distributed by user. It refers to users, which no charge locks.
CREATE TABLE user_addresses (
  user_id  INTEGER NOT NULL REFERENCES users,
  network  TEXT    NOT NULL CHECK (network <> ''),
  added_at INTEGER NOT NULL,
  PRIMARY KEY (user_id, network)
) STRICT, WITHOUT ROWID;
CREATE INDEX user_addresses_by_network ON user_addresses (network);
