What the rules over whole fleets read and write, by name. %(step)s is the step that is judged: the consistent one.

-- read_bound --
SELECT deployments, judged_by FROM log_identity;

-- read_step --
SELECT slot, height FROM steps WHERE step = %(step)s;

-- seconds_since_run --
SELECT extract(epoch FROM now() - max(ran_at))::double precision FROM fleet_runs;

-- passports --
-- Every passport on the chain, with the key that it names in its body.
SELECT deployment, encode(battery_key, 'hex'), body FROM events
 WHERE type IN ('passport_registered', 'passport_updated')
   AND known_from_step <= %(step)s AND (known_until_step IS NULL OR known_until_step > %(step)s);

-- courses --
-- Of each battery its first accepted reading and its newest ones.
SELECT deployment, encode(battery_key, 'hex'), metadata ->> 'model', registered_slot, soh_bp, cycle_count,
       energy_throughput_wh
  FROM (SELECT readings.deployment, readings.battery_key, soh_bp, cycle_count, energy_throughput_wh, readings.height,
               transaction_index, event_index,
               row_number() OVER (PARTITION BY readings.deployment, readings.battery_key
                                  ORDER BY readings.height DESC, transaction_index DESC, event_index DESC) AS newest,
               row_number() OVER (PARTITION BY readings.deployment, readings.battery_key
                                  ORDER BY readings.height, transaction_index, event_index) AS oldest
          FROM readings
          JOIN verdicts USING (battery_key, deployment, fact)
         WHERE NOT rejected AND NOT quarantined AND crypto = 'passed' AND binding = 'passed'
           AND soh_bp IS NOT NULL AND cycle_count IS NOT NULL
           AND readings.known_from_step <= %(step)s
           AND (readings.known_until_step IS NULL OR readings.known_until_step > %(step)s)
           AND verdicts.known_from_step <= %(step)s
           AND (verdicts.known_until_step IS NULL OR verdicts.known_until_step > %(step)s)) AS course
  JOIN batteries USING (battery_key, deployment)
 WHERE (newest <= %(newest)s OR oldest = 1)
   AND known_from_step <= %(step)s AND (known_until_step IS NULL OR known_until_step > %(step)s)
 ORDER BY deployment, battery_key, course.height, transaction_index, event_index;

-- commitments --
SELECT deployment, encode(user_pkh, 'hex'), encode(battery_key, 'hex'), slot, max_age_slots, ended_slot FROM commitments
 WHERE slot > %(since_slot)s
   AND known_from_step <= %(step)s AND (known_until_step IS NULL OR known_until_step > %(step)s);

-- gaps --
SELECT readings.deployment, encode(user_pkh, 'hex'), metadata ->> 'model', counter_delta
  FROM readings
  JOIN commitments ON commitments.battery_key = readings.battery_key AND commitments.deployment = readings.deployment
   AND commitments.fact = readings.commitment
  JOIN batteries ON batteries.battery_key = readings.battery_key AND batteries.deployment = readings.deployment
 WHERE readings.slot > %(since_slot)s AND counter_delta > 0 AND NOT rejected
   AND readings.known_from_step <= %(step)s
   AND (readings.known_until_step IS NULL OR readings.known_until_step > %(step)s)
   AND commitments.known_from_step <= %(step)s
   AND (commitments.known_until_step IS NULL OR commitments.known_until_step > %(step)s)
   AND batteries.known_from_step <= %(step)s
   AND (batteries.known_until_step IS NULL OR batteries.known_until_step > %(step)s);

-- standing --
SELECT encode(alert, 'hex'), number, severity, rule_version, rule_set, "values", thresholds, slot, height, found_at
  FROM fleet_findings WHERE known_until_step IS NULL;

-- end_findings --
UPDATE fleet_findings SET known_until_step = %(step)s
  FROM unnest(%(alert)s::bytea[], %(number)s::integer[]) AS ended (alert, number)
 WHERE fleet_findings.alert = ended.alert AND fleet_findings.number = ended.number AND known_until_step IS NULL;

-- add_finding --
INSERT INTO fleet_findings (alert, deployment, subject, subject_kind, rule, number, rule_version, rule_set, severity,
                            "values", thresholds, slot, height, found_at, known_from_step)
VALUES (%(alert)s, %(deployment)s, %(subject)s, %(subject_kind)s, %(rule)s, %(number)s, %(rule_version)s, %(rule_set)s,
        %(severity)s, %(values)s, %(thresholds)s, %(slot)s, %(height)s, coalesce(%(found_at)s, now()), %(step)s);

-- add_run --
INSERT INTO fleet_runs (step, seconds, findings) VALUES (%(step)s, %(seconds)s, %(findings)s);
