What is asked about a whole fleet, by name. {known} stands for the span of knowledge that is asked for: now, or after a
step. %(slot)s: up to this slot of the chain, or NULL.

-- models --
-- Of each model its batteries, and the readings that took effect. No model: no passport was seen.
WITH fleet AS (SELECT battery_key, deployment, metadata ->> 'model' AS model, metadata ->> 'manufacturer' AS manufacturer,
                      metadata ->> 'chemistry' AS chemistry
                 FROM batteries WHERE {known} AND (%(slot)s::bigint IS NULL OR registered_slot IS NULL
                                                   OR registered_slot <= %(slot)s)),
     said AS (SELECT battery_key, deployment, count(*) AS readings FROM readings
               WHERE {known} AND (%(slot)s::bigint IS NULL OR slot <= %(slot)s) AND NOT rejected AND NOT account_unproven
               GROUP BY battery_key, deployment)
SELECT model, min(manufacturer) AS manufacturer, min(chemistry) AS chemistry, count(*) AS batteries,
       count(readings) AS batteries_read, coalesce(sum(readings), 0)::bigint AS readings
  FROM fleet LEFT JOIN said USING (battery_key, deployment)
 GROUP BY model ORDER BY batteries DESC, model;

-- fade --
-- State of health by tenths of the model's range of cycles: quantiles over the readings that count.
WITH counting AS (
    SELECT metadata ->> 'model' AS model, readings.battery_key, soh_bp, cycle_count
      FROM (SELECT * FROM readings WHERE {known} AND (%(slot)s::bigint IS NULL OR slot <= %(slot)s)) AS readings
      JOIN (SELECT battery_key, deployment, metadata FROM batteries WHERE {known}) AS batteries
     USING (battery_key, deployment)
      LEFT JOIN (SELECT battery_key, deployment, fact, crypto, binding, quarantined FROM verdicts WHERE {known}) AS verdicts
     USING (battery_key, deployment, fact)
     WHERE NOT rejected AND soh_bp BETWEEN 0 AND 15000 AND cycle_count BETWEEN 0 AND 100000
       AND coalesce(crypto = 'passed' AND binding = 'passed' AND NOT quarantined, NOT account_unproven)
), ranges AS (SELECT model, min(cycle_count) AS low, max(cycle_count) AS high FROM counting GROUP BY model)
SELECT model, tenth, count(*) AS readings, count(DISTINCT battery_key) AS batteries,
       min(cycle_count)::integer AS cycles_low, max(cycle_count)::integer AS cycles_high,
       avg(cycle_count)::double precision AS cycles,
       percentile_cont(ARRAY[0.05, 0.25, 0.5, 0.75, 0.95]) WITHIN GROUP (ORDER BY soh_bp::double precision) AS soh_bp
  FROM (SELECT counting.*, least(9, floor((cycle_count - low) * 10 / greatest(high - low, 1)))::integer AS tenth
          FROM counting JOIN ranges ON counting.model IS NOT DISTINCT FROM ranges.model) AS placed
 GROUP BY model, tenth ORDER BY model, tenth;

-- newest --
-- Of each battery its newest reading that counts: a mark in the chart of its model.
SELECT deployment, encode(battery_key, 'hex') AS battery_key, battery_id_text, metadata ->> 'model' AS model,
       soh_bp::integer, cycle_count::integer, slot, time
  FROM (SELECT DISTINCT ON (battery_key, deployment) battery_key, deployment, soh_bp, cycle_count, readings.slot, time
          FROM (SELECT * FROM readings WHERE {known} AND (%(slot)s::bigint IS NULL OR slot <= %(slot)s)) AS readings
          LEFT JOIN (SELECT battery_key, deployment, fact, crypto, binding, quarantined FROM verdicts WHERE {known})
            AS verdicts USING (battery_key, deployment, fact)
         WHERE NOT rejected AND soh_bp BETWEEN 0 AND 15000 AND cycle_count BETWEEN 0 AND 100000
           AND coalesce(crypto = 'passed' AND binding = 'passed' AND NOT quarantined, NOT account_unproven)
         ORDER BY battery_key, deployment, height DESC, transaction_index DESC, event_index DESC) AS newest
  JOIN (SELECT battery_key, deployment, battery_id_text, metadata FROM batteries WHERE {known}) AS batteries
 USING (battery_key, deployment)
 ORDER BY model, battery_key;

-- days --
-- Readings a day of the chain by what they are worth: the worst of the four verdicts.
SELECT date_trunc(%(period)s, time) AS day, count(*) FILTER (WHERE worth = 'passed') AS passed,
       count(*) FILTER (WHERE worth = 'failed') AS failed, count(*) FILTER (WHERE worth = 'open') AS not_assessable,
       count(*) FILTER (WHERE worth = 'rejected') AS rejected, min(slot) AS first_slot, max(slot) AS last_slot
  FROM (SELECT time, slot, CASE WHEN rejected THEN 'rejected'
                          WHEN 'failed' IN (ledger, crypto, binding, plausibility) THEN 'failed'
                          WHEN 'not_assessable' IN (ledger, crypto, binding, plausibility) OR ledger IS NULL THEN 'open'
                          ELSE 'passed' END AS worth
          FROM (SELECT battery_key, deployment, fact, time, slot, rejected FROM readings
                 WHERE {known} AND (%(slot)s::bigint IS NULL OR slot <= %(slot)s)) AS readings
          LEFT JOIN (SELECT battery_key, deployment, fact, ledger, crypto, binding, plausibility FROM verdicts
                      WHERE {known}) AS verdicts USING (battery_key, deployment, fact)) AS judged
 GROUP BY day ORDER BY day;

-- span --
-- From when to when there are readings.
SELECT min(time), max(time) FROM readings WHERE {known} AND (%(slot)s::bigint IS NULL OR slot <= %(slot)s);

-- verdict_mix --
SELECT verdict, result, count(*) AS readings, count(DISTINCT (battery_key, deployment)) AS batteries
  FROM verdicts, LATERAL (VALUES ('ledger', ledger), ('crypto', crypto), ('binding', binding),
                                 ('plausibility', plausibility)) AS said (verdict, result)
 WHERE {known} AND (%(slot)s::bigint IS NULL OR slot <= %(slot)s)
 GROUP BY verdict, result;

-- alerts_now --
-- Alerts that stand and that nobody closed, by rule.
SELECT rule, severity, count(*) AS alerts, count(*) FILTER (WHERE state = 'acknowledged') AS acknowledged,
       count(*) FILTER (WHERE first_height > %(final_height)s) AS not_final
  FROM alert_states WHERE state <> 'closed' GROUP BY rule, severity;

-- alerts_then --
-- What had been found and stood then. Up to a slot: from the findings, since an alert sums up all of them.
SELECT rule, severity, count(*) AS alerts, 0 AS acknowledged,
       count(*) FILTER (WHERE first_height > %(final_height)s) AS not_final
  FROM (SELECT rule, (array_agg(severity ORDER BY array_position(ARRAY['warning', 'high', 'critical'], severity) DESC))[1]
                 AS severity, min(height) AS first_height
          FROM findings WHERE {known} AND (%(slot)s::bigint IS NULL OR slot <= %(slot)s)
           AND severity IN ('warning', 'high', 'critical')
         GROUP BY battery_key, deployment, rule
        UNION ALL
        SELECT rule, (array_agg(severity ORDER BY array_position(ARRAY['warning', 'high', 'critical'], severity) DESC))[1],
               min(height)
          FROM fleet_findings WHERE {known} AND (%(slot)s::bigint IS NULL OR slot <= %(slot)s)
           AND severity IN ('warning', 'high', 'critical')
         GROUP BY alert, rule) AS raised
 GROUP BY rule, severity;

-- accused --
-- Batteries by what stands against them: how many alerts of each severity, and their rules.
SELECT deployment, encode(battery_key, 'hex') AS battery_key, count(*) FILTER (WHERE severity = 'critical') AS critical,
       count(*) FILTER (WHERE severity = 'high') AS high, count(*) FILTER (WHERE severity = 'warning') AS warning,
       array_agg(rule ORDER BY array_position(ARRAY['critical', 'high', 'warning'], severity), rule) AS rules
  FROM (SELECT deployment, battery_key, rule,
               (array_agg(severity ORDER BY array_position(ARRAY['warning', 'high', 'critical'], severity) DESC))[1]
                 AS severity
          FROM findings WHERE {known} AND (%(slot)s::bigint IS NULL OR slot <= %(slot)s)
           AND severity IN ('warning', 'high', 'critical')
         GROUP BY deployment, battery_key, rule) AS raised
 GROUP BY deployment, battery_key;

-- rejected_seen --
-- What the chain refused and still shows, and readings that move nothing.
SELECT count(*) FILTER (WHERE rejected) AS rejected, count(*) FILTER (WHERE account_unproven) AS unproven,
       count(*) AS readings FROM readings WHERE {known} AND (%(slot)s::bigint IS NULL OR slot <= %(slot)s);
