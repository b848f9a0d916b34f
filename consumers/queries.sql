What readers ask, by name. {known} stands for the span of knowledge that is asked for: now, or after a step.

-- find_batteries --
SELECT deployment, encode(battery_key, 'hex') FROM batteries
 WHERE (battery_id = %(battery_id)s OR battery_key = %(battery_key)s) AND {known}
 ORDER BY deployment;

-- battery_names --
SELECT battery_id_text FROM batteries WHERE battery_id_text IS NOT NULL AND {known} LIMIT %(limit)s;

-- battery --
SELECT * FROM batteries WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND {known};

-- checkpoint --
-- Where the partition of a battery stands; of all partitions the one furthest behind, where the battery is new.
SELECT last_step AS step, slot, height, block, final_height, tip_height FROM checkpoints
 WHERE projection = 'timeline'
   AND partition = (SELECT partition FROM states WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s);

-- least_checkpoint --
-- The least over the partitions: what all of them hold.
SELECT last_step AS step, slot, height, block, final_height, tip_height FROM checkpoints
 WHERE projection = 'timeline' ORDER BY last_step, partition LIMIT 1;

-- step --
SELECT step, slot, height, block, final_height, tip_height FROM steps WHERE step = %(step)s;

-- step_known_at --
SELECT step FROM steps WHERE known_at <= %(moment)s ORDER BY known_at DESC, step DESC LIMIT 1;

-- events --
SELECT height, transaction_index, event_index, slot, block, time, fact, event_id, incarnation, type, transaction, body,
       known_from_step
  FROM events WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND {known}
   AND (%(slot)s::bigint IS NULL OR slot <= %(slot)s)
 ORDER BY height, transaction_index, event_index;

-- readings --
SELECT * FROM readings WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND {known};

-- commitments --
SELECT * FROM commitments WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND {known};

-- verdicts --
SELECT fact, rule_set, ledger, crypto, binding, plausibility, ledger_reasons, crypto_reasons, binding_reasons,
       plausibility_reasons, public_key, signed, quarantined, rules_not_assessable, checks
  FROM verdicts WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND {known}
   AND (%(slot)s::bigint IS NULL OR slot <= %(slot)s);

-- findings --
SELECT fact, rule, number, rule_version, rule_set, severity, event_id, transaction, "values", thresholds
  FROM findings WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND {known}
   AND (%(slot)s::bigint IS NULL OR slot <= %(slot)s)
 ORDER BY rule, number;

-- alerts --
-- They sum up everything that was found: up to a slot of the past they have nothing to say.
SELECT * FROM alerts WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND {known}
   AND %(slot)s::bigint IS NULL
 ORDER BY first_height, rule;
