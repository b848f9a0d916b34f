Queries by which workers divide the partitions, by name. Times are the database's: workers' clocks need not agree.

-- next_worker_number --
SELECT nextval('worker_numbers');

-- lock_worker --
-- Held until the session ends, however it ends: by it the others see at once that a worker is gone.
SELECT pg_advisory_lock(%(space)s, %(worker)s);

-- bound_waits --
-- Two batches that add the same row, say of one deployment, wait for one another: a paused one would stop all others.
SELECT set_config('lock_timeout', %(milliseconds)s, false);

-- bound_pause --
-- Who is paused in the middle of this would make all others wait: the server ends its session then.
SET LOCAL idle_in_transaction_session_timeout = '5s';

-- lock_shares --
SELECT pg_advisory_xact_lock(%(space)s, 0);

-- be_heard --
INSERT INTO workers (worker, projection, host, process, pinned, events_per_second)
VALUES (%(worker)s, %(projection)s, %(host)s, %(process)s, %(pinned)s, %(events_per_second)s)
ON CONFLICT (worker) DO UPDATE
   SET heard_at = now(), events_per_second = coalesce(excluded.events_per_second, workers.events_per_second);

-- read_peers --
-- One that is silent while its session lives is paused, and as good as dead until it is heard again.
SELECT worker, pinned,
       heard_at > now() - make_interval(secs => %(silent_seconds)s)
       AND EXISTS (SELECT FROM pg_locks
                    WHERE locktype = 'advisory' AND granted AND objsubid = 2
                      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                      AND classid = %(space)s::bigint::oid AND objid = worker::bigint::oid) AS alive
  FROM workers WHERE projection = %(projection)s;

-- read_owners --
SELECT wanted, owner
  FROM log_identity, generate_series(0, partitions - 1) AS wanted
  LEFT JOIN checkpoints ON checkpoints.partition = wanted AND checkpoints.projection = %(projection)s;

-- end_stuck_sessions --
-- Whoever is paused inside a transaction keeps its rows locked. The server waits for its client, and not the other way.
-- Of roles that are not ours the server would refuse it, and their session stays.
SELECT pg_terminate_backend(pid)
  FROM workers
  JOIN pg_locks ON locktype = 'advisory' AND granted AND objsubid = 2
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND classid = %(space)s::bigint::oid AND objid = worker::bigint::oid
  JOIN pg_stat_activity USING (pid)
 WHERE pg_has_role(usesysid, 'MEMBER') AND worker <> %(me)s AND projection = %(projection)s
   AND state <> 'idle' AND wait_event_type = 'Client'
   AND state_change <= now() - make_interval(secs => %(stuck_seconds)s);

-- forget_dead --
-- Rows of those whose session is gone. A paused one stays, so that people can see it.
DELETE FROM workers
 WHERE projection = %(projection)s
   AND NOT EXISTS (SELECT FROM pg_locks
                    WHERE locktype = 'advisory' AND granted AND objsubid = 2
                      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                      AND classid = %(space)s::bigint::oid AND objid = worker::bigint::oid);

-- give --
UPDATE checkpoints SET owner = NULL
 WHERE projection = %(projection)s AND partition = ANY (%(partitions)s) AND owner = %(owner)s;

-- give_all --
UPDATE checkpoints SET owner = NULL WHERE projection = %(projection)s AND owner = %(owner)s;

-- forget --
DELETE FROM workers WHERE worker = %(worker)s;
