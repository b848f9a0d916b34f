-- What the dashboard keeps, and shows of the tables' own life.

-- Browsers that came into a dashboard, for as long as they may stay. What somebody may do stands in no row: the dashboard
-- asks its door again at each request, so a row can't give rights. Of the cookie only its hash is here. Not in backups.
CREATE TABLE IF NOT EXISTS cellwitness_people.sessions (
    cookie_sha256            bytea PRIMARY KEY CHECK (length(cookie_sha256) = 32),
    came_by                  text NOT NULL CHECK (came_by IN ('loopback', 'token', 'proxy')),
    who                      text NOT NULL,       -- the token's id, or whom the proxy named
    legal_basis              text NOT NULL,
    began_at                 timestamptz NOT NULL DEFAULT now(),
    seen_at                  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS sessions_seen ON cellwitness_people.sessions (seen_at);

-- Tables that were built anew, and what came of it. In the schema that no rebuild touches.
CREATE TABLE IF NOT EXISTS cellwitness_people.rebuilds (
    rebuild_number           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    began_at                 timestamptz NOT NULL,  -- when the new tables were made; cut off, it went on since
    ended_at                 timestamptz NOT NULL DEFAULT clock_timestamp(),
    outcome                  text NOT NULL CHECK (outcome IN ('swapped', 'left beside', 'different')),
    equal                    boolean,             -- all that both ever said, compared; NULL: not to be compared
    step                     bigint NOT NULL,     -- as far as the new tables were then
    records                  bigint NOT NULL      -- of the log in them
);
