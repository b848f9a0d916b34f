Queries 16 to 25, by name: the auditor's. Written over the relations of moment.sql. 1 slot is 1 second.

-- evidence --
SELECT deployment, events.height, events.transaction_index, events.event_index, events.slot, events.time, events.block,
       events.transaction, events.type, events.fact, events.event_id, events.incarnation, events.known_from_step,
       CASE WHEN events.height <= %(final_height)s THEN 'final'
            WHEN events.height <= %(confirmed_height)s THEN 'confirmed' ELSE 'pending' END AS finality,
       verdicts.public_key, ledger, crypto, binding, plausibility,
       ledger_reasons || crypto_reasons || binding_reasons || plausibility_reasons AS reasons, verdicts.rule_set,
       found.findings,
       CASE WHEN type IN ('reading_submitted', 'reading_rejected') THEN body_json(events.body) ->> 'cose' END AS cose,
       convert_from(events.body, 'UTF8') AS body
  FROM events
  LEFT JOIN verdicts USING (battery_key, deployment, fact)
  LEFT JOIN LATERAL (
       SELECT array_agg(format('%%s v%%s %%s', rule, rule_version, severity) ORDER BY rule, number) AS findings
         FROM findings WHERE findings.battery_key = events.battery_key AND findings.deployment = events.deployment
          AND findings.fact = events.fact) AS found ON true
 WHERE %(deployment)s::text IS NULL OR deployment = %(deployment)s
 ORDER BY deployment, events.height, events.transaction_index, events.event_index
 LIMIT %(rows)s;

-- known_then --
-- Over the tables' own events, as two moments of knowledge are laid beside each other.
SELECT deployment, events.height, transaction_index, event_index, events.slot, events.time, events.block, transaction,
       type, fact, event_id,
       CASE WHEN held_then AND held_later THEN 'both' WHEN held_then THEN 'only then' ELSE 'only later' END AS standing,
       known_from_step, (SELECT known_at FROM steps WHERE steps.step = known_from_step) AS known_from,
       CASE WHEN known_until_step <= %(compare_with)s THEN known_until_step END AS ended_by_step,
       (SELECT concat_ws('/', ledger, crypto, binding, plausibility) FROM verdicts
         WHERE verdicts.battery_key = events.battery_key AND verdicts.deployment = events.deployment
           AND verdicts.fact = events.fact AND verdicts.event_id = events.event_id AND known_from_step <= %(step)s
           AND (known_until_step IS NULL OR known_until_step > %(step)s)) AS verdicts_then,
       (SELECT concat_ws('/', ledger, crypto, binding, plausibility) FROM verdicts
         WHERE verdicts.battery_key = events.battery_key AND verdicts.deployment = events.deployment
           AND verdicts.fact = events.fact AND verdicts.event_id = events.event_id
           AND known_from_step <= %(compare_with)s
           AND (known_until_step IS NULL OR known_until_step > %(compare_with)s)) AS verdicts_later
  FROM (SELECT *, known_from_step <= %(step)s AND coalesce(known_until_step > %(step)s, true) AS held_then,
               known_from_step <= %(compare_with)s AND coalesce(known_until_step > %(compare_with)s, true) AS held_later
          FROM events
         WHERE battery_key = ANY (%(battery_keys)s) AND (%(deployment)s::text IS NULL OR deployment = %(deployment)s)
           AND (known_until_step IS NULL OR known_until_step IS NOT NULL)
           AND slot <= %(until_slot)s AND height <= %(until_height)s) AS events
 WHERE held_then OR held_later
 ORDER BY deployment, events.height, transaction_index, event_index, known_from_step
 LIMIT %(rows)s;

-- inclusion --
SELECT deployment, battery, chosen.transaction, chosen.transaction_index, chosen.block, chosen.height, chosen.slot,
       chosen.time, %(chain_height)s - chosen.height + 1 AS depth_blocks,
       %(chain_height)s - chosen.height + 1 >= %(least_depth)s AS deep_enough,
       chosen.height <= %(final_height)s AS is_final,
       chosen.fact, chosen.event_id, incarnation, said ->> 'redeemer' AS redeemer, said ->> 'cose' AS cose,
       sha256(decode(said ->> 'cose', 'hex')) AS cose_sha256, said -> 'decoded' ->> 'payload' AS payload,
       payload_sha256,
       sha256(decode(said -> 'decoded' ->> 'payload', 'hex')) = payload_sha256 AS payload_unaltered,
       said -> 'decoded' ->> 'signature' AS signature, verdicts.public_key, verdicts.crypto, challenge, counter
  FROM (SELECT * FROM readings
         WHERE (%(deployment)s::text IS NULL OR deployment = %(deployment)s)
           AND CASE WHEN %(reading)s::bytea IS NULL THEN NOT rejected AND NOT account_unproven
                    ELSE %(reading)s::bytea IN (fact, transaction, event_id) END
         ORDER BY height DESC, transaction_index DESC, event_index DESC
         LIMIT CASE WHEN %(reading)s::bytea IS NULL THEN 1 ELSE %(rows)s END) AS chosen
  JOIN (SELECT deployment, battery_key, fact, incarnation,
               body_json(body) AS said
          FROM events WHERE type IN ('reading_submitted', 'reading_rejected')) AS stated
       USING (battery_key, deployment, fact)
  JOIN fleet USING (battery_key, deployment)
  LEFT JOIN verdicts USING (battery_key, deployment, fact)
 ORDER BY deployment, chosen.height DESC, chosen.transaction_index DESC, chosen.event_index DESC
 LIMIT %(rows)s;

-- freshness --
SELECT chosen.deployment, battery, chosen.transaction, chosen.slot, chosen.time,
       encode(minted.transaction, 'hex') || '#' || minted.output_index AS commitment_output,
       minted.slot AS commitment_slot, minted.user_pkh AS submitter,
       minted.claimed_slot, minted.slot - minted.claimed_slot AS claimed_drift, chosen.commitment_age_slots AS age,
       minted.max_age_slots AS max_age, chosen.commitment_age_slots <= minted.max_age_slots AS in_time,
       chosen.challenge_answers, chosen.slot - newest.slot AS age_at_most, newest.slot AS bound_slot,
       newest.transaction AS bound_transaction, chosen.slot - minted.slot AS age_at_most_if_not_precomputed,
       verdicts.binding, verdicts.binding_reasons
  FROM (SELECT * FROM readings
         WHERE (%(deployment)s::text IS NULL OR deployment = %(deployment)s)
           AND CASE WHEN %(reading)s::bytea IS NULL THEN NOT rejected AND NOT account_unproven
                    ELSE %(reading)s::bytea IN (fact, transaction, event_id) END
         ORDER BY height DESC, transaction_index DESC, event_index DESC
         LIMIT CASE WHEN %(reading)s::bytea IS NULL THEN 1 ELSE %(rows)s END) AS chosen
  JOIN fleet ON fleet.battery_key = chosen.battery_key AND fleet.deployment = chosen.deployment
  LEFT JOIN verdicts ON verdicts.battery_key = chosen.battery_key AND verdicts.deployment = chosen.deployment
       AND verdicts.fact = chosen.fact
  LEFT JOIN commitments AS minted ON minted.battery_key = chosen.battery_key AND minted.deployment = chosen.deployment
       AND minted.fact = chosen.commitment
  LEFT JOIN LATERAL (
       SELECT body_json(body) AS said
         FROM events WHERE events.battery_key = chosen.battery_key AND events.deployment = chosen.deployment
          AND events.fact = chosen.commitment) AS stated ON true
  LEFT JOIN LATERAL (
       SELECT made.slot, made.transaction
         FROM events AS made
        WHERE made.battery_key = chosen.battery_key AND made.deployment = chosen.deployment
          AND made.type IN ('passport_registered', 'passport_updated', 'reporting_account_updated',
                            'reporting_account_closed')
          AND encode(made.transaction, 'hex') IN (
              SELECT spent ->> 'transaction'
                FROM jsonb_array_elements(coalesce(said -> 'inputs', '[]') || coalesce(said -> 'references', '[]'))
                     AS spent)
        ORDER BY made.height DESC, made.transaction_index DESC LIMIT 1) AS newest ON true
 ORDER BY chosen.deployment, chosen.height DESC, chosen.transaction_index DESC, chosen.event_index DESC
 LIMIT %(rows)s;

-- passport_against_readings --
SELECT deployment, manufacturer, model, battery, battery_key, last.slot, last.time,
       passport_soh_bp / 100 AS passport_soh, last.soh_bp / 100 AS reading_soh,
       (last.soh_bp - passport_soh_bp) / 100 AS difference, passport_cycles, last.cycle_count AS reading_cycles,
       nominal_mah AS passport_capacity, last.full_charge_capacity_mah AS reading_capacity,
       round(100 - 100.0 * last.full_charge_capacity_mah / nominal_mah, 2) AS capacity_fade,
       abs(last.soh_bp - passport_soh_bp) <= 100 * %(tolerance)s::numeric AS matches, last.transaction
  FROM (SELECT DISTINCT ON (deployment, battery_key) accepted.* FROM accepted JOIN fleet USING (battery_key, deployment)
         ORDER BY deployment, battery_key, accepted.height DESC, transaction_index DESC, event_index DESC) AS last
  JOIN (SELECT *,
               CASE jsonb_typeof(metadata -> 'soh_bp') WHEN 'number' THEN (metadata ->> 'soh_bp')::numeric END
                   AS passport_soh_bp,
               CASE jsonb_typeof(metadata -> 'cycle_count') WHEN 'number' THEN (metadata ->> 'cycle_count')::numeric END
                   AS passport_cycles,
               CASE jsonb_typeof(metadata -> 'nominal_capacity_mah') WHEN 'number'
                   THEN nullif(greatest((metadata ->> 'nominal_capacity_mah')::numeric, 0), 0) END AS nominal_mah
          FROM fleet WHERE has_passport) AS stated USING (battery_key, deployment)
 WHERE NOT %(only_differing)s::boolean OR abs(last.soh_bp - passport_soh_bp) > 100 * %(tolerance)s::numeric
 ORDER BY abs(last.soh_bp - passport_soh_bp) DESC NULLS LAST, battery, deployment
 LIMIT %(rows)s;

-- key_epochs --
WITH changes AS (
    SELECT deployment, battery_key, bms_public_key AS public_key, slot, time, transaction, height,
           lag(bms_public_key) OVER (PARTITION BY deployment, battery_key
                                     ORDER BY height, transaction_index, event_index) AS public_key_before,
           row_number() OVER (PARTITION BY deployment, battery_key
                              ORDER BY height, transaction_index, event_index) AS number
      FROM passports
), epochs AS (
    SELECT *, lead(slot) OVER own AS until_slot, row_number() OVER own AS epoch,
           count(*) OVER (PARTITION BY deployment, battery_key) AS epochs
      FROM changes WHERE number = 1 OR public_key IS DISTINCT FROM public_key_before
    WINDOW own AS (PARTITION BY deployment, battery_key ORDER BY number)
)
SELECT deployment, manufacturer, model, battery, battery_key, epoch, public_key, epochs.slot AS from_slot, until_slot,
       epochs.time, epochs.transaction, readings, other_readings, first_counter, last_counter
  FROM epochs JOIN fleet USING (battery_key, deployment)
 CROSS JOIN LATERAL (
       SELECT count(*) FILTER (WHERE readings.public_key = epochs.public_key) AS readings,
              count(*) FILTER (WHERE readings.public_key IS DISTINCT FROM epochs.public_key) AS other_readings,
              (array_agg(counter ORDER BY height, transaction_index, event_index)
                   FILTER (WHERE readings.public_key = epochs.public_key))[1] AS first_counter,
              (array_agg(counter ORDER BY height DESC, transaction_index DESC, event_index DESC)
                   FILTER (WHERE readings.public_key = epochs.public_key))[1] AS last_counter
         FROM readings
        WHERE readings.battery_key = epochs.battery_key AND readings.deployment = epochs.deployment AND NOT rejected
          AND NOT account_unproven AND readings.slot >= epochs.slot
          AND (epochs.until_slot IS NULL OR readings.slot < epochs.until_slot)) AS spoken
 WHERE epochs > 1 OR NOT %(changed_only)s::boolean
 ORDER BY deployment, battery, battery_key, epoch
 LIMIT %(rows)s;

-- accepted_implausible --
SELECT deployment, manufacturer, model, battery, battery_key, findings.slot, findings.time, findings.transaction, rule,
       rules.name, rule_version, findings.rule_set, findings.severity, findings."values", findings.thresholds,
       verdicts.plausibility, raised.alert, state, who, why, at
  FROM findings
  JOIN readings USING (battery_key, deployment, fact)
  JOIN fleet USING (battery_key, deployment)
  JOIN verdicts USING (battery_key, deployment, fact)
  LEFT JOIN rules USING (rule)
  LEFT JOIN raised USING (battery_key, deployment, rule)
 WHERE NOT rejected AND findings.severity IN ('warning', 'quarantine', 'high', 'critical')
   AND (%(rule)s::text IS NULL OR rule = %(rule)s)
   AND (%(rule_version)s::bigint IS NULL OR rule_version = %(rule_version)s)
   AND (%(rule_set)s::bigint IS NULL OR findings.rule_set = %(rule_set)s)
   AND (%(state)s = 'all' OR state = %(state)s)
 ORDER BY findings.slot DESC, battery, deployment, rule, number, findings.fact
 LIMIT %(rows)s;

-- rewards --
SELECT to_char(readings.time, 'YYYY-MM') AS month, readings.deployment, manufacturer, minted.user_pkh AS submitter,
       count(*) AS readings, count(DISTINCT readings.battery_key) AS batteries, sum(reward_lovelace) AS paid,
       sum((checks -> 'reward' -> 'inputs' ->> 'reward_per_read')::numeric) AS promised,
       count(*) FILTER (WHERE checks -> 'reward' ->> 'result' = 'failed') AS not_as_promised,
       count(*) FILTER (WHERE checks -> 'account_kept' ->> 'result' = 'failed') AS accounts_changed,
       count(*) FILTER (WHERE reward_lovelace IS NULL) AS not_assessable
  FROM readings
  JOIN fleet USING (battery_key, deployment)
  LEFT JOIN verdicts USING (battery_key, deployment, fact)
  LEFT JOIN commitments AS minted ON minted.battery_key = readings.battery_key
       AND minted.deployment = readings.deployment AND minted.fact = readings.commitment
 WHERE NOT rejected AND NOT account_unproven
 GROUP BY month, readings.deployment, manufacturer, minted.user_pkh
 ORDER BY month, readings.deployment, manufacturer, submitter
 LIMIT %(rows)s;

-- after_the_end --
WITH stated AS (
    SELECT deployment, battery_key, slot, time, transaction, height, transaction_index, event_index,
           CASE jsonb_typeof(metadata -> 'status') WHEN 'string' THEN lower(btrim(metadata ->> 'status')) END AS status
      FROM passports
), changes AS (
    SELECT *, lag(status) OVER own AS status_before
      FROM stated WINDOW own AS (PARTITION BY deployment, battery_key ORDER BY height, transaction_index, event_index)
)
SELECT deployment, manufacturer, model, battery, battery_key, status_before, changes.status, changes.slot, changes.time,
       changes.transaction, readings_after, first_after_slot, last_after_slot, readings_after > 0 AS went_on
  FROM changes JOIN fleet USING (battery_key, deployment)
 CROSS JOIN LATERAL (
       SELECT count(*) AS readings_after, min(readings.slot) AS first_after_slot, max(readings.slot) AS last_after_slot
         FROM readings
        WHERE readings.battery_key = changes.battery_key AND readings.deployment = changes.deployment AND NOT rejected
          AND NOT account_unproven
          AND (readings.height, readings.transaction_index) > (changes.height, changes.transaction_index)) AS after
 WHERE changes.status IS DISTINCT FROM status_before AND changes.status IN ('repurposed', 're-used', 'remanufactured',
       'waste', 'recycled') AND (%(status)s = 'all' OR changes.status = %(status)s)
 ORDER BY readings_after DESC, changes.slot, battery, deployment
 LIMIT %(rows)s;

-- completeness --
WITH since AS (
    SELECT CASE WHEN %(days)s::bigint = 0 THEN -1 ELSE %(clock_slot)s - %(days)s::bigint * 86400 END AS slot
), lost AS (
    SELECT 'quarantined transaction' AS kind, said ->> 'reason' AS reason, slot, height
      FROM (SELECT slot, height,
                   body_json(body) AS said
              FROM events WHERE type = 'transaction_quarantined') AS quarantined
     UNION ALL SELECT 'unreadable reading', unreadable, slot, height FROM readings WHERE unreadable IS NOT NULL
     UNION ALL SELECT 'reading not as the protocol says', departure, slot, height
                 FROM readings CROSS JOIN LATERAL unnest(departures) AS departure
     UNION ALL SELECT 'reading refused by the chain', 'scripts_failed', slot, height FROM readings WHERE rejected
     UNION ALL SELECT 'reading put aside by a rule', 'quarantined', slot, height FROM verdicts WHERE quarantined
     UNION ALL SELECT 'event taken back by the chain', type, slot, height FROM retracted
     UNION ALL SELECT 'parked event', coalesce(reason, 'waits behind a parked one'), slot, height FROM parked
                WHERE step <= %(step)s AND slot <= %(until_slot)s AND height <= %(until_height)s
                  AND (ended_how IS NULL OR ended_at > %(acts_until)s)
)
SELECT kind, reason, count(*) AS count, min(lost.slot) AS first_slot, max(lost.slot) AS last_slot,
       min(height) AS first_height, max(height) AS last_height
  FROM lost, since WHERE lost.slot > since.slot
 GROUP BY kind, reason
 UNION ALL
SELECT 'blocks seen', CASE WHEN whole THEN 'since the log began' ELSE 'since the first step' END,
       %(chain_height)s - began.height, began.slot, stands.slot, began.height + 1, %(chain_height)s
  FROM (SELECT slot, height, kind = 'opened' AS whole FROM steps
         WHERE step <= %(step)s AND (kind <> 'opened' OR height >= 0 OR slot = 0) ORDER BY step LIMIT 1) AS began,
       (SELECT slot FROM steps WHERE step = %(step)s) AS stands
 UNION ALL
SELECT 'step missing', 'a gap in the tables', max(step) - min(step) + 1 - count(*), min(slot), max(slot), min(height),
       max(height) FROM steps WHERE step <= %(step)s
 UNION ALL
SELECT 'rollback', 'the node took another branch', count(*), min(slot), max(slot), min(height), max(height)
  FROM steps WHERE step <= %(step)s AND kind = 'rollback'
 ORDER BY kind, count DESC, reason
 LIMIT %(rows)s;
