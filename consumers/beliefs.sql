What was believed of a battery and taken back, by name. {known} stands for the span of knowledge that is asked for. What
stands and what was taken back are asked for in halves, one for each partial index of a table.

-- retracted --
-- Events that a rollback took back, the newest rollback first; where the same fact stands now, if it does; and what the
-- tables said of a reading while they believed it. Up to a step: what had been taken back by then.
SELECT past.type, past.fact, past.event_id, past.slot, past.height, past.block, past.time, past.transaction,
       past.known_from_step, past.known_until_step AS taken_back_at_step, believed.known_at AS believed_from,
       undone.known_at AS believed_until, undone.height AS rolled_back_to_height,
       said.soh_bp, said.cycle_count, said.counter, said.rejected,
       judged.ledger, judged.crypto, judged.binding, judged.plausibility,
       stands.event_id AS stands_as, stands.height AS stands_height, stands.slot AS stands_slot,
       stands.known_from_step AS stands_since_step
  FROM events AS past
  LEFT JOIN steps AS believed ON believed.step = past.known_from_step
  LEFT JOIN steps AS undone ON undone.step = past.known_until_step
  LEFT JOIN LATERAL (SELECT soh_bp, cycle_count, counter, rejected FROM readings
                      WHERE battery_key = past.battery_key AND deployment = past.deployment
                        AND event_id = past.event_id AND known_until_step IS NOT NULL
                      ORDER BY known_until_step DESC LIMIT 1) AS said ON true
  LEFT JOIN LATERAL (SELECT ledger, crypto, binding, plausibility FROM verdicts
                      WHERE battery_key = past.battery_key AND deployment = past.deployment
                        AND event_id = past.event_id AND known_until_step IS NOT NULL
                      ORDER BY known_until_step DESC LIMIT 1) AS judged ON true
  LEFT JOIN LATERAL (SELECT event_id, height, slot, known_from_step FROM events
                      WHERE battery_key = past.battery_key AND deployment = past.deployment AND fact = past.fact
                        AND {known} LIMIT 1) AS stands ON true
 WHERE past.battery_key = %(battery_key)s AND past.deployment = %(deployment)s AND past.known_until_step IS NOT NULL
   AND (%(step)s::bigint IS NULL OR past.known_until_step <= %(step)s)
   AND (%(slot)s::bigint IS NULL OR past.slot <= %(slot)s)
 ORDER BY past.known_until_step DESC, past.height DESC, past.transaction_index DESC, past.event_index DESC
 LIMIT %(limit)s;

-- event --
-- One statement of a fact, standing or taken back, as the log has it.
SELECT height, transaction_index, event_index, slot, block, time, fact, event_id, incarnation, type, transaction, body,
       known_from_step, known_until_step
  FROM (SELECT * FROM events
          WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND event_id = %(event_id)s
            AND known_until_step IS NULL
         UNION ALL
         SELECT * FROM events
          WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND event_id = %(event_id)s
            AND known_until_step IS NOT NULL) AS stated
 ORDER BY known_until_step IS NOT NULL, known_from_step DESC LIMIT 1;

-- verdict_of --
-- The last that was said of it.
SELECT fact, rule_set, ledger, crypto, binding, plausibility, ledger_reasons, crypto_reasons, binding_reasons,
       plausibility_reasons, public_key, signed, quarantined, rules_not_assessable, checks
  FROM (SELECT * FROM verdicts
          WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND event_id = %(event_id)s
            AND known_until_step IS NULL
         UNION ALL
         SELECT * FROM verdicts
          WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND event_id = %(event_id)s
            AND known_until_step IS NOT NULL) AS stated
 ORDER BY known_until_step IS NOT NULL, known_from_step DESC LIMIT 1;

-- findings_in --
SELECT DISTINCT ON (rule, number) rule, number, rule_version, rule_set, severity, "values", thresholds
  FROM (SELECT * FROM findings
          WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND event_id = %(event_id)s
            AND known_until_step IS NULL
         UNION ALL
         SELECT * FROM findings
          WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND event_id = %(event_id)s
            AND known_until_step IS NOT NULL) AS stated
 ORDER BY rule, number, known_until_step IS NOT NULL, known_from_step DESC;

-- reading_of --
SELECT * FROM (SELECT * FROM readings
          WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND event_id = %(event_id)s
            AND known_until_step IS NULL
         UNION ALL
         SELECT * FROM readings
          WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND event_id = %(event_id)s
            AND known_until_step IS NOT NULL) AS stated
 ORDER BY known_until_step IS NOT NULL, known_from_step DESC LIMIT 1;
