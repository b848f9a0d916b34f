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
