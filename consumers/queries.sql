What readers ask, by name. {known} stands for the span of knowledge that is asked for: now, or after a step. {before}: all,
or what came before an event.

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
-- The newest first. A reading's body is most of what an event takes, so it can be had of the newest lines alone.
SELECT height, transaction_index, event_index, slot, block, time, fact, event_id, incarnation, type, transaction,
       CASE WHEN type NOT IN ('reading_submitted', 'reading_rejected')
                 OR row_number() OVER (ORDER BY height DESC, transaction_index DESC, event_index DESC)
                    <= coalesce(%(bodies)s::bigint, 9223372036854775807)
            THEN body END AS body,
       known_from_step
  FROM events WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND {known}
   AND (%(slot)s::bigint IS NULL OR slot <= %(slot)s)
   AND {before}
 ORDER BY height DESC, transaction_index DESC, event_index DESC LIMIT %(lines)s;

-- count_events --
SELECT count(*) AS events FROM events
 WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND {known}
   AND {before};

-- of_the_operator --
-- Transactions that a reading's age is bounded by: few, and found by an index of their own.
SELECT transaction, slot, type FROM events
 WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND {known}
   AND (%(slot)s::bigint IS NULL OR slot <= %(slot)s)
   AND type IN ('passport_registered', 'passport_updated', 'reporting_account_updated', 'reporting_account_closed');

-- minted_at --
-- The events of commitments that were minted before the lines that are shown.
SELECT fact, body FROM events
 WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND {known}
   AND height = ANY (ARRAY(SELECT height FROM commitments
                            WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND {known}
                              AND fact = ANY (%(answered)b)))
   AND type = 'commitment_minted';

-- course --
-- Of every reading what sums are made of.
SELECT fact, commitment, slot, rejected, account_unproven, public_key, payload_sha256, soh_bp, counter, counter_kind,
       counter_delta, reward_lovelace
  FROM readings WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND {known}
 ORDER BY height, transaction_index, event_index;

-- newest_course --
-- As course, of the newest lines alone, newest first.
SELECT fact, commitment
  FROM readings WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND {known}
   AND {before}
 ORDER BY height DESC, transaction_index DESC, event_index DESC LIMIT %(lines)s;

-- counters --
-- What lives.py counts of a key's readings, the keys in the order in which they first spoke.
SELECT public_key, count(*) AS readings, min(slot) AS first_slot, max(slot) AS last_slot,
       (array_agg(counter ORDER BY height, transaction_index, event_index))[1] AS first_counter,
       (array_agg(counter ORDER BY height, transaction_index, event_index))[count(*)] AS last_counter,
       count(*) FILTER (WHERE counter_kind = 'gap') AS gaps,
       max(counter) - min(counter) + 1 - count(DISTINCT counter) AS missing,
       count(*) FILTER (WHERE counter_kind = 'regress') AS regressions,
       count(*) - count(DISTINCT (counter, payload_sha256)) AS duplicates,
       count(DISTINCT (counter, payload_sha256)) - count(DISTINCT counter) AS equivocations
  FROM readings WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND {known}
   AND counter_kind IS NOT NULL
 GROUP BY public_key
 ORDER BY min(height), (array_agg(transaction_index ORDER BY height, transaction_index, event_index))[1],
       (array_agg(event_index ORDER BY height, transaction_index, event_index))[1];

-- paid --
-- All rewards, and the key of the last reading that took effect.
SELECT coalesce(sum(reward_lovelace), 0)::bigint AS lovelace,
       (SELECT public_key FROM readings WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND {known}
           AND fact = (SELECT last_reading FROM batteries
                        WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND {known})) AS last_key
  FROM readings WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND {known};

-- count_lives --
-- What lives.py says of each commitment's life when the chain has come to a slot.
SELECT life, count(*) AS commitments
  FROM (SELECT CASE WHEN status = 'open' AND %(chain_slot)s::bigint > slot + max_age_slots THEN 'expired' ELSE status END
                 AS life
          FROM commitments WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND {known}) AS lives
 GROUP BY life ORDER BY life;

-- lives --
-- Of every commitment what its life follows from.
SELECT fact, height, status, slot, max_age_slots
  FROM commitments WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND {known};

-- named_keys --
-- The keys that a battery's passports named, in the chain's order.
SELECT encode(bms_public_key, 'hex') AS key, bms_key_alg AS algorithm, slot, time FROM passports
 WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND {known}
   AND (%(slot)s::bigint IS NULL OR slot <= %(slot)s) AND bms_public_key IS NOT NULL
 ORDER BY height, transaction_index, event_index;

-- readings --
-- {of}, here and below: of all lines, or of those that are shown.
SELECT * FROM readings WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND {known} AND {of};

-- commitments --
-- Minted, ended or answered there.
SELECT * FROM commitments WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND {known}
   AND ({of} OR ended_fact = ANY (%(facts)b));

-- count_verdicts --
SELECT ledger, crypto, binding, plausibility, count(*) AS readings
  FROM verdicts WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND {known}
   AND (%(slot)s::bigint IS NULL OR slot <= %(slot)s)
 GROUP BY ledger, crypto, binding, plausibility;

-- verdicts --
-- {checks}: the checks, where they are asked for.
SELECT fact, rule_set, ledger, crypto, binding, plausibility, ledger_reasons, crypto_reasons, binding_reasons,
       plausibility_reasons, public_key, signed, quarantined, rules_not_assessable{checks}
  FROM verdicts WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND {known} AND {of}
   AND (%(slot)s::bigint IS NULL OR slot <= %(slot)s);

-- findings --
SELECT fact, rule, number, rule_version, rule_set, severity, event_id, transaction, "values", thresholds
  FROM findings WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND {known} AND {of}
   AND (%(slot)s::bigint IS NULL OR slot <= %(slot)s)
 ORDER BY rule, number;

-- alerts --
-- They sum up everything that was found: up to a slot of the past they have nothing to say.
SELECT * FROM alerts WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND {known}
   AND %(slot)s::bigint IS NULL
 ORDER BY first_height, rule;
