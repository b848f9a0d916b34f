-- Workers that divide the partitions among themselves. sharing.py says by which rule.

-- Numbers are never used twice: a worker's number names its session's advisory lock, by which others see it live.
CREATE SEQUENCE worker_numbers AS integer;

-- The workers at work on these tables. One that ends takes its row away; one that dies leaves it to the others.
CREATE TABLE workers (
    worker              integer PRIMARY KEY,
    projection          text NOT NULL,
    host                text NOT NULL,
    process             integer NOT NULL,
    pinned              boolean NOT NULL,             -- was told its partitions by hand: it neither gives nor takes
    events_per_second   double precision,             -- since its start, waiting left out
    started_at          timestamptz NOT NULL DEFAULT now(),
    heard_at            timestamptz NOT NULL DEFAULT now()
);

-- Who may write the partition: workers.worker. NULL, or a number that is not there: nobody.
ALTER TABLE checkpoints ADD COLUMN owner integer;
