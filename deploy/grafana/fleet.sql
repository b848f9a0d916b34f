What the fleet's dashboard asks, as cellwitness_reader. Grafana puts in the chosen deployments, quoted, and the time shown.

-- count_batteries --
SELECT count(*) AS batteries
  FROM cellwitness.batteries
 WHERE known_until_step IS NULL AND deployment IN (${deployment:sqlstring});

-- count_readings --
SELECT coalesce(sum(readings_submitted), 0) AS readings
  FROM cellwitness.batteries
 WHERE known_until_step IS NULL AND deployment IN (${deployment:sqlstring});

-- share_failed --
SELECT coalesce(avg(('failed' IN (ledger, crypto, binding, plausibility))::integer), 0) AS share
  FROM cellwitness.verdicts
 WHERE known_until_step IS NULL AND deployment IN (${deployment:sqlstring}) AND $__timeFilter(time);

-- count_alerts --
SELECT count(*) AS alerts FROM cellwitness.alert_states
 WHERE state <> 'closed' AND deployment IN (${deployment:sqlstring});

-- count_commitments --
SELECT coalesce(sum(commitments_open), 0) AS open
  FROM cellwitness.batteries
 WHERE known_until_step IS NULL AND deployment IN (${deployment:sqlstring});

-- where_it_stands --
SELECT min(last_step) AS step, max(height) AS height, max(final_height) AS final,
       round(extract(epoch FROM now() - max(updated_at))) AS "seconds ago"
  FROM cellwitness.checkpoints;

-- readings_a_day --
SELECT date_trunc('day', time) AS time,
       count(*) FILTER (WHERE NOT rejected) AS "took effect", count(*) FILTER (WHERE rejected) AS rejected
  FROM cellwitness.readings
 WHERE known_until_step IS NULL AND deployment IN (${deployment:sqlstring}) AND $__timeFilter(time)
 GROUP BY 1 ORDER BY 1;

-- failed_a_day --
SELECT date_trunc('day', time) AS time,
       count(*) FILTER (WHERE ledger = 'failed') AS ledger,
       count(*) FILTER (WHERE crypto = 'failed') AS crypto,
       count(*) FILTER (WHERE binding = 'failed') AS binding,
       count(*) FILTER (WHERE plausibility = 'failed') AS plausibility
  FROM cellwitness.verdicts
 WHERE known_until_step IS NULL AND deployment IN (${deployment:sqlstring}) AND $__timeFilter(time)
 GROUP BY 1 ORDER BY 1;

-- state_of_health --
SELECT "SoH from" || ' %' AS "SoH from", count(*) AS batteries
  FROM (SELECT 5 * greatest(0, least(24, floor(last_soh_bp / 500))) AS "SoH from" FROM cellwitness.batteries
         WHERE known_until_step IS NULL AND deployment IN (${deployment:sqlstring})
           AND last_soh_bp IS NOT NULL) AS steps
 GROUP BY steps."SoH from" ORDER BY steps."SoH from";

-- age_of_commitments --
SELECT date_trunc('week', time) AS time,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY age_slots) / 60.0 AS median,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY age_slots) / 60.0 AS "95 %"
  FROM cellwitness.commitments
 WHERE known_until_step IS NULL AND deployment IN (${deployment:sqlstring})
   AND status = 'consumed' AND $__timeFilter(time)
 GROUP BY 1 ORDER BY 1;

-- alerts_by_rule --
SELECT rule, severity, count(*) AS alerts, count(*) FILTER (WHERE state = 'open') AS open,
       sum(findings) AS findings
  FROM cellwitness.alert_states WHERE deployment IN (${deployment:sqlstring})
 GROUP BY rule, severity
 ORDER BY array_position(ARRAY['critical', 'high', 'warning'], severity), alerts DESC;

-- newest_alerts --
SELECT encode(alert, 'hex') AS alert, severity, rule, subject, state, last_time
  FROM cellwitness.alert_states WHERE deployment IN (${deployment:sqlstring})
 ORDER BY last_time DESC LIMIT 50;

-- sank_furthest --
SELECT coalesce(battery_id_text, encode(battery_key, 'hex')) AS battery, last_soh_bp / 100.0 AS "SoH %",
       last_cycle_count AS cycles, readings_submitted AS readings
  FROM cellwitness.batteries
 WHERE known_until_step IS NULL AND deployment IN (${deployment:sqlstring}) AND last_soh_bp IS NOT NULL
 ORDER BY last_soh_bp LIMIT 50;

-- fleet_runs --
SELECT ran_at, step, findings, seconds
  FROM cellwitness.fleet_runs
 ORDER BY ran_at DESC LIMIT 20;

-- workers --
SELECT worker, host, process, round(extract(epoch FROM now() - heard_at)) AS "seconds silent",
       round(events_per_second) AS "events/s"
  FROM cellwitness.workers ORDER BY worker;
