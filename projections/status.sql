Queries about how far the tables are, by name.

-- read_workers --
SELECT worker, host, process, pinned, events_per_second,
       extract(epoch FROM now() - heard_at)::double precision AS silent_seconds,
       EXISTS (SELECT FROM pg_locks
                WHERE locktype = 'advisory' AND granted AND objsubid = 2
                  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                  AND classid = %(space)s::bigint::oid AND objid = worker::bigint::oid) AS connected
  FROM workers WHERE projection = %(projection)s ORDER BY worker;

-- read_partitions --
SELECT wanted AS partition, owner, coalesce(next_offset, 0) AS next_offset, coalesce(last_seq, -1) AS last_seq,
       coalesce(last_step, -1) AS step, coalesce(slot, 0) AS slot, coalesce(height, -1) AS height,
       extract(epoch FROM now() - updated_at)::double precision AS unmoved_seconds
  FROM log_identity, generate_series(0, partitions - 1) AS wanted
  LEFT JOIN checkpoints ON checkpoints.partition = wanted AND checkpoints.projection = %(projection)s
 ORDER BY wanted;
