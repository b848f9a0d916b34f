What the dashboard asks beside what the other consumers do, by name.

-- mark --
-- The partition furthest behind, the age of the oldest checkpoint, and who is at work.
SELECT last_step AS step, slot, height, encode(block, 'hex') AS block, final_height, tip_height,
       (SELECT extract(epoch FROM clock_timestamp() - min(updated_at))::double precision FROM checkpoints
         WHERE projection = 'timeline') AS age_seconds,
       (SELECT count(*) FROM workers WHERE heard_at > now() - interval '60 seconds') AS workers,
       (SELECT count(*) FROM parked WHERE ended_at IS NULL) AS parked_events
  FROM checkpoints WHERE projection = 'timeline' ORDER BY last_step, partition LIMIT 1;

-- holds_at_step --
SELECT step, slot, height, encode(block, 'hex') AS block, final_height, tip_height FROM steps WHERE step = %(step)s;

-- news_steps --
-- Steps that came since one, oldest first.
SELECT step, kind, slot, height, encode(block, 'hex') AS block, final_height, tip_height, known_at
  FROM steps WHERE step > %(after)s AND step <= %(until)s ORDER BY step LIMIT %(limit)s;

-- news_alerts --
-- Alerts that began or ended in these steps.
SELECT encode(alert, 'hex') AS alert, rule, severity, deployment, encode(battery_key, 'hex') AS battery_key,
       known_from_step AS step, 'raised' AS what
  FROM alerts WHERE known_from_step > %(after)s AND known_from_step <= %(until)s
   AND known_until_step IS NULL
   AND NOT EXISTS (SELECT FROM alerts AS before WHERE before.alert = alerts.alert
                      AND before.known_until_step IS NOT NULL AND before.known_until_step = alerts.known_from_step)
UNION ALL
SELECT encode(alert, 'hex'), rule, severity, deployment, encode(battery_key, 'hex'), known_until_step, 'withdrawn'
  FROM alerts WHERE known_until_step > %(after)s AND known_until_step <= %(until)s
   AND NOT EXISTS (SELECT FROM alerts AS now WHERE now.alert = alerts.alert AND now.known_until_step IS NULL)
 LIMIT %(limit)s;
