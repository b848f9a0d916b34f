-- Events that the fold could not handle, and those of the same battery that came after them and wait for their turn.
-- Nothing is deleted: a row ends when the chain takes its event back, or when the fold has handled it after all.
CREATE TABLE parked (
    partition        integer NOT NULL,
    seq              bigint NOT NULL,        -- in the partition: the order in which they are handled
    battery_key      bytea NOT NULL,
    deployment       text NOT NULL,
    event_id         bytea NOT NULL,
    type             text NOT NULL,
    step             bigint NOT NULL,
    slot             bigint NOT NULL,
    height           bigint NOT NULL,
    reason           text,                   -- why the fold can't; NULL: it waits behind one that it can't
    record           bytea NOT NULL,         -- JSON, as in the log
    parked_at        timestamptz NOT NULL DEFAULT now(),
    ended_how        text CHECK (ended_how IN ('retracted', 'handled')),
    ended_at         timestamptz,
    PRIMARY KEY (partition, seq)
);
CREATE INDEX parked_open ON parked (battery_key, deployment) WHERE ended_how IS NULL;
