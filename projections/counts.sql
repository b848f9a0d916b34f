A fleet's readings counted, by name. {readings}, {verdicts} and {batteries} stand for what these tables said after a step,
of all batteries or of some; counts of disjoint sets of batteries add up. %(slot)s: up to this slot, or NULL.

-- stands --
SELECT battery_key, deployment, battery_id_text, metadata ->> 'model' AS model, metadata ->> 'manufacturer' AS manufacturer,
       metadata ->> 'chemistry' AS chemistry, metadata ->> 'status' AS status, bms_public_key,
       metadata IS NOT NULL AS has_passport,
       coalesce(seen, 0)::integer AS seen, coalesce(in_effect, 0)::integer AS in_effect,
       coalesce(rejected, 0)::integer AS rejected, coalesce(unproven, 0)::integer AS unproven,
       coalesce(counting, 0)::integer AS counting, first_time, last_time, soh_bp::integer AS soh_bp,
       cycle_count::integer AS cycle_count, newest.slot, time
  FROM {batteries} AS batteries
  LEFT JOIN (SELECT battery_key, deployment, count(*) AS seen,
                    count(*) FILTER (WHERE NOT rejected AND NOT account_unproven) AS in_effect,
                    count(*) FILTER (WHERE rejected) AS rejected, count(*) FILTER (WHERE account_unproven) AS unproven,
                    min(time) AS first_time, max(time) AS last_time
               FROM {readings} AS readings GROUP BY battery_key, deployment) AS said USING (battery_key, deployment)
  LEFT JOIN (SELECT DISTINCT ON (battery_key, deployment) battery_key, deployment, soh_bp, cycle_count, slot, time,
                    count(*) OVER (PARTITION BY battery_key, deployment) AS counting
               FROM {readings} AS readings
               LEFT JOIN {verdicts} AS verdicts USING (battery_key, deployment, fact)
              WHERE NOT rejected AND soh_bp BETWEEN 0 AND 15000 AND cycle_count BETWEEN 0 AND 100000
                AND coalesce(crypto = 'passed' AND binding = 'passed' AND NOT quarantined, NOT account_unproven)
              ORDER BY battery_key, deployment, height DESC, transaction_index DESC, event_index DESC) AS newest
 USING (battery_key, deployment)
 WHERE %(slot)s::bigint IS NULL OR registered_slot IS NULL OR registered_slot <= %(slot)s OR seen IS NOT NULL

-- fade --
-- Bounds of cycles come from outside, in order: what is at one of them or above, and below the next, is counted together.
SELECT model, bounds[place] AS cycles_low, bounds[place + 1] - 1 AS cycles_high, soh_bp, count(*) AS readings
  FROM (SELECT metadata ->> 'model' AS model, width_bucket(cycle_count::integer, %(cycles)s::integer[]) AS place,
               soh_bp::integer / 10 * 10 AS soh_bp, %(cycles)s::integer[] AS bounds
          FROM {readings} AS readings
          JOIN {batteries} AS batteries USING (battery_key, deployment)
          LEFT JOIN {verdicts} AS verdicts USING (battery_key, deployment, fact)
         WHERE NOT rejected AND soh_bp BETWEEN 0 AND 15000 AND cycle_count BETWEEN 0 AND 100000
           AND coalesce(crypto = 'passed' AND binding = 'passed' AND NOT quarantined, NOT account_unproven)) AS placed
 GROUP BY model, bounds, place, soh_bp

-- hours --
SELECT date_trunc('hour', time) AS hour, count(*) FILTER (WHERE worth = 'passed') AS passed,
       count(*) FILTER (WHERE worth = 'failed') AS failed, count(*) FILTER (WHERE worth = 'open') AS not_assessable,
       count(*) FILTER (WHERE worth = 'rejected') AS rejected, min(slot) AS first_slot, max(slot) AS last_slot
  FROM (SELECT time, slot, CASE WHEN rejected THEN 'rejected'
                          WHEN 'failed' IN (ledger, crypto, binding, plausibility) THEN 'failed'
                          WHEN 'not_assessable' IN (ledger, crypto, binding, plausibility) OR ledger IS NULL THEN 'open'
                          ELSE 'passed' END AS worth
          FROM {readings} AS readings
          LEFT JOIN {verdicts} AS verdicts USING (battery_key, deployment, fact)) AS judged
 GROUP BY hour

-- mix --
SELECT verdict, result, count(*) AS readings, count(DISTINCT (battery_key, deployment)) AS batteries
  FROM {verdicts} AS verdicts
 CROSS JOIN LATERAL (VALUES ('ledger', ledger), ('crypto', crypto), ('binding', binding), ('plausibility', plausibility))
         AS said (verdict, result)
 GROUP BY verdict, result

-- sum_fade --
SELECT model, cycles_low, cycles_high, soh_bp, sum(readings)::bigint AS readings
  FROM {parts} AS parts GROUP BY model, cycles_low, cycles_high, soh_bp HAVING {is_any}

-- sum_hours --
SELECT hour, sum(passed)::bigint AS passed, sum(failed)::bigint AS failed, sum(not_assessable)::bigint AS not_assessable,
       sum(rejected)::bigint AS rejected, min(first_slot) AS first_slot, max(last_slot) AS last_slot
  FROM {parts} AS parts GROUP BY hour HAVING {is_any}

-- sum_mix --
SELECT verdict, result, sum(readings)::bigint AS readings, sum(batteries)::bigint AS batteries
  FROM {parts} AS parts GROUP BY verdict, result HAVING {is_any}

-- read_counted --
SELECT step FROM fleet_counted WHERE version = %(version)s;

-- touched --
-- Batteries with an event that these steps brought or took back: nothing else changes what is counted of one.
SELECT battery_key FROM events WHERE known_from_step > %(counted)s AND known_from_step <= %(step)s
UNION
SELECT battery_key FROM events WHERE known_until_step > %(counted)s AND known_until_step <= %(step)s;

-- count_stands --
SELECT count(*) FROM fleet_stands;

-- note_counted --
INSERT INTO fleet_counted (version, step, seconds) VALUES (%(version)s, %(step)s, %(seconds)s)
ON CONFLICT (only_one) DO UPDATE
   SET version = excluded.version, step = excluded.step, seconds = excluded.seconds, counted_at = now();

-- forget_stands --
DELETE FROM fleet_stands WHERE %(keys)s::bytea[] IS NULL OR battery_key = ANY (%(keys)s::bytea[]);

-- forget_sums --
DELETE FROM fleet_fade;
DELETE FROM fleet_hours;
DELETE FROM fleet_mix;

-- add_stands --
INSERT INTO fleet_stands (battery_key, deployment, battery_id_text, model, manufacturer, chemistry, status, bms_public_key,
                          has_passport, seen, in_effect, rejected, unproven, counting, first_time, last_time, soh_bp,
                          cycle_count, slot, time)
SELECT * FROM {counted} AS counted;

-- add_fade --
INSERT INTO fleet_fade (model, cycles_low, cycles_high, soh_bp, readings) SELECT * FROM {counted} AS counted
ON CONFLICT (cycles_low, soh_bp, (coalesce(model, '')), (model IS NULL))
   DO UPDATE SET readings = fleet_fade.readings + excluded.readings;

-- add_hours --
INSERT INTO fleet_hours (hour, passed, failed, not_assessable, rejected, first_slot, last_slot)
SELECT * FROM {counted} AS counted
ON CONFLICT (hour) DO UPDATE
   SET passed = fleet_hours.passed + excluded.passed, failed = fleet_hours.failed + excluded.failed,
       not_assessable = fleet_hours.not_assessable + excluded.not_assessable,
       rejected = fleet_hours.rejected + excluded.rejected,
       first_slot = least(fleet_hours.first_slot, excluded.first_slot),
       last_slot = greatest(fleet_hours.last_slot, excluded.last_slot);

-- add_mix --
INSERT INTO fleet_mix (verdict, result, readings, batteries) SELECT * FROM {counted} AS counted
ON CONFLICT (verdict, result)
   DO UPDATE SET readings = fleet_mix.readings + excluded.readings, batteries = fleet_mix.batteries + excluded.batteries;

-- drop_empty --
DELETE FROM fleet_fade WHERE readings = 0;
DELETE FROM fleet_hours WHERE passed + failed + not_assessable + rejected = 0;
DELETE FROM fleet_mix WHERE readings = 0;
