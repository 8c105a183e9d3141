-- A node renews its lease by raising its beat; lease_ms is for how long the others let it stay the same before they end
-- its sessions, 0: for ever. A life is one start of a process by that name; only the newest one counts.
ALTER TABLE nodes ADD COLUMN life     INTEGER NOT NULL DEFAULT 0;
ALTER TABLE nodes ADD COLUMN beat     INTEGER NOT NULL DEFAULT 0;
ALTER TABLE nodes ADD COLUMN lease_ms INTEGER NOT NULL DEFAULT 0 CHECK (lease_ms >= 0);

-- Of a session that somebody other than its own node ended: where that stands in the order of such ends, so that the
-- node can ask for what it has not heard of. NULL in all others, so that the index is as small as what there is to tell.
ALTER TABLE metered_sessions ADD COLUMN end_change INTEGER;
CREATE INDEX metered_sessions_by_end_change ON metered_sessions (end_change) WHERE end_change IS NOT NULL;
DROP INDEX metered_sessions_ended;
