Alerts as they stood in the past, by name. {known} stands for the span of knowledge that is asked for. %(slot)s: up to
this slot of the chain, or NULL. They are made from findings, since an alert's row sums up all of them.

-- list_then --
WITH raised AS (
    SELECT rule, deployment, battery_key, encode(battery_key, 'hex') AS subject, 'battery' AS subject_kind, severity, slot,
           height, time, NULL::bytea AS alert
      FROM findings WHERE {known} AND (%(slot)s::bigint IS NULL OR slot <= %(slot)s)
       AND severity IN ('warning', 'high', 'critical')
    UNION ALL
    SELECT rule, deployment, CASE subject_kind WHEN 'battery' THEN decode(subject, 'hex') END, subject, subject_kind,
           severity, slot, height, found_at, alert
      FROM fleet_findings WHERE {known} AND (%(slot)s::bigint IS NULL OR slot <= %(slot)s)
       AND severity IN ('warning', 'high', 'critical')
), summed AS (
    SELECT rule, deployment, battery_key, subject, subject_kind,
           (array_agg(severity ORDER BY array_position(ARRAY['critical', 'high', 'warning'], severity)))[1] AS severity,
           count(*)::integer AS findings, min(slot) AS first_slot, min(height) AS first_height, min(time) AS first_time,
           max(slot) AS last_slot, max(height) AS last_height, max(time) AS last_time, (array_agg(alert))[1] AS alert
      FROM raised GROUP BY rule, deployment, battery_key, subject, subject_kind
)
SELECT encode(coalesce(summed.alert, (SELECT alerts.alert FROM alerts WHERE alerts.battery_key = summed.battery_key
           AND alerts.deployment = summed.deployment AND alerts.rule = summed.rule LIMIT 1)), 'hex') AS alert,
       deployment, subject, subject_kind, rule, severity, findings, first_slot, first_height, first_time, last_slot,
       last_height, last_time,
       (SELECT battery_id_text FROM batteries WHERE batteries.battery_key = summed.battery_key
           AND batteries.deployment = summed.deployment AND {known}) AS battery_id_text
  FROM summed
 ORDER BY array_position(ARRAY['critical', 'high', 'warning'], severity), last_height DESC, rule, subject;

-- findings_then --
SELECT fact, rule_version, rule_set, number, severity, event_id, transaction, slot, height, block, time, "values",
       thresholds, known_from_step
  FROM findings
 WHERE battery_key = %(battery_key)s AND deployment = %(deployment)s AND rule = %(rule)s AND {known}
   AND (%(slot)s::bigint IS NULL OR slot <= %(slot)s) AND severity IN ('warning', 'high', 'critical')
 ORDER BY height DESC, number LIMIT %(limit)s;

-- fleet_findings_then --
SELECT rule_version, rule_set, number, severity, slot, height, found_at AS time, "values", thresholds, known_from_step
  FROM fleet_findings
 WHERE alert = %(alert)s AND {known} AND (%(slot)s::bigint IS NULL OR slot <= %(slot)s)
 ORDER BY number LIMIT %(limit)s;
