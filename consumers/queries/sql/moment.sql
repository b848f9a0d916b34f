The relations that queries are written over: what the tables said at one moment. {known} is the span of knowledge. One
with {half} stands for two: versions that still hold, and those that ended later, each found by an index of its own.
{mine} are the batteries that are asked for; {half} holds it. Up to %(until_slot)s and %(until_height)s the chain is
looked at, %(clock_slot)s is where it stood. Those with _bounded are for moments before the chain's end, where a row
that sums up a battery's life says too much.

-- events --
SELECT * FROM events WHERE {half} AND slot <= %(until_slot)s AND height <= %(until_height)s

-- readings --
SELECT * FROM readings WHERE {half} AND slot <= %(until_slot)s AND height <= %(until_height)s

-- verdicts --
SELECT * FROM verdicts WHERE {half} AND slot <= %(until_slot)s AND height <= %(until_height)s

-- findings --
SELECT * FROM findings WHERE {half} AND slot <= %(until_slot)s AND height <= %(until_height)s

-- fleet_findings --
SELECT * FROM fleet_findings WHERE {known} AND slot <= %(until_slot)s AND height <= %(until_height)s

-- passports --
SELECT * FROM passports WHERE {known} AND {mine} AND slot <= %(until_slot)s AND height <= %(until_height)s

-- commitments --
-- An end that came after the moment has not come. Expiry is no event: it follows from where the chain stood.
SELECT deployment, battery_key, fact, transaction, output_index, token_name, user_pkh, claimed_slot, max_age_slots,
       slot, height, block, time, known_from_step,
       CASE WHEN ended THEN status WHEN slot + max_age_slots < %(clock_slot)s THEN 'expired' ELSE 'open' END AS life,
       coalesce(slot + max_age_slots < CASE WHEN ended THEN ended_slot ELSE %(clock_slot)s END
                AND (NOT ended OR status <> 'consumed'), false) AS ran_out,
       CASE WHEN ended THEN ended_how END AS ended_how, CASE WHEN ended THEN ended_fact END AS ended_fact,
       CASE WHEN ended THEN ended_transaction END AS ended_transaction,
       CASE WHEN ended THEN ended_slot END AS ended_slot,
       CASE WHEN ended THEN age_slots END AS age_slots
  FROM (SELECT *, coalesce(ended_slot <= %(until_slot)s AND ended_height <= %(until_height)s, false) AS ended
          FROM commitments
         WHERE {half} AND slot <= %(until_slot)s AND height <= %(until_height)s) AS minted

-- batteries --
SELECT deployment, battery_key,
       coalesce(battery_id_text, encode(battery_id, 'hex'), encode(battery_key, 'hex')) AS battery,
       metadata IS NOT NULL AS has_passport, metadata, bms_public_key, registered_slot
  FROM batteries WHERE {half}

-- batteries_bounded --
SELECT named.deployment, named.battery_key,
       coalesce(battery_id_text, encode(battery_id, 'hex'), encode(battery_key, 'hex')) AS battery,
       passport.metadata IS NOT NULL AS has_passport, passport.metadata, passport.bms_public_key, passport.registered_slot
  FROM (SELECT deployment, battery_key, battery_id, battery_id_text FROM batteries WHERE {known} AND {mine}) AS named
  LEFT JOIN (SELECT DISTINCT ON (deployment, battery_key) deployment, battery_key, metadata, bms_public_key,
                    max(slot) FILTER (WHERE type = 'passport_registered')
                        OVER (PARTITION BY deployment, battery_key) AS registered_slot
               FROM passports WHERE {known} AND {mine} AND slot <= %(until_slot)s AND height <= %(until_height)s
              ORDER BY deployment, battery_key, height DESC, transaction_index DESC, event_index DESC
            ) AS passport USING (deployment, battery_key)

-- spoken --
-- When each battery was last read, with effect.
SELECT deployment, battery_key, last_reading_slot FROM batteries WHERE {half}

-- spoken_bounded --
SELECT deployment, battery_key, max(slot) AS last_reading_slot FROM readings
 WHERE {known} AND {mine} AND slot <= %(until_slot)s AND height <= %(until_height)s AND NOT rejected
   AND NOT account_unproven
 GROUP BY deployment, battery_key

-- fleet --
-- Batteries with what their passports say, each value only if it has the right type: those that are asked for.
SELECT * FROM (
SELECT deployment, battery_key, battery, has_passport, metadata, bms_public_key, registered_slot,
       coalesce(CASE jsonb_typeof(metadata -> 'model') WHEN 'string' THEN metadata ->> 'model' END, '') AS model,
       coalesce(CASE jsonb_typeof(metadata -> 'manufacturer') WHEN 'string' THEN metadata ->> 'manufacturer' END, '')
           AS manufacturer,
       CASE jsonb_typeof(metadata -> 'category') WHEN 'string' THEN lower(metadata ->> 'category') END AS category,
       CASE jsonb_typeof(metadata -> 'soh_kind') WHEN 'string' THEN metadata ->> 'soh_kind' END AS soh_kind,
       CASE jsonb_typeof(metadata -> 'status') WHEN 'string' THEN lower(btrim(metadata ->> 'status')) END AS status
  FROM batteries
 WHERE (%(deployment)s::text IS NULL OR deployment = %(deployment)s)) AS named
 WHERE (%(model)s::text IS NULL OR model = %(model)s)
   AND (%(manufacturer)s::text IS NULL OR manufacturer = %(manufacturer)s)

-- accepted --
-- Readings that took effect, signed and bound, and that no rule put aside: what a judgement of a battery may rest on.
SELECT readings.*, verdicts.plausibility
  FROM readings JOIN verdicts USING (battery_key, deployment, fact)
 WHERE NOT rejected AND NOT readings.account_unproven AND NOT quarantined AND crypto = 'passed' AND binding = 'passed'

-- measured --
-- Of these the ones that a statistic can bear: one battery's lie of 10^300 cycles must not break its model's numbers.
SELECT deployment, battery_key, fact, public_key, slot, height, transaction_index, event_index,
       soh_bp::integer AS soh_bp, cycle_count::integer AS cycle_count
  FROM accepted
 WHERE soh_bp BETWEEN 0 AND 30000 AND cycle_count BETWEEN 0 AND 10000000

-- alerts --
SELECT alert, deployment, encode(battery_key, 'hex') AS subject, battery_key, rule, severity, findings,
       first_slot, first_height, first_time, last_fact, last_slot
  FROM alerts WHERE {half}

-- alerts_bounded --
-- Up to a slot of the past the last finding is no longer the one that somebody closed: what he had judged of is closed.
SELECT alert, deployment, encode(battery_key, 'hex') AS subject, battery_key, rule,
       (array_agg(severity ORDER BY array_position(ARRAY['warning', 'high', 'critical'], severity) DESC))[1]
           AS severity,
       count(*)::integer AS findings, min(slot) AS first_slot, min(height) AS first_height, min(time) AS first_time,
       NULL::bytea AS last_fact, max(slot) AS last_slot
  FROM findings
  JOIN (SELECT DISTINCT deployment, battery_key, rule, alert FROM alerts) AS names USING (deployment, battery_key, rule)
 WHERE {known} AND {mine} AND slot <= %(until_slot)s AND height <= %(until_height)s
   AND severity IN ('warning', 'high', 'critical')
 GROUP BY alert, deployment, battery_key, rule

-- raised --
-- Every alert that stands, those of whole fleets too, with what people had made of it. As the view alert_states does.
SELECT raised.alert, raised.deployment, raised.subject, battery_key, raised.rule, raised.severity, findings, first_slot,
       first_height, first_time, last_slot, who, at, why,
       CASE WHEN act = 'ack' THEN 'acknowledged'
            WHEN act = 'close' AND (last_fact = ANY (facts)
                 OR last_fact IS NULL AND array_position(ARRAY['warning', 'high', 'critical'], raised.severity)
                                       <= array_position(ARRAY['warning', 'high', 'critical'], last.severity))
            THEN 'closed' ELSE 'open' END AS state
  FROM (SELECT * FROM alerts
         UNION ALL
        SELECT alert, deployment, subject, CASE subject_kind WHEN 'battery' THEN decode(subject, 'hex') END, rule,
               (array_agg(severity ORDER BY array_position(ARRAY['warning', 'high', 'critical'], severity) DESC))[1],
               count(*)::integer, min(slot), min(height), min(found_at), NULL, max(slot)
          FROM fleet_findings WHERE severity IN ('warning', 'high', 'critical')
         GROUP BY alert, deployment, subject, subject_kind, rule) AS raised
  LEFT JOIN LATERAL (
       SELECT act, who, at, why, facts, acts.severity FROM acts
        WHERE acts.alert = raised.alert AND act <> 'note' AND at <= %(acts_until)s
        ORDER BY act_number DESC LIMIT 1) AS last ON true

-- retracted --
-- Events that the chain took back by then, whose fact stands nowhere else. Over the table: name it before events.
SELECT * FROM events AS gone
 WHERE known_until_step IS NOT NULL AND known_until_step <= %(step)s AND slot <= %(until_slot)s
   AND NOT EXISTS (SELECT FROM events
                    WHERE events.battery_key = gone.battery_key AND events.deployment = gone.deployment
                      AND events.fact = gone.fact AND known_until_step IS NULL AND known_from_step <= %(step)s)
   AND NOT EXISTS (SELECT FROM events
                    WHERE events.battery_key = gone.battery_key AND events.deployment = gone.deployment
                      AND events.fact = gone.fact AND known_until_step > %(step)s AND known_from_step <= %(step)s)

-- rules --
SELECT * FROM unnest(%(rule_ids)s::text[], %(rule_names)s::text[]) AS rules (rule, name)
