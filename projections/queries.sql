Queries of the worker, by name. Names are unqualified: the connection's search path says which schema is meant.

-- read_identity --
SELECT digest, network, network_magic, deployments, partitions, fold_version, judged_by FROM log_identity;

-- write_identity --
-- Does nothing where a log is bound already: read_identity then says which.
INSERT INTO log_identity (digest, network, network_magic, deployments, partitions, fold_version, judged_by)
VALUES (%(digest)s, %(network)s, %(network_magic)s, %(deployments)s, %(partitions)s, %(fold_version)s, %(judged_by)s)
ON CONFLICT DO NOTHING;

-- read_columns --
-- The columns of tables and their types, so that COPY can be told them. The standard's view takes ten times as long.
SELECT relname, attname, typname
  FROM pg_namespace
  JOIN pg_class ON relnamespace = pg_namespace.oid
  JOIN pg_attribute ON attrelid = pg_class.oid
  JOIN pg_type ON pg_type.oid = atttypid
 WHERE nspname = current_schema() AND relname = ANY (%(tables)s) AND attnum > 0 AND NOT attisdropped;

-- take_partitions --
-- Raises the owner's epoch, so that whoever held the partitions before can't move their checkpoints any more.
-- Waits for a transaction under way, then reads what it left.
INSERT INTO checkpoints (projection, partition, owner_epoch, owner)
SELECT %(projection)s, wanted, 1, %(owner)s FROM unnest(%(partitions)s::integer[]) AS wanted ORDER BY wanted
ON CONFLICT (projection, partition) DO UPDATE SET owner_epoch = checkpoints.owner_epoch + 1, owner = excluded.owner
RETURNING partition, next_offset, last_seq, last_step, owner_epoch;

-- make_checkpoints --
INSERT INTO checkpoints (projection, partition)
SELECT %(projection)s, wanted FROM unnest(%(partitions)s::integer[]) AS wanted ORDER BY wanted
ON CONFLICT (projection, partition) DO NOTHING;

-- take_free_partitions --
-- As take_partitions, of partitions that nobody holds. One that is locked has a transaction under way: not yet.
UPDATE checkpoints SET owner_epoch = checkpoints.owner_epoch + 1, owner = %(owner)s
  FROM (SELECT partition FROM checkpoints
         WHERE projection = %(projection)s AND partition = ANY (%(partitions)s)
           FOR UPDATE SKIP LOCKED) AS free
 WHERE projection = %(projection)s AND checkpoints.partition = free.partition
RETURNING checkpoints.partition, next_offset, last_seq, last_step, owner_epoch;

-- retake_partitions --
-- Only what is still ours. Waits for a transaction of our own that the server may still be at work on.
UPDATE checkpoints SET owner_epoch = checkpoints.owner_epoch + 1, owner = %(owner)s
  FROM unnest(%(partition)s::integer[], %(owner_epoch)s::bigint[]) AS ours (partition, owner_epoch)
 WHERE projection = %(projection)s
   AND checkpoints.partition = ours.partition AND checkpoints.owner_epoch = ours.owner_epoch
RETURNING checkpoints.partition, next_offset, last_seq, last_step, checkpoints.owner_epoch;

-- hold_checkpoints --
-- Locks the checkpoints that a batch begins from: until it ends nobody takes them. One that another worker took is not
-- among the returned.
SELECT checkpoints.partition
  FROM checkpoints
  JOIN unnest(%(partition)s::integer[], %(owner_epoch)s::bigint[], %(next_offset)s::bigint[])
       AS ours (partition, owner_epoch, next_offset) USING (partition, owner_epoch, next_offset)
 WHERE checkpoints.projection = %(projection)s
 ORDER BY checkpoints.partition
   FOR UPDATE OF checkpoints;

-- advance_checkpoints --
-- Moves each partition past its batch; one that another worker took is not among the returned.
UPDATE checkpoints
   SET next_offset = moved.next_offset, last_seq = moved.last_seq, last_step = moved.last_step,
       slot = coalesce(moved.slot, checkpoints.slot),
       height = coalesce(moved.height, checkpoints.height),
       block = coalesce(moved.block, checkpoints.block),
       final_height = coalesce(moved.final_height, checkpoints.final_height),
       tip_height = coalesce(moved.tip_height, checkpoints.tip_height),
       updated_at = now()
  FROM unnest(%(partition)s::integer[], %(owner_epoch)s::bigint[], %(offset)s::bigint[], %(next_offset)s::bigint[],
              %(last_seq)s::bigint[], %(last_step)s::bigint[], %(slot)s::bigint[], %(height)s::bigint[],
              %(block)s::bytea[], %(final_height)s::bigint[], %(tip_height)s::bigint[])
       AS moved (partition, owner_epoch, "offset", next_offset, last_seq, last_step, slot, height, block,
                 final_height, tip_height)
 WHERE checkpoints.projection = %(projection)s
   AND checkpoints.partition = moved.partition
   AND checkpoints.owner_epoch = moved.owner_epoch
   AND checkpoints.next_offset = moved."offset"
RETURNING checkpoints.partition;

-- read_states --
SELECT encode(battery_key, 'hex'), deployment, state
  FROM unnest(%(battery_key)s::bytea[], %(deployment)s::text[]) AS wanted (battery_key, deployment)
  JOIN states USING (battery_key, deployment);

-- write_states --
INSERT INTO states (battery_key, deployment, partition, state)
SELECT * FROM unnest(%(battery_key)s::bytea[], %(deployment)s::text[], %(partition)s::integer[], %(state)s::bytea[])
ON CONFLICT (battery_key, deployment) DO UPDATE SET state = excluded.state;

-- read_live_events --
-- All that now holds of some batteries, each battery's in the chain's order.
SELECT encode(battery_key, 'hex'), deployment, body, encode(fact, 'hex'), encode(event_id, 'hex'),
       slot, height, encode(block, 'hex'), time
  FROM unnest(%(battery_key)s::bytea[], %(deployment)s::text[]) AS wanted (battery_key, deployment)
  JOIN events USING (battery_key, deployment)
 WHERE known_until_step IS NULL
 ORDER BY battery_key, deployment, height, transaction_index, event_index;

-- write_steps --
INSERT INTO steps (step, kind, slot, height, block, final_height, tip_height)
SELECT * FROM unnest(%(step)s::bigint[], %(kind)s::text[], %(slot)s::bigint[], %(height)s::bigint[], %(block)s::bytea[],
                     %(final_height)s::bigint[], %(tip_height)s::bigint[])
ON CONFLICT (step) DO NOTHING;

-- close_events --
UPDATE events SET known_until_step = ended.step
  FROM unnest(%(battery_key)s::bytea[], %(deployment)s::text[], %(height)s::bigint[], %(transaction_index)s::integer[],
              %(event_index)s::integer[], %(step)s::bigint[])
       AS ended (battery_key, deployment, height, transaction_index, event_index, step)
 WHERE events.battery_key = ended.battery_key AND events.deployment = ended.deployment
   AND events.height = ended.height AND events.transaction_index = ended.transaction_index
   AND events.event_index = ended.event_index AND known_until_step IS NULL;

-- close_batteries --
UPDATE batteries SET known_until_step = ended.step
  FROM unnest(%(battery_key)s::bytea[], %(deployment)s::text[], %(step)s::bigint[])
       AS ended (battery_key, deployment, step)
 WHERE batteries.battery_key = ended.battery_key AND batteries.deployment = ended.deployment
   AND known_until_step IS NULL;

-- close_commitments --
UPDATE commitments SET known_until_step = ended.step
  FROM unnest(%(battery_key)s::bytea[], %(deployment)s::text[], %(fact)s::bytea[], %(step)s::bigint[])
       AS ended (battery_key, deployment, fact, step)
 WHERE commitments.battery_key = ended.battery_key AND commitments.deployment = ended.deployment
   AND commitments.fact = ended.fact AND known_until_step IS NULL;

-- close_readings --
UPDATE readings SET known_until_step = ended.step
  FROM unnest(%(battery_key)s::bytea[], %(deployment)s::text[], %(fact)s::bytea[], %(step)s::bigint[])
       AS ended (battery_key, deployment, fact, step)
 WHERE readings.battery_key = ended.battery_key AND readings.deployment = ended.deployment
   AND readings.fact = ended.fact AND known_until_step IS NULL;

-- close_verdicts --
UPDATE verdicts SET known_until_step = ended.step
  FROM unnest(%(battery_key)s::bytea[], %(deployment)s::text[], %(fact)s::bytea[], %(step)s::bigint[])
       AS ended (battery_key, deployment, fact, step)
 WHERE verdicts.battery_key = ended.battery_key AND verdicts.deployment = ended.deployment
   AND verdicts.fact = ended.fact AND known_until_step IS NULL;

-- close_findings --
UPDATE findings SET known_until_step = ended.step
  FROM unnest(%(battery_key)s::bytea[], %(deployment)s::text[], %(fact)s::bytea[], %(rule)s::text[],
              %(number)s::integer[], %(step)s::bigint[])
       AS ended (battery_key, deployment, fact, rule, number, step)
 WHERE findings.battery_key = ended.battery_key AND findings.deployment = ended.deployment
   AND findings.fact = ended.fact AND findings.rule = ended.rule AND findings.number = ended.number
   AND known_until_step IS NULL;

-- close_alerts --
UPDATE alerts SET known_until_step = ended.step
  FROM unnest(%(battery_key)s::bytea[], %(deployment)s::text[], %(rule)s::text[], %(step)s::bigint[])
       AS ended (battery_key, deployment, rule, step)
 WHERE alerts.battery_key = ended.battery_key AND alerts.deployment = ended.deployment
   AND alerts.rule = ended.rule AND known_until_step IS NULL;

-- forget_counts --
-- Before anything is written into steps of the past: what a fleet's rows said then can't be told any more.
DELETE FROM fleet_counted;

-- consistent_step --
-- A partition that nobody ever took counts as not projected.
SELECT CASE WHEN count(*) < (SELECT partitions FROM log_identity) THEN -1 ELSE coalesce(min(last_step), -1) END
  FROM checkpoints WHERE projection = %(projection)s;
