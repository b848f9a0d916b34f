What is asked about a whole fleet, by name. {stands}, {fade}, {hours} and {mix} stand for what is counted (counts.sql of the
projections), {raised} for what was found about batteries, {known} for the span of knowledge that is asked for: now, or
after a step. %(slot)s: up to this slot of the chain, or NULL.

-- totals --
SELECT coalesce(sum(seen), 0)::bigint AS readings, coalesce(sum(rejected), 0)::bigint AS rejected,
       coalesce(sum(unproven), 0)::bigint AS unproven, min(first_time) AS first, max(last_time) AS last
  FROM {stands} AS stands;

-- models --
-- Of each model its batteries, and the readings that took effect. No model: no passport was seen.
SELECT model, min(manufacturer) AS manufacturer, min(chemistry) AS chemistry, count(*) AS batteries,
       count(*) FILTER (WHERE in_effect > 0) AS batteries_read, sum(in_effect)::bigint AS readings,
       percentile_disc(0.5) WITHIN GROUP (ORDER BY soh_bp) AS median_soh_bp, count(rules) AS accused,
       CASE WHEN bool_or(critical > 0) THEN 'critical' WHEN bool_or(high > 0) THEN 'high'
            WHEN bool_or(warning > 0) THEN 'warning' END AS severity
  FROM {stands} AS stands LEFT JOIN {raised} AS raised USING (battery_key, deployment)
 GROUP BY model ORDER BY batteries DESC, model;

-- fade --
-- State of health by tenths of the model's range of cycles: quantiles over the readings that count, as if those counted
-- together lay evenly.
WITH counting AS (SELECT * FROM {fade} AS fade),
     ranges AS (SELECT model, min(cycles_low) AS low, max(cycles_high) AS high FROM counting GROUP BY model),
     placed AS (SELECT counting.model, least(9, (cycles_low - low)::bigint * 10 / greatest(high - low, 1))::integer AS tenth,
                       soh_bp, sum(readings) AS readings, min(cycles_low) AS cycles_low, max(cycles_high) AS cycles_high,
                       sum(readings * (cycles_low + cycles_high) / 2.0) AS cycles
                  FROM counting JOIN ranges ON counting.model IS NOT DISTINCT FROM ranges.model
                 GROUP BY counting.model, tenth, soh_bp),
     ranked AS (SELECT placed.*, sum(readings) OVER (PARTITION BY model, tenth ORDER BY soh_bp) AS until,
                       sum(readings) OVER (PARTITION BY model, tenth) AS total
                  FROM placed)
SELECT model, tenth, total::bigint AS readings, min(cycles_low) AS cycles_low, max(cycles_high) AS cycles_high,
       (sum(cycles) / total)::double precision AS cycles,
       (SELECT array_agg(soh ORDER BY share)
          FROM unnest(ARRAY[0.05, 0.25, 0.5, 0.75, 0.95]) AS share
         CROSS JOIN LATERAL (SELECT (each.soh + 10 * (share * total - each.until + each.readings) / each.readings)
                                    ::double precision AS soh
                               FROM unnest(array_agg(soh_bp), array_agg(ranked.until), array_agg(readings))
                                 AS each (soh, until, readings)
                              WHERE each.until >= share * total ORDER BY each.until LIMIT 1) AS found) AS soh_bp
  FROM ranked GROUP BY model, tenth, total ORDER BY model, tenth;

-- newest --
-- Batteries at their newest reading that counts: of a model with more than are wanted those with the gravest findings.
SELECT deployment, encode(battery_key, 'hex') AS battery_key, battery_id_text, model, soh_bp, cycle_count, slot, time,
       CASE WHEN critical > 0 THEN 'critical' WHEN high > 0 THEN 'high' WHEN warning > 0 THEN 'warning' END AS severity,
       coalesce(rules, '{{}}') AS rules
  FROM (SELECT *, count(*) OVER (PARTITION BY model) AS of_model,
               row_number() OVER (PARTITION BY model ORDER BY critical DESC NULLS LAST, high DESC NULLS LAST,
                                                              warning DESC NULLS LAST, battery_key, deployment) AS place
          FROM {stands} AS stands LEFT JOIN {raised} AS raised USING (battery_key, deployment)
         WHERE time IS NOT NULL) AS standing
 WHERE %(marks)s::bigint IS NULL OR of_model <= %(marks)s OR (place <= %(marks)s AND rules IS NOT NULL)
 ORDER BY model, battery_key;

-- silent --
-- How many batteries have their newest reading so many days back from where the answer speaks, by bounds in days.
SELECT width_bucket((extract(epoch FROM %(at)s::timestamptz - time) / 86400)::double precision,
                    %(bounds)s::double precision[]) AS place, count(*) AS batteries
  FROM {stands} AS stands WHERE time IS NOT NULL GROUP BY place;

-- days --
-- Readings a period of the chain by what they are worth: the worst of the four verdicts.
SELECT date_trunc(%(period)s, hour) AS day, sum(passed)::bigint AS passed, sum(failed)::bigint AS failed,
       sum(not_assessable)::bigint AS not_assessable, sum(rejected)::bigint AS rejected,
       min(first_slot) AS first_slot, max(last_slot) AS last_slot
  FROM {hours} AS hours GROUP BY day ORDER BY day;

-- verdict_mix --
SELECT verdict, result, readings, batteries FROM {mix} AS mix;

-- accused --
-- Batteries by what stands against them, the gravest first.
SELECT deployment, encode(battery_key, 'hex') AS battery_key, battery_id_text, model, soh_bp, cycle_count, critical, high,
       warning, rules
  FROM {raised} AS raised LEFT JOIN {stands} AS stands USING (battery_key, deployment)
 ORDER BY critical DESC, high DESC, warning DESC, battery_key, deployment LIMIT %(limit)s;

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
