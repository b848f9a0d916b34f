-- What is said outside about alerts. In the schema that no rebuild touches, by keys that hold for ever: tables that are
-- built anew say nothing a second time. Never deleted.

-- Messages as they go out: their very bytes, so that each repeat is the same.
CREATE TABLE IF NOT EXISTS cellwitness_people.alert_sends (
    send_number              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key                      bytea NOT NULL UNIQUE,  -- 16 bytes of blake2b over the keys of its notices
    route                    text NOT NULL,
    sink                     text NOT NULL,
    body                     bytea NOT NULL,
    state                    text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'failed', 'dropped')),
    attempts                 integer NOT NULL DEFAULT 0,
    next_try_at              timestamptz NOT NULL DEFAULT now(),
    last_error               text,
    made_at                  timestamptz NOT NULL DEFAULT now(),
    ended_at                 timestamptz          -- sent, failed or dropped then
);
CREATE INDEX IF NOT EXISTS alert_sends_waiting ON cellwitness_people.alert_sends (sink, next_try_at, send_number)
    WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS alert_sends_recent ON cellwitness_people.alert_sends (route, made_at);

-- What is to be said, one row for each alert, route, sink and kind of message. An episode begins when an alert is first
-- told to a sink and ends when it is resolved there; an alert that comes back begins another.
CREATE TABLE IF NOT EXISTS cellwitness_people.alert_notices (
    notice_number            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key                      bytea NOT NULL UNIQUE,  -- 16 bytes of blake2b over alert, route, sink, kind and turn
    alert                    bytea NOT NULL,
    route                    text NOT NULL,
    sink                     text NOT NULL,
    turn                     integer NOT NULL CHECK (turn > 0),  -- the how manieth of alert, route and sink
    episode                  integer NOT NULL CHECK (episode > 0),
    kind                     text NOT NULL
        CHECK (kind IN ('provisional', 'confirmed', 'changed', 'withdrawn', 'closed', 'unrouted')),
    severity                 text NOT NULL CHECK (severity IN ('warning', 'high', 'critical')),
    said                     bytea NOT NULL,      -- JSON
    log                      text NOT NULL,       -- digest of the log's step 0: steps are of a log
    step                     bigint NOT NULL,     -- how far the tables were then, some of them
    height                   bigint NOT NULL,
    noted_at                 timestamptz NOT NULL DEFAULT now(),
    send                     bytea REFERENCES cellwitness_people.alert_sends (key),  -- NULL: held, or never to be sent
    dropped                  text,                -- why it was never sent
    UNIQUE (alert, route, sink, turn)
);
CREATE INDEX IF NOT EXISTS alert_notices_sent ON cellwitness_people.alert_notices (send) WHERE send IS NOT NULL;
CREATE INDEX IF NOT EXISTS alert_notices_held ON cellwitness_people.alert_notices (notice_number)
    WHERE send IS NULL AND dropped IS NULL;
