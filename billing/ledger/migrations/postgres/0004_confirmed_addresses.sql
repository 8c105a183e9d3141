-- Since when who comes from a user's network is him: since his right token was shown from inside it, or the operator
-- listed it. NULL: neither has happened, and nobody is. None that overlaps with another user's is confirmed; no
-- constraint says so, but users change one after the other and each looks before. What was listed earlier stays in
-- force, also where it overlaps: the narrowest counts.
ALTER TABLE user_addresses ADD COLUMN confirmed_at BIGINT;
UPDATE user_addresses SET confirmed_at = added_at
  WHERE user_id IN (SELECT user_id FROM users WHERE state = 'active');

DROP INDEX user_addresses_by_network;
CREATE INDEX user_addresses_confirmed ON user_addresses USING gist ((network::inet) inet_ops)
  WHERE confirmed_at IS NOT NULL;
