Queries about parked events, by name.

-- read_parked_ids --
SELECT encode(battery_key, 'hex'), deployment, encode(event_id, 'hex')
  FROM unnest(%(battery_key)s::bytea[], %(deployment)s::text[]) AS wanted (battery_key, deployment)
  JOIN parked USING (battery_key, deployment)
 WHERE ended_how IS NULL;

-- park --
INSERT INTO parked (partition, seq, battery_key, deployment, event_id, type, step, slot, height, reason, record)
VALUES (%(partition)s, %(seq)s, %(battery_key)s, %(deployment)s, %(event_id)s, %(type)s, %(step)s, %(slot)s, %(height)s,
        %(reason)s, %(record)s);

-- end_parked --
UPDATE parked SET ended_how = %(how)s, ended_at = now()
 WHERE partition = %(partition)s AND event_id = ANY (%(event_id)s) AND ended_how IS NULL;

-- tell_reason --
UPDATE parked SET reason = %(reason)s WHERE partition = %(partition)s AND event_id = %(event_id)s AND ended_how IS NULL;

-- parked_totals --
SELECT count(*), coalesce(extract(epoch FROM now() - min(parked_at)), 0)::double precision
  FROM parked WHERE ended_how IS NULL;

-- list_parked --
-- A battery a row: what stops it, and how much waits behind.
SELECT encode(battery_key, 'hex') AS battery_key, deployment, partition, count(*) AS events, min(step) AS since_step,
       min(slot) AS since_slot, min(parked_at) AS since,
       (array_agg(type ORDER BY seq) FILTER (WHERE reason IS NOT NULL))[1] AS type,
       (array_agg(reason ORDER BY seq) FILTER (WHERE reason IS NOT NULL))[1] AS reason
  FROM parked WHERE ended_how IS NULL
 GROUP BY battery_key, deployment, partition ORDER BY min(parked_at), battery_key;

-- read_parked --
SELECT seq, encode(event_id, 'hex') AS event_id, type, step, slot, height, reason, parked_at, record, partition
  FROM parked
 WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND ended_how IS NULL
 ORDER BY seq;

-- hold_checkpoint --
-- Whoever projects the partition waits until this transaction ends, and then finds what it wrote.
SELECT FROM checkpoints WHERE projection = %(projection)s AND partition = %(partition)s FOR UPDATE;
