-- Verdicts, findings and alerts: what a reading is worth, by the rules of docs/verdicts.md. Spans as in 0001.

-- What verdicts are made by: rule set, profiles and thresholds. NULL: these tables hold no verdicts.
ALTER TABLE log_identity ADD COLUMN judged_by jsonb;

-- For how long it may be answered: the account's word at the commitment's own place; NULL where no account was seen.
ALTER TABLE commitments ADD COLUMN max_age_slots numeric;

-- One row a reading, the checks as one jsonb: they are written once, read together and judged by their verdicts. A row
-- a check would be nineteen rows with keys, spans and an index each, several times the bytes of all that they say.
-- Questions about one check: WHERE checks -> 'reward' ->> 'result' = 'failed'.
CREATE TABLE verdicts (
    deployment               text NOT NULL,
    battery_key              bytea NOT NULL,
    fact                     bytea NOT NULL,      -- of the reading
    event_id                 bytea NOT NULL,
    slot                     bigint NOT NULL,
    height                   bigint NOT NULL,
    block                    bytea NOT NULL,
    time                     timestamptz NOT NULL,
    rule_set                 integer NOT NULL,
    ledger                   text NOT NULL CHECK (ledger IN ('passed', 'failed', 'not_assessable')),
    crypto                   text NOT NULL CHECK (crypto IN ('passed', 'failed', 'not_assessable')),
    binding                  text NOT NULL CHECK (binding IN ('passed', 'failed', 'not_assessable')),
    plausibility             text NOT NULL CHECK (plausibility IN ('passed', 'failed', 'not_assessable')),
    ledger_reasons           text[] NOT NULL,     -- stable codes
    crypto_reasons           text[] NOT NULL,
    binding_reasons          text[] NOT NULL,
    plausibility_reasons     text[] NOT NULL,
    public_key               bytea,               -- that the signature was judged by
    signed                   boolean NOT NULL,    -- that key signed these bytes, and they are sound
    quarantined              boolean NOT NULL,    -- put aside: moves no reference of the rules
    rules_not_assessable     text[] NOT NULL,     -- rules that lacked an input
    checks                   jsonb NOT NULL,      -- name -> {result, reasons, inputs}
    known_from_step          bigint NOT NULL,
    known_until_step         bigint CHECK (known_until_step > known_from_step)
);
CREATE UNIQUE INDEX verdicts_now ON verdicts (battery_key, deployment, fact) WHERE known_until_step IS NULL;
CREATE INDEX verdicts_past ON verdicts (battery_key) WHERE known_until_step IS NOT NULL;

CREATE TABLE findings (
    deployment               text NOT NULL,
    battery_key              bytea NOT NULL,
    fact                     bytea NOT NULL,      -- of the event in which it was found: the evidence
    rule                     text NOT NULL,       -- R01 to R55, docs/rules.md
    number                   integer NOT NULL,    -- from 0, of one rule in one event
    rule_version             integer NOT NULL,
    rule_set                 integer NOT NULL,
    severity                 text NOT NULL CHECK (severity IN ('info', 'warning', 'quarantine', 'high', 'critical')),
    event_id                 bytea NOT NULL,
    transaction              bytea NOT NULL,
    slot                     bigint NOT NULL,
    height                   bigint NOT NULL,
    block                    bytea NOT NULL,
    time                     timestamptz NOT NULL,
    "values"                 jsonb NOT NULL,      -- the numbers that it follows from
    thresholds               jsonb NOT NULL,      -- as they were
    known_from_step          bigint NOT NULL,
    known_until_step         bigint CHECK (known_until_step > known_from_step)
);
CREATE UNIQUE INDEX findings_now ON findings (battery_key, deployment, fact, rule, number)
    WHERE known_until_step IS NULL;
CREATE INDEX findings_past ON findings (battery_key) WHERE known_until_step IS NOT NULL;

-- All findings of one rule about one battery that alarm somebody, under a name that holds for ever. Ends when the last
-- of them is retracted: it is withdrawn. Its finality is that of its first finding, derived when asked.
CREATE TABLE alerts (
    alert                    bytea NOT NULL,      -- 10 bytes of blake2b over deployment, battery key and rule
    deployment               text NOT NULL,
    battery_key              bytea NOT NULL,
    rule                     text NOT NULL,
    severity                 text NOT NULL CHECK (severity IN ('warning', 'high', 'critical')),  -- the greatest
    findings                 integer NOT NULL,
    first_fact               bytea NOT NULL,
    first_slot               bigint NOT NULL,
    first_height             bigint NOT NULL,
    first_block              bytea NOT NULL,
    first_time               timestamptz NOT NULL,
    last_fact                bytea NOT NULL,
    last_slot                bigint NOT NULL,
    last_height              bigint NOT NULL,
    last_block               bytea NOT NULL,
    last_time                timestamptz NOT NULL,
    known_from_step          bigint NOT NULL,
    known_until_step         bigint CHECK (known_until_step > known_from_step)
);
CREATE UNIQUE INDEX alerts_now ON alerts (battery_key, deployment, rule) WHERE known_until_step IS NULL;
CREATE INDEX alerts_by_name ON alerts (alert);
CREATE INDEX alerts_past ON alerts (battery_key) WHERE known_until_step IS NOT NULL;

-- What rules over whole fleets found at a step: R11, R31, R36 to R40, R43. Written by scheduled runs and not by the fold:
-- when they are run is chance, so these are no part of the tables' digests. A version ends when a later run finds it no
-- more, or with other numbers.
CREATE TABLE fleet_findings (
    alert                    bytea NOT NULL,      -- of deployment, subject and rule
    deployment               text NOT NULL,
    subject                  text NOT NULL,       -- a battery key, a public key or a submitter's key hash, hex
    subject_kind             text NOT NULL CHECK (subject_kind IN ('battery', 'public key', 'submitter')),
    rule                     text NOT NULL,
    number                   integer NOT NULL,    -- from 0, of one rule about one subject
    rule_version             integer NOT NULL,
    rule_set                 integer NOT NULL,
    severity                 text NOT NULL CHECK (severity IN ('info', 'warning', 'quarantine', 'high', 'critical')),
    "values"                 jsonb NOT NULL,
    thresholds               jsonb NOT NULL,
    slot                     bigint NOT NULL,     -- where the chain stood when it was first found with these numbers
    height                   bigint NOT NULL,
    found_at                 timestamptz NOT NULL DEFAULT now(),
    known_from_step          bigint NOT NULL,
    known_until_step         bigint
);
CREATE UNIQUE INDEX fleet_findings_now ON fleet_findings (alert, number) WHERE known_until_step IS NULL;
CREATE INDEX fleet_findings_past ON fleet_findings (alert) WHERE known_until_step IS NOT NULL;

-- Runs of the fleet's rules: of several workers one runs them, when the last run is old enough.
CREATE TABLE fleet_runs (
    step                     bigint NOT NULL,     -- the consistent step that it judged
    ran_at                   timestamptz NOT NULL DEFAULT now(),
    seconds                  double precision NOT NULL,
    findings                 integer NOT NULL
);
CREATE INDEX fleet_runs_newest ON fleet_runs (ran_at);

-- What people did about alerts: by the alert's name, in a schema of its own, so that dropping and rebuilding the tables
-- keeps it. Never updated, never deleted.
CREATE SCHEMA IF NOT EXISTS cellwitness_people;
CREATE TABLE IF NOT EXISTS cellwitness_people.alert_acts (
    act_number               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert                    bytea NOT NULL,
    deployment               text NOT NULL,       -- deployment, subject and rule: readable without the other tables
    subject                  text NOT NULL,
    rule                     text NOT NULL,
    act                      text NOT NULL CHECK (act IN ('ack', 'note', 'close')),
    who                      text NOT NULL CHECK (who <> ''),
    role                     text NOT NULL DEFAULT session_user,  -- as PostgreSQL knew whoever wrote it
    at                       timestamptz NOT NULL DEFAULT clock_timestamp(),
    why                      text NOT NULL CHECK (why <> ''),
    severity                 text NOT NULL,       -- of the alert then
    facts                    bytea[] NOT NULL     -- of its findings then: the newest that is final, and all that are not
);
CREATE INDEX IF NOT EXISTS alert_acts_by_alert ON cellwitness_people.alert_acts (alert, act_number);

-- Every alert that stands now, with what people did last. Closed: by a person, and nothing was found since that he did
-- not know of; of a fleet's alert, nothing graver.
CREATE VIEW alert_states AS
WITH raised AS (
    SELECT alert, deployment, encode(battery_key, 'hex') AS subject, 'battery' AS subject_kind, battery_key, rule,
           severity, findings, first_slot, first_height, first_time, last_fact, last_slot, last_height, last_time
      FROM alerts WHERE known_until_step IS NULL
    UNION ALL
    SELECT alert, deployment, subject, subject_kind, CASE subject_kind WHEN 'battery' THEN decode(subject, 'hex') END,
           rule, (array_agg(severity ORDER BY array_position(ARRAY['warning', 'high', 'critical'], severity) DESC))[1],
           count(*)::integer, min(slot), min(height), min(found_at), NULL, max(slot), max(height), max(found_at)
      FROM fleet_findings WHERE known_until_step IS NULL AND severity IN ('warning', 'high', 'critical')
     GROUP BY alert, deployment, subject, subject_kind, rule
)
SELECT raised.*,
       CASE WHEN act = 'ack' THEN 'acknowledged'
            WHEN act = 'close' AND (last_fact = ANY (facts)
                 OR last_fact IS NULL AND array_position(ARRAY['warning', 'high', 'critical'], raised.severity)
                                       <= array_position(ARRAY['warning', 'high', 'critical'], last.severity))
            THEN 'closed' ELSE 'open' END AS state,
       act AS last_act, who, at, why
  FROM raised
  LEFT JOIN LATERAL (
       SELECT act, who, at, why, facts, alert_acts.severity FROM cellwitness_people.alert_acts
        WHERE alert_acts.alert = raised.alert AND act <> 'note' ORDER BY act_number DESC LIMIT 1) AS last ON true;
