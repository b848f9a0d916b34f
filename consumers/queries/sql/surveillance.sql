Queries 1 to 15, by name: the market surveillance's. Written over the relations of moment.sql. 1 slot is 1 second.

-- below_floor --
SELECT deployment, manufacturer, model, battery, battery_key, category, soh_kind,
       category = 'ev' AND soh_kind = 'soce' AS floor_applies,
       count(*) AS readings_below, min(soh_bp) / 100 AS least_soh, min(floor_bp) / 100 AS floor,
       round((array_agg(age ORDER BY soh_bp, slot))[1] / 31557600.0, 4) AS age_years,
       min(slot) AS first_slot, min(time) AS first_time, max(slot) AS last_slot
  FROM (SELECT fleet.*, accepted.soh_bp, accepted.slot, accepted.time, accepted.slot - registered_slot AS age,
               CASE WHEN accepted.slot - registered_slot <= 157788000 THEN 100 * %(floor_young)s::numeric
                    ELSE 100 * %(floor_old)s::numeric END AS floor_bp
          FROM accepted JOIN fleet USING (battery_key, deployment)
         WHERE soh_bp IS NOT NULL AND accepted.slot - registered_slot <= 252460800) AS aged
 WHERE soh_bp < floor_bp AND (NOT %(only_where_it_applies)s::boolean OR (category = 'ev' AND soh_kind = 'soce'))
 GROUP BY deployment, manufacturer, model, battery, battery_key, category, soh_kind
 ORDER BY least_soh, battery, deployment
 LIMIT %(rows)s;

-- soh_by_cycles --
WITH models AS (
    SELECT deployment, battery_key, manufacturer, model,
           dense_rank() OVER (ORDER BY deployment, manufacturer, model) AS number
      FROM fleet WHERE has_passport
), parts AS (
    SELECT number, decile, min(cycle_count) AS cycles_from, max(cycle_count) AS cycles_to, count(*) AS readings,
           count(DISTINCT battery_key) AS batteries, min(soh_bp) / 100.0 AS least_soh,
           max(soh_bp) / 100.0 AS greatest_soh,
           percentile_disc(ARRAY[0.05, 0.25, 0.5, 0.75, 0.95]) WITHIN GROUP (ORDER BY soh_bp) AS soh_bp
      FROM (SELECT number, measured.battery_key, soh_bp, cycle_count,
                   ntile(10) OVER (PARTITION BY number ORDER BY cycle_count, measured.slot, fact) AS decile
              FROM measured JOIN models USING (battery_key, deployment)) AS ranked
     GROUP BY number, decile
)
SELECT deployment, manufacturer, model, decile, cycles_from, cycles_to, readings, batteries, least_soh,
       soh_bp[1] / 100.0 AS p05_soh, soh_bp[2] / 100.0 AS p25_soh, soh_bp[3] / 100.0 AS median_soh,
       soh_bp[4] / 100.0 AS p75_soh, soh_bp[5] / 100.0 AS p95_soh, greatest_soh
  FROM parts JOIN (SELECT DISTINCT number, deployment, manufacturer, model FROM models) AS named USING (number)
 WHERE batteries >= %(least_batteries)s
 ORDER BY deployment, manufacturer, model, decile
 LIMIT %(rows)s;

-- fast_fading --
WITH faded AS (
    SELECT deployment, manufacturer, model, battery, battery_key, count(*) AS readings, max(cycle_count) AS cycles,
           (array_agg(soh_bp ORDER BY measured.slot DESC, fact))[1] / 100.0 AS last_soh,
           max(measured.slot) AS last_slot,
           -regr_slope(soh_bp, cycle_count) AS fade_per_100_cycles,
           -regr_slope(soh_bp, measured.slot) * 31557600 / 100 AS fade_per_year
      FROM measured JOIN fleet USING (battery_key, deployment)
     WHERE has_passport
     GROUP BY deployment, manufacturer, model, battery, battery_key
    HAVING count(*) >= %(least_readings)s
), chosen AS (
    SELECT *, CASE WHEN %(by)s = 'cycles' THEN fade_per_100_cycles ELSE fade_per_year END AS fade FROM faded
), of_models AS (
    SELECT deployment, manufacturer, model, count(fade) AS model_batteries,
           percentile_cont(%(percentile)s::double precision / 100) WITHIN GROUP (ORDER BY fade) AS model_fade
      FROM chosen GROUP BY deployment, manufacturer, model
)
SELECT deployment, manufacturer, model, battery, battery_key, readings, cycles, last_soh, last_slot,
       round(fade_per_100_cycles::numeric, 4) AS fade_per_100_cycles, round(fade_per_year::numeric, 4) AS fade_per_year,
       round(model_fade::numeric, 4) AS model_fade, model_batteries
  FROM chosen JOIN of_models USING (deployment, manufacturer, model)
 WHERE fade > model_fade AND model_batteries >= %(least_batteries)s
 ORDER BY fade - model_fade DESC, battery, deployment
 LIMIT %(rows)s;

-- silent --
SELECT deployment, manufacturer, model, battery, battery_key, status, registered_slot, last_reading_slot,
       (%(clock_slot)s - coalesce(last_reading_slot, registered_slot)) / 86400 AS silent_days,
       last_reading_slot IS NULL AS never_read
  FROM fleet LEFT JOIN spoken USING (deployment, battery_key)
 WHERE has_passport AND coalesce(status, '') NOT IN ('waste', 'recycled')
   AND %(clock_slot)s - coalesce(last_reading_slot, registered_slot) > %(days)s::bigint * 86400
 ORDER BY silent_days DESC, battery, deployment
 LIMIT %(rows)s;

-- unknown_passports --
SELECT deployment, battery, battery_key, commitments, readings, submitters, first_slot, last_slot
  FROM (SELECT deployment, battery_key, sum(commitments) AS commitments, sum(readings) AS readings,
               count(DISTINCT user_pkh) AS submitters, min(slot) AS first_slot, max(slot) AS last_slot
          FROM (SELECT deployment, battery_key, slot, user_pkh, 1 AS commitments, 0 AS readings FROM commitments
                 UNION ALL
                SELECT deployment, battery_key, slot, NULL, 0, 1 FROM readings) AS seen
         GROUP BY deployment, battery_key) AS counted
  JOIN fleet USING (deployment, battery_key)
 WHERE NOT has_passport
 ORDER BY readings DESC, commitments DESC, battery, deployment
 LIMIT %(rows)s;

-- shared_keys --
WITH registered AS (
    SELECT deployment, battery_key, passports.bms_public_key AS public_key, min(passports.slot) AS first_slot,
           max(passports.slot) AS last_slot, fleet.bms_public_key = passports.bms_public_key AS in_passport,
           manufacturer, model, battery
      FROM passports JOIN fleet USING (deployment, battery_key)
     WHERE passports.bms_public_key IS NOT NULL
     GROUP BY deployment, battery_key, passports.bms_public_key, fleet.bms_public_key, manufacturer, model, battery
), counted AS (
    SELECT *, count(*) OVER (PARTITION BY deployment, public_key) AS batteries,
           count(*) OVER (PARTITION BY deployment, battery_key) AS keys
      FROM registered
)
SELECT 'one key, several batteries' AS finding, deployment, public_key, battery, battery_key, manufacturer, model,
       first_slot, last_slot, in_passport, batteries AS together
  FROM counted WHERE batteries > 1
 UNION ALL
SELECT 'one battery, several keys', deployment, public_key, battery, battery_key, manufacturer, model,
       first_slot, last_slot, in_passport, keys
  FROM counted WHERE keys > 1
 ORDER BY finding DESC, together DESC, public_key, battery, first_slot
 LIMIT %(rows)s;

-- counter_order --
SELECT deployment, model, battery, battery_key, public_key, counter_kind AS kind, counter, previous_counter,
       CASE counter_kind WHEN 'gap' THEN counter_delta - 1 END AS missing, readings.slot, readings.time, transaction,
       payload_sha256, rejected
  FROM readings JOIN fleet USING (battery_key, deployment)
 WHERE counter_kind IN ('gap', 'duplicate', 'regress') AND (%(kind)s = 'all' OR counter_kind = %(kind)s)
   AND (%(public_key)s::bytea IS NULL OR public_key = %(public_key)s)
 ORDER BY readings.slot, transaction_index, event_index, battery
 LIMIT %(rows)s;

-- findings_by_rule --
SELECT rule, rules.name, rule_version, severity, manufacturer, model, count(*) AS findings,
       count(DISTINCT (deployment, battery_key)) AS batteries,
       count(*) FILTER (WHERE findings.slot > %(clock_slot)s - 86400) AS findings_last_day,
       min(findings.slot) AS first_slot, max(findings.slot) AS last_slot
  FROM findings
  JOIN fleet USING (battery_key, deployment)
  LEFT JOIN rules USING (rule)
 WHERE (%(days)s::bigint = 0 OR findings.slot > %(clock_slot)s - %(days)s::bigint * 86400)
   AND (%(rule)s::text IS NULL OR rule = %(rule)s) AND (%(severity)s = 'all' OR severity = %(severity)s)
 GROUP BY rule, rules.name, rule_version, severity, manufacturer, model
 ORDER BY array_position(ARRAY['critical', 'high', 'quarantine', 'warning', 'info'], severity), findings DESC, rule,
          manufacturer, model
 LIMIT %(rows)s;

-- expired_commitments --
SELECT deployment, CASE WHEN GROUPING(user_pkh) = 0 THEN 'submitter' ELSE 'model' END AS grouped_by,
       user_pkh AS submitter, model, count(*) AS minted, count(*) FILTER (WHERE ran_out) AS expired,
       count(*) FILTER (WHERE life = 'consumed') AS consumed, count(*) FILTER (WHERE life = 'reclaimed') AS reclaimed,
       count(*) FILTER (WHERE life = 'open') AS open,
       round(100.0 * count(*) FILTER (WHERE ran_out) / count(*), 2) AS expired_share,
       count(DISTINCT battery_key) AS batteries
  FROM commitments JOIN fleet USING (battery_key, deployment)
 WHERE %(days)s::bigint = 0 OR commitments.slot > %(clock_slot)s - %(days)s::bigint * 86400
 GROUP BY GROUPING SETS ((deployment, user_pkh), (deployment, model))
HAVING count(*) >= %(least_commitments)s
 ORDER BY grouped_by DESC, expired_share DESC, minted DESC, deployment, submitter, model
 LIMIT %(rows)s;

-- alerts_by_month --
SELECT to_char(first_time, 'YYYY-MM') AS month, manufacturer, count(*) AS raised,
       count(*) FILTER (WHERE first_height > %(confirmed_height)s AND first_height > %(final_height)s) AS provisional,
       count(*) FILTER (WHERE first_height <= %(confirmed_height)s AND first_height > %(final_height)s) AS confirmed,
       count(*) FILTER (WHERE first_height <= %(final_height)s) AS final,
       count(*) FILTER (WHERE state = 'open') AS open, count(*) FILTER (WHERE state = 'acknowledged') AS acknowledged,
       count(*) FILTER (WHERE state = 'closed') AS closed,
       count(*) FILTER (WHERE severity = 'critical') AS critical, count(*) FILTER (WHERE severity = 'high') AS high,
       count(*) FILTER (WHERE severity = 'warning') AS warning
  FROM raised JOIN fleet USING (battery_key, deployment)
 WHERE (%(rule)s::text IS NULL OR rule = %(rule)s)
 GROUP BY month, manufacturer
 ORDER BY month, manufacturer
 LIMIT %(rows)s;

-- failed_signatures --
SELECT deployment, manufacturer, algorithm, count(*) AS readings, count(*) FILTER (WHERE crypto = 'failed') AS failed,
       count(*) FILTER (WHERE crypto = 'not_assessable') AS not_assessable,
       round(100.0 * count(*) FILTER (WHERE crypto = 'failed') / count(*), 4) AS failed_share,
       count(DISTINCT battery_key) FILTER (WHERE crypto = 'failed') AS batteries_failed
  FROM (SELECT deployment, battery_key, manufacturer, crypto,
               (checks -> 'algorithm' -> 'inputs' ->> 'algorithm')::numeric AS algorithm
          FROM verdicts JOIN fleet USING (battery_key, deployment)
         WHERE %(days)s::bigint = 0 OR verdicts.slot > %(clock_slot)s - %(days)s::bigint * 86400) AS judged
 GROUP BY deployment, manufacturer, algorithm
 ORDER BY failed DESC, readings DESC, deployment, manufacturer, algorithm
 LIMIT %(rows)s;

-- temperature_outliers --
SELECT to_char(accepted.time, 'YYYY-MM') AS month, deployment, manufacturer, model, count(*) AS readings,
       count(*) FILTER (WHERE temp_max_c > %(above)s) AS above,
       count(*) FILTER (WHERE temp_min_c < %(below)s) AS below,
       round(100.0 * count(*) FILTER (WHERE temp_max_c > %(above)s OR temp_min_c < %(below)s) / count(*), 2) AS share,
       count(DISTINCT battery_key) FILTER (WHERE temp_max_c > %(above)s OR temp_min_c < %(below)s) AS batteries_outside,
       count(DISTINCT battery_key) AS batteries, max(temp_max_c) AS hottest, min(temp_min_c) AS coldest
  FROM accepted JOIN fleet USING (battery_key, deployment)
 WHERE temp_max_c IS NOT NULL OR temp_min_c IS NOT NULL
 GROUP BY month, deployment, manufacturer, model
HAVING count(DISTINCT battery_key) >= %(least_batteries)s
 ORDER BY month, deployment, manufacturer, model
 LIMIT %(rows)s;

-- knees --
SELECT deployment, manufacturer, model, battery, battery_key, findings.slot, findings.time, soh_bp / 100 AS soh,
       cycle_count AS cycles, (findings."values" ->> 'early')::numeric / 100 AS early_fade,
       (findings."values" ->> 'late')::numeric / 100 AS late_fade,
       (findings."values" ->> 'model_median')::numeric / 100 AS model_fade, findings.rule_version, readings.transaction
  FROM (SELECT DISTINCT ON (deployment, battery_key) findings.*
          FROM findings WHERE rule = 'R25'
         ORDER BY deployment, battery_key, height, fact) AS findings
  JOIN readings USING (battery_key, deployment, fact)
  JOIN fleet USING (battery_key, deployment)
 WHERE soh_bp > 100 * %(above)s::numeric
 ORDER BY late_fade DESC, battery, deployment
 LIMIT %(rows)s;

-- soh_increases --
WITH moves AS (
    SELECT deployment, manufacturer, model, battery_key,
           soh_bp - lag(soh_bp) OVER (PARTITION BY deployment, battery_key, public_key
                                      ORDER BY measured.height, transaction_index, event_index) AS rise_bp
      FROM measured JOIN fleet USING (battery_key, deployment)
     WHERE has_passport
), counted AS (
    SELECT deployment, manufacturer, model, count(rise_bp) AS moves, count(DISTINCT battery_key) AS batteries,
           count(*) FILTER (WHERE rise_bp > 100 * %(tolerance)s::numeric) AS increases,
           max(rise_bp) / 100.0 AS greatest,
           count(DISTINCT battery_key) FILTER (WHERE rise_bp > 100 * %(tolerance)s::numeric) AS batteries_rising
      FROM moves GROUP BY deployment, manufacturer, model
), compared AS (
    SELECT *, sum(increases) OVER fleet AS all_increases, sum(moves) OVER fleet AS all_moves
      FROM counted WINDOW fleet AS (PARTITION BY deployment)
)
SELECT deployment, manufacturer, model, batteries, moves, increases, batteries_rising,
       round(100.0 * increases / nullif(moves, 0), 2) AS share, greatest,
       round(100.0 * all_increases / nullif(all_moves, 0), 2) AS fleet_share,
       moves >= 30 AND increases * all_moves > %(times)s::numeric * all_increases * moves AS abnormal
  FROM compared
 WHERE moves > 0 AND batteries >= %(least_batteries)s
 ORDER BY share DESC, moves DESC, deployment, manufacturer, model
 LIMIT %(rows)s;

-- busy_submitters --
SELECT deployment, user_pkh AS submitter, count(DISTINCT battery_key) AS batteries, count(*) AS commitments,
       count(*) FILTER (WHERE life = 'consumed') AS readings, count(*) FILTER (WHERE ran_out) AS expired,
       min(commitments.slot) AS first_slot, max(commitments.slot) AS last_slot,
       count(DISTINCT manufacturer) AS manufacturers
  FROM commitments JOIN fleet USING (battery_key, deployment)
 WHERE %(days)s::bigint = 0 OR commitments.slot > %(clock_slot)s - %(days)s::bigint * 86400
 GROUP BY deployment, user_pkh
HAVING count(DISTINCT battery_key) > %(more_than)s
 ORDER BY batteries DESC, commitments DESC, deployment, submitter
 LIMIT %(rows)s;
