-- The timeline of each battery. Run inside the schema that migrate.py made and put on the search path.
--
-- A row is one version of what a fold says under a key. It has its place on the chain (slot, height, block) and a span
-- of knowledge [known_from_step, known_until_step): the steps of the log after which it held. NULL: it still holds.
-- No row is ever deleted; a version that ends is closed. Each table has one partial unique index over what holds now,
-- and one over what no longer does, for questions about the past.
--
-- Hashes, keys and ids are bytea. Integers that somebody on the chain merely claims are numeric: CBOR bounds none.
-- Text from the chain is kept with U+FFFD for the characters that PostgreSQL refuses; events.body has it exactly.

-- Which log the tables are built from. One row, for the life of the schema.
CREATE TABLE log_identity (
    only_one         boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    digest           text NOT NULL,      -- of the log's step 0
    network          text NOT NULL,
    network_magic    bigint NOT NULL,
    deployments      jsonb NOT NULL,     -- name -> digest of the profile
    partitions       integer NOT NULL,
    fold_version     integer NOT NULL    -- of the fold that wrote the states: another one needs a rebuild
);

-- How far each partition is projected. Moves in the transaction that writes the rows.
CREATE TABLE checkpoints (
    projection       text NOT NULL,
    partition        integer NOT NULL,
    next_offset      bigint NOT NULL DEFAULT 0,   -- the log engine's
    last_seq         bigint NOT NULL DEFAULT -1,
    last_step        bigint NOT NULL DEFAULT -1,
    owner_epoch      bigint NOT NULL DEFAULT 0,   -- whoever takes the partition raises it; older owners can't write
    slot             bigint NOT NULL DEFAULT 0,   -- from here: where the chain stood at the last marker
    height           bigint NOT NULL DEFAULT -1,
    block            bytea NOT NULL DEFAULT '',
    final_height     bigint NOT NULL DEFAULT -1,  -- nothing at or below is ever retracted
    tip_height       bigint NOT NULL DEFAULT -1,  -- the node's
    updated_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (projection, partition)
);

-- The log's steps as the markers of partition 0 tell them: where the chain stood when something was known.
CREATE TABLE steps (
    step             bigint PRIMARY KEY,
    kind             text NOT NULL CHECK (kind IN ('opened', 'forward', 'rollback')),
    slot             bigint NOT NULL,
    height           bigint NOT NULL,
    block            bytea NOT NULL,
    final_height     bigint NOT NULL,
    tip_height       bigint NOT NULL
);

-- Each battery's facts, in the chain's order.
CREATE TABLE events (
    deployment         text NOT NULL,
    battery_key        bytea NOT NULL,
    height             bigint NOT NULL,
    transaction_index  integer NOT NULL,
    event_index        integer NOT NULL,
    slot               bigint NOT NULL,
    block              bytea NOT NULL,
    time               timestamptz NOT NULL,      -- of the slot
    fact               bytea NOT NULL,            -- the same on every fork
    event_id           bytea NOT NULL,            -- of this statement of the fact, in this block, this time
    incarnation        integer NOT NULL,
    type               text NOT NULL,
    transaction        bytea NOT NULL,
    body               bytea NOT NULL,            -- JSON as in the log; not jsonb, which refuses "\u0000"
    known_from_step    bigint NOT NULL,
    known_until_step   bigint CHECK (known_until_step > known_from_step)
);
CREATE UNIQUE INDEX events_now ON events (battery_key, deployment, height, transaction_index, event_index)
    WHERE known_until_step IS NULL;
CREATE INDEX events_past ON events (battery_key) WHERE known_until_step IS NOT NULL;

CREATE TABLE batteries (
    deployment                  text NOT NULL,
    battery_key                 bytea NOT NULL,
    battery_id                  bytea,             -- up to 64 bytes; NULL until an event that proves it is seen
    battery_id_text             text,              -- where it is printable UTF-8
    bms_public_key              bytea,             -- of the passport
    bms_key_alg                 numeric,           -- COSE algorithm number
    passport_version            numeric,
    metadata                    jsonb,
    registered_slot             bigint,
    owner                       bytea,             -- payment credential that holds the (222) token
    owner_kind                  text,              -- key or script
    owner_address               text,
    owner_since_slot            bigint,
    account_open                boolean,           -- NULL: no proven account was seen
    account_output              text,              -- transaction#index
    account_lovelace            bigint,
    account_public_key          bytea,
    account_last_counter        numeric,
    account_reward_per_read     numeric,           -- lovelace
    account_max_age_slots       numeric,
    account_last_soh_bp         numeric,           -- 1/100 percent
    account_last_cycle_count    numeric,
    last_reading                bytea,             -- fact of the last reading that took effect
    last_reading_slot           bigint,
    last_soh_bp                 numeric,
    last_cycle_count            numeric,
    last_counter                numeric,
    readings_submitted          integer NOT NULL,  -- took effect
    readings_rejected           integer NOT NULL,
    readings_unproven           integer NOT NULL,
    commitments_minted          integer NOT NULL,
    commitments_open            integer NOT NULL,
    quarantined                 integer NOT NULL,
    slot                        bigint NOT NULL,   -- of its newest event
    height                      bigint NOT NULL,
    block                       bytea NOT NULL,
    known_from_step             bigint NOT NULL,
    known_until_step            bigint CHECK (known_until_step > known_from_step)
);
CREATE UNIQUE INDEX batteries_now ON batteries (battery_key, deployment) WHERE known_until_step IS NULL;
CREATE INDEX batteries_past ON batteries (battery_key) WHERE known_until_step IS NOT NULL;
CREATE INDEX batteries_by_id ON batteries (battery_id) WHERE known_until_step IS NULL;

CREATE TABLE commitments (
    deployment           text NOT NULL,
    battery_key          bytea NOT NULL,
    fact                 bytea NOT NULL,
    transaction          bytea NOT NULL,     -- the challenge
    output_index         integer NOT NULL,
    token_name           bytea NOT NULL,
    user_pkh             bytea NOT NULL,
    claimed_slot         numeric,
    nonce                bytea,
    status               text NOT NULL CHECK (status IN ('open', 'consumed', 'reclaimed', 'closed')),
    slot                 bigint NOT NULL,
    height               bigint NOT NULL,
    block                bytea NOT NULL,
    time                 timestamptz NOT NULL,
    ended_how            text,               -- reading, reclaimed, burned, moved
    ended_fact           bytea,
    ended_transaction    bytea,
    ended_slot           bigint,
    ended_height         bigint,
    age_slots            bigint,             -- block slot of its end less its own
    known_from_step      bigint NOT NULL,
    known_until_step     bigint CHECK (known_until_step > known_from_step)
);
CREATE UNIQUE INDEX commitments_now ON commitments (battery_key, deployment, fact) WHERE known_until_step IS NULL;
CREATE INDEX commitments_past ON commitments (battery_key) WHERE known_until_step IS NOT NULL;

CREATE TABLE readings (
    deployment                  text NOT NULL,
    battery_key                 bytea NOT NULL,
    fact                        bytea NOT NULL,
    event_id                    bytea NOT NULL,
    transaction                 bytea NOT NULL,
    transaction_index           integer NOT NULL,
    event_index                 integer NOT NULL,
    slot                        bigint NOT NULL,
    height                      bigint NOT NULL,
    block                       bytea NOT NULL,
    time                        timestamptz NOT NULL,
    rejected                    boolean NOT NULL,  -- the transaction's scripts failed: it had no effect
    account_unproven            boolean NOT NULL,  -- no thread token: it moves nothing
    form                        text NOT NULL,
    departures                  text[] NOT NULL,   -- rules of the encoding that the bytes break
    unreadable                  text,
    payload_sha256              bytea,
    public_key                  bytea,             -- the account's, else the passport's
    challenge                   bytea,
    counter                     numeric,
    schema_version              numeric,
    soh_bp                      numeric,           -- 1/100 percent
    soc_bp                      numeric,           -- 1/100 percent
    cycle_count                 numeric,
    full_charge_capacity_mah    numeric,
    nominal_capacity_mah        numeric,
    voltage_mv                  numeric,
    current_ma                  numeric,           -- positive while charging
    temp_min_c                  numeric,
    temp_max_c                  numeric,
    energy_throughput_wh        numeric,
    cell_count                  numeric,
    commitment                  bytea,             -- fact of the commitment that its transaction consumed
    commitment_age_slots        bigint,            -- by block slots
    challenge_answers           boolean,           -- challenge = that commitment's transaction; NULL without one
    previous_counter            numeric,           -- of the last reading before it under the same public key
    counter_delta               numeric,
    counter_kind                text CHECK (counter_kind IN ('first', 'next', 'gap', 'duplicate', 'regress')),
    reward_lovelace             bigint,            -- what left the account; NULL where its output before was not seen
    known_from_step             bigint NOT NULL,
    known_until_step            bigint CHECK (known_until_step > known_from_step)
);
CREATE UNIQUE INDEX readings_now ON readings (battery_key, deployment, fact) WHERE known_until_step IS NULL;
CREATE INDEX readings_past ON readings (battery_key) WHERE known_until_step IS NOT NULL;

-- The fold's state after a battery's last event: lets a worker go on without reading the battery's history.
-- Derived from the events, so it has no spans: it is replaced.
CREATE TABLE states (
    battery_key      bytea NOT NULL,
    deployment       text NOT NULL,
    partition        integer NOT NULL,
    state            bytea NOT NULL,    -- JSON
    PRIMARY KEY (battery_key, deployment)
);
