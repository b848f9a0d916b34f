What stands against each battery, by name: how many rules of each severity found something, and which, the gravest first.
{known} stands for the span of knowledge that is asked for.

-- by_alerts --
SELECT battery_key, deployment, count(*) FILTER (WHERE severity = 'critical') AS critical,
       count(*) FILTER (WHERE severity = 'high') AS high, count(*) FILTER (WHERE severity = 'warning') AS warning,
       array_agg(rule ORDER BY array_position(ARRAY['critical', 'high', 'warning'], severity), rule) AS rules
  FROM alerts WHERE {known}
 GROUP BY battery_key, deployment

-- by_findings --
-- Up to a slot, %(slot)s: an alert sums up all of its findings, also those after it.
SELECT battery_key, deployment, count(*) FILTER (WHERE severity = 'critical') AS critical,
       count(*) FILTER (WHERE severity = 'high') AS high, count(*) FILTER (WHERE severity = 'warning') AS warning,
       array_agg(rule ORDER BY array_position(ARRAY['critical', 'high', 'warning'], severity), rule) AS rules
  FROM (SELECT battery_key, deployment, rule,
               (array_agg(severity ORDER BY array_position(ARRAY['critical', 'high', 'warning'], severity)))[1] AS severity
          FROM findings WHERE {known} AND slot <= %(slot)s AND severity IN ('warning', 'high', 'critical')
         GROUP BY battery_key, deployment, rule) AS found
 GROUP BY battery_key, deployment
