-- What the twenty-five queries stand on, and who asked them.

-- Passports and quarantined transactions are few among the events: asked for by type they are found by this.
CREATE INDEX events_rare ON events (type, battery_key)
    WHERE type IN ('passport_registered', 'passport_updated', 'transaction_quarantined');
-- Rows are written nearly in the order of their slots, so a few bytes for every block of the table tell it by time.
CREATE INDEX readings_slots ON readings USING brin (slot);
CREATE INDEX commitments_slots ON commitments USING brin (slot);
CREATE INDEX findings_slots ON findings USING brin (slot);

-- An event's body as jsonb, with U+FFFD for NUL, which jsonb refuses. Escaped backslashes are written otherwise first,
-- so that whatever is left of "\u0000" is one. The log writes no other escape that jsonb refuses.
CREATE FUNCTION body_json(body bytea) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT replace(replace(convert_from(body, 'UTF8'), '\\', '\u005c'), '\u0000', '\ufffd')::jsonb $$;

-- Every passport that ever stood on the chain, with its span of knowledge.
CREATE VIEW passports AS
SELECT deployment, battery_key, height, transaction_index, event_index, slot, block, time, fact, event_id, type,
       transaction, decode(said ->> 'bms_public_key', 'hex') AS bms_public_key,
       (said ->> 'bms_key_alg')::numeric AS bms_key_alg, coalesce(said -> 'metadata', '{}') AS metadata,
       known_from_step, known_until_step
  FROM events
 CROSS JOIN LATERAL (SELECT body_json(body) AS said OFFSET 0) AS stated
 WHERE type IN ('passport_registered', 'passport_updated');

-- What people did about alerts, for who may read answers and not the schema that it is kept in.
CREATE VIEW acts AS
SELECT act_number, alert, deployment, subject, rule, act, who, at, why, severity, facts
  FROM cellwitness_people.alert_acts;

-- Who asked what, when, on which legal basis, and at which step it was answered. Added to by everybody who asks, read
-- by auditors, changed by nobody. It can't be made from the log: back it up with what people did.
CREATE TABLE IF NOT EXISTS cellwitness_people.questions (
    question_number          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at                       timestamptz NOT NULL DEFAULT clock_timestamp(),
    role                     text NOT NULL DEFAULT session_user,  -- as PostgreSQL knew whoever wrote it
    who                      text NOT NULL CHECK (who <> ''),
    profile                  text NOT NULL,       -- of access
    legal_basis              text NOT NULL CHECK (legal_basis <> ''),
    what                     text NOT NULL,       -- a query's name, or what else was looked at
    parameters               jsonb NOT NULL,
    as_of_slot               bigint,
    known_at                 text,                -- as it was asked for
    finality                 text NOT NULL,
    outcome                  text NOT NULL CHECK (outcome IN ('answered', 'refused', 'failed')),
    reason                   text,                -- why it was not answered
    step                     bigint,              -- where the answer holds
    slot                     bigint,
    block                    bytea,
    rows                     bigint,
    format                   text NOT NULL
);
CREATE INDEX IF NOT EXISTS questions_by_time ON cellwitness_people.questions (at);
