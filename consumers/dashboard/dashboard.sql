What the dashboard asks beside what the other consumers do, by name.

-- mark --
-- The partition furthest behind, the age of the oldest checkpoint, and who is at work.
SELECT last_step AS step, slot, height, encode(block, 'hex') AS block, final_height, tip_height,
       (SELECT extract(epoch FROM clock_timestamp() - min(updated_at))::double precision FROM checkpoints
         WHERE projection = 'timeline') AS age_seconds,
       (SELECT count(*) FROM workers WHERE heard_at > now() - interval '60 seconds') AS workers,
       (SELECT count(*) FROM parked WHERE ended_how IS NULL) AS parked_events
  FROM checkpoints WHERE projection = 'timeline' ORDER BY last_step, partition LIMIT 1;

-- holds_at_step --
SELECT step, slot, height, encode(block, 'hex') AS block, final_height, tip_height FROM steps WHERE step = %(step)s;

-- news_steps --
-- Steps that came since one, oldest first.
SELECT step, kind, slot, height, encode(block, 'hex') AS block, final_height, tip_height, known_at
  FROM steps WHERE step > %(after)s AND step <= %(until)s ORDER BY step LIMIT %(limit)s;

-- news_alerts --
-- Alerts that began or ended in these steps.
SELECT encode(alert, 'hex') AS alert, rule, severity, deployment, encode(battery_key, 'hex') AS battery_key,
       known_from_step AS step, 'raised' AS what
  FROM alerts WHERE known_from_step > %(after)s AND known_from_step <= %(until)s
   AND known_until_step IS NULL
   AND NOT EXISTS (SELECT FROM alerts AS before WHERE before.alert = alerts.alert
                      AND before.known_until_step IS NOT NULL AND before.known_until_step = alerts.known_from_step)
UNION ALL
SELECT encode(alert, 'hex'), rule, severity, deployment, encode(battery_key, 'hex'), known_until_step, 'withdrawn'
  FROM alerts WHERE known_until_step > %(after)s AND known_until_step <= %(until)s
   AND NOT EXISTS (SELECT FROM alerts AS now WHERE now.alert = alerts.alert AND now.known_until_step IS NULL)
 LIMIT %(limit)s;

-- list_steps --
-- Newest first.
SELECT step, kind, slot, height, block, final_height, tip_height, known_at FROM steps
 WHERE (%(kind)s::text IS NULL OR kind = %(kind)s) AND (%(before)s::bigint IS NULL OR step < %(before)s)
 ORDER BY step DESC LIMIT %(limit)s;

-- identity --
SELECT digest, network, network_magic, deployments, partitions, fold_version, judged_by FROM log_identity;

-- partitions --
SELECT partition, owner, last_step AS step, slot, height, tip_height, final_height,
       extract(epoch FROM clock_timestamp() - updated_at)::double precision AS unmoved_seconds
  FROM checkpoints WHERE projection = 'timeline' ORDER BY partition;

-- workers --
SELECT worker, host, process, pinned, events_per_second, started_at,
       extract(epoch FROM clock_timestamp() - heard_at)::double precision AS silent_seconds
  FROM workers ORDER BY worker;

-- rollbacks --
-- Newest first, each with the height that the step before it had come to.
SELECT step, slot, height, encode(block, 'hex') AS block, known_at,
       (SELECT height FROM steps AS before WHERE before.step < steps.step ORDER BY before.step DESC LIMIT 1) - height
         AS depth_blocks
  FROM steps WHERE kind = 'rollback' ORDER BY step DESC LIMIT %(limit)s;

-- rollback_totals --
SELECT count(*) AS rollbacks, max(before.height - steps.height)::bigint AS deepest_blocks
  FROM steps
  LEFT JOIN LATERAL (SELECT height FROM steps AS earlier WHERE earlier.step < steps.step
                      ORDER BY earlier.step DESC LIMIT 1) AS before ON true
 WHERE kind = 'rollback';

-- parked --
SELECT encode(battery_key, 'hex') AS battery_key, deployment, count(*) AS events, min(step) AS since_step,
       min(parked_at) AS since,
       (array_agg(reason ORDER BY seq) FILTER (WHERE reason IS NOT NULL))[1] AS reason
  FROM parked WHERE ended_how IS NULL
 GROUP BY battery_key, deployment ORDER BY min(parked_at), battery_key LIMIT %(limit)s;

-- quarantined --
-- Transactions that touch a deployment and can't be read as the protocol says, by reason. Codes are in snake case.
SELECT coalesce(substring(convert_from(body, 'UTF8') FROM '"reason":"([a-z0-9_]+)"'), 'other') AS reason,
       count(*) AS events, max(slot) AS last_slot, max(time) AS last_time
  FROM events WHERE type = 'transaction_quarantined' AND known_until_step IS NULL
 GROUP BY 1 ORDER BY 2 DESC LIMIT %(limit)s;

-- new_tables --
-- Whether a rebuild has tables beside these that a reader may look at, and whether a process is at work on them.
SELECT to_regclass('cellwitness_next.checkpoints') IS NOT NULL
       AND has_table_privilege(to_regclass('cellwitness_next.checkpoints'), 'SELECT')
       AND has_table_privilege(to_regclass('cellwitness_next.workers'), 'SELECT') AS there,
       EXISTS (SELECT FROM pg_locks
                WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND objid = 0
                  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                  AND classid = %(space)s::bigint::oid) AS at_work;

-- rebuild_progress --
-- By records of the log: a rebuild has as many to go as the tables in use hold beyond its own.
SELECT coalesce(sum(next.last_seq + 1), 0)::bigint AS done_records,
       coalesce(sum(greatest(live.last_seq, coalesce(next.last_seq, -1)) + 1), 0)::bigint AS all_records,
       coalesce(min(coalesce(next.last_step, -1)), -1) AS step,
       (SELECT sum(events_per_second) FROM cellwitness_next.workers
         WHERE heard_at > now() - interval '60 seconds') AS records_per_second,
       (SELECT extract(epoch FROM clock_timestamp() - min(started_at))::double precision
          FROM cellwitness_next.workers) AS running_seconds
  FROM checkpoints AS live LEFT JOIN cellwitness_next.checkpoints AS next USING (projection, partition)
 WHERE projection = 'timeline';

-- rebuilds --
SELECT began_at, ended_at, extract(epoch FROM ended_at - began_at)::double precision AS seconds, outcome, equal, step,
       records
  FROM cellwitness_people.rebuilds ORDER BY ended_at DESC LIMIT 5;

-- fleet_runs --
SELECT step, ran_at, seconds, findings FROM fleet_runs ORDER BY ran_at DESC LIMIT 5;
