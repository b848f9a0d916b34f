What people ask about alerts, and what they do about them, by name.

-- list_alerts --
-- Those that stand, the gravest first, then the newest.
SELECT encode(alert, 'hex') AS alert, deployment, subject, subject_kind, rule, severity, findings, state, last_act, who,
       at, why, first_slot, first_height, first_time, last_slot, last_height, last_time,
       (SELECT battery_id_text FROM batteries WHERE batteries.battery_key = alert_states.battery_key
           AND batteries.deployment = alert_states.deployment AND known_until_step IS NULL) AS battery_id_text
  FROM alert_states
 WHERE (%(states)s::text[] IS NULL OR state = ANY (%(states)s))
   AND (%(severities)s::text[] IS NULL OR severity = ANY (%(severities)s))
   AND (%(deployment)s::text IS NULL OR deployment = %(deployment)s)
   AND (%(battery_keys)s::bytea[] IS NULL OR battery_key = ANY (%(battery_keys)s))
   AND (%(rule)s::text IS NULL OR rule = %(rule)s)
   AND (%(low)s::bytea IS NULL OR alert BETWEEN %(low)s AND %(high)s)
   AND (%(search)s::text IS NULL OR rule = ANY (%(search_rules)s) OR starts_with(encode(alert, 'hex'), %(search)s)
        OR starts_with(subject, %(search)s)
        OR (alert_states.battery_key, alert_states.deployment) IN (SELECT battery_key, deployment FROM batteries
             WHERE known_until_step IS NULL AND position(%(search)s IN lower(battery_id_text)) > 0))
 ORDER BY CASE severity WHEN 'critical' THEN 1 WHEN 'high' THEN 2 ELSE 3 END, last_height DESC, alert_states.alert
 LIMIT %(limit)s;

-- list_withdrawn --
-- Those of which nothing stands any more, newest first, with the step that withdrew them.
WITH past AS (
    SELECT DISTINCT ON (alert) alert, deployment, encode(battery_key, 'hex') AS subject, 'battery' AS subject_kind,
           battery_key, rule, severity, findings, first_slot, first_height, first_time, last_slot, last_height,
           last_time, known_until_step AS step, false AS by_run,
           EXISTS (SELECT FROM events WHERE events.battery_key = ended.battery_key
                      AND events.deployment = ended.deployment AND events.fact = ended.last_fact
                      AND events.known_until_step IS NULL) AS last_fact_stands
      FROM alerts AS ended
     WHERE known_until_step IS NOT NULL
       AND (%(battery_keys)s::bytea[] IS NULL OR battery_key = ANY (%(battery_keys)s))
       AND (%(low)s::bytea IS NULL OR alert BETWEEN %(low)s AND %(high)s)
       AND NOT EXISTS (SELECT FROM alerts AS now WHERE now.alert = ended.alert AND now.known_until_step IS NULL)
     ORDER BY alert, known_until_step DESC, known_from_step DESC
), past_of_fleets AS (
    SELECT DISTINCT ON (alert) alert, deployment, subject, subject_kind,
           CASE subject_kind WHEN 'battery' THEN decode(subject, 'hex') END AS battery_key, rule, severity, 1, slot,
           height, found_at, slot, height, found_at, known_until_step AS step, true, false
      FROM fleet_findings AS ended
     WHERE known_until_step IS NOT NULL AND severity IN ('warning', 'high', 'critical')
       AND NOT EXISTS (SELECT FROM fleet_findings AS now WHERE now.alert = ended.alert AND now.known_until_step IS NULL)
     ORDER BY alert, known_until_step DESC, known_from_step DESC
)
SELECT encode(alert, 'hex') AS alert, deployment, subject, subject_kind, rule, severity, findings, first_slot,
       first_height, first_time, last_slot, last_height, last_time, withdrawn.step AS withdrawn_at_step,
       steps.height AS withdrawn_to_height, by_run, last_fact_stands,
       (SELECT battery_id_text FROM batteries WHERE batteries.battery_key = withdrawn.battery_key
           AND batteries.deployment = withdrawn.deployment AND known_until_step IS NULL) AS battery_id_text
  FROM (SELECT * FROM past UNION ALL SELECT * FROM past_of_fleets) AS withdrawn
  LEFT JOIN steps ON steps.step = withdrawn.step
 WHERE (%(deployment)s::text IS NULL OR deployment = %(deployment)s)
   AND (%(severities)s::text[] IS NULL OR severity = ANY (%(severities)s))
   AND (%(battery_keys)s::bytea[] IS NULL OR battery_key = ANY (%(battery_keys)s))
   AND (%(rule)s::text IS NULL OR rule = %(rule)s)
   AND (%(low)s::bytea IS NULL OR alert BETWEEN %(low)s AND %(high)s)
   AND (%(search)s::text IS NULL OR rule = ANY (%(search_rules)s) OR starts_with(encode(alert, 'hex'), %(search)s)
        OR starts_with(subject, %(search)s)
        OR (withdrawn.battery_key, withdrawn.deployment) IN (SELECT battery_key, deployment FROM batteries
             WHERE known_until_step IS NULL AND position(%(search)s IN lower(battery_id_text)) > 0))
 ORDER BY withdrawn_at_step DESC, alert
 LIMIT %(limit)s;

-- count_alerts --
-- Of those that stand: how many of each rule, severity, state and depth there are to choose from.
SELECT rule, severity, state, count(*) AS alerts, count(*) FILTER (WHERE first_height > %(final_height)s) AS not_final
  FROM alert_states
 WHERE (%(deployment)s::text IS NULL OR deployment = %(deployment)s)
   AND (%(battery_keys)s::bytea[] IS NULL OR battery_key = ANY (%(battery_keys)s))
   AND (%(search)s::text IS NULL OR rule = ANY (%(search_rules)s) OR starts_with(encode(alert, 'hex'), %(search)s)
        OR starts_with(subject, %(search)s)
        OR (alert_states.battery_key, alert_states.deployment) IN (SELECT battery_key, deployment FROM batteries
             WHERE known_until_step IS NULL AND position(%(search)s IN lower(battery_id_text)) > 0))
 GROUP BY rule, severity, state;

-- findings_of --
-- What an alert was raised by, newest first: those that stand, then those that were retracted.
SELECT fact, rule_version, rule_set, number, severity, event_id, transaction, slot, height, block, time, "values",
       thresholds, known_from_step, known_until_step
  FROM findings
 WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND rule = %(rule)s
   AND severity IN ('warning', 'high', 'critical')
 ORDER BY known_until_step IS NOT NULL, height DESC, number, known_from_step DESC
 LIMIT %(limit)s;

-- fleet_findings_of --
SELECT rule_version, rule_set, number, severity, slot, height, found_at AS time, "values", thresholds, known_from_step,
       known_until_step
  FROM fleet_findings WHERE alert = %(alert)s
 ORDER BY known_until_step IS NOT NULL, known_from_step DESC, number
 LIMIT %(limit)s;

-- acts_of --
SELECT act, who, role, at, why, severity FROM cellwitness_people.alert_acts WHERE alert = %(alert)s ORDER BY act_number;

-- facts_known --
-- What whoever closes an alert knows of: its findings that are not final, and the newest that is.
(SELECT fact FROM findings
  WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND rule = %(rule)s AND known_until_step IS NULL
    AND severity IN ('warning', 'high', 'critical') AND height > %(final_height)s)
 UNION
(SELECT fact FROM findings
  WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND rule = %(rule)s AND known_until_step IS NULL
    AND severity IN ('warning', 'high', 'critical') AND height <= %(final_height)s
  ORDER BY height DESC FETCH FIRST 1 ROW WITH TIES);

-- write_act --
INSERT INTO cellwitness_people.alert_acts (alert, deployment, subject, rule, act, who, why, severity, facts)
VALUES (%(alert)s, %(deployment)s, %(subject)s, %(rule)s, %(act)s, %(who)s, %(why)s, %(severity)s, %(facts)s::bytea[])
RETURNING at;

-- count_open --
SELECT severity, count(*) FROM alert_states WHERE state <> 'closed' GROUP BY severity;
