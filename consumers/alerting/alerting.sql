What the alerter reads and writes, by name. Times are the database's: one clock for whoever plans and whoever sends.

-- lock --
SELECT pg_try_advisory_lock(%(lock)s);

-- marks --
-- What changes when there may be something new to say.
SELECT (SELECT coalesce(sum(last_step), -1)::bigint FROM checkpoints WHERE projection = 'timeline'),
       (SELECT coalesce(max(act_number), 0) FROM cellwitness_people.alert_acts),
       (SELECT coalesce(extract(epoch FROM max(ran_at)), 0)::double precision FROM fleet_runs),
       (SELECT coalesce(min(digest), '') FROM log_identity),
       EXISTS (SELECT FROM cellwitness_people.alert_notices WHERE send IS NULL AND dropped IS NULL);

-- where --
SELECT (SELECT min(digest) FROM log_identity) AS log, min(last_step) AS step, max(last_step) AS furthest_step,
       (SELECT max(step) FROM fleet_runs) AS fleet_step, min(height) AS height, now() AS now
  FROM checkpoints WHERE projection = 'timeline';

-- models --
SELECT encode(battery_key, 'hex'), deployment, left(metadata ->> 'model', 1000) FROM batteries
 WHERE known_until_step IS NULL AND battery_key = ANY (%(keys)s) AND jsonb_typeof(metadata -> 'model') = 'string';

-- confirmed --
-- Of alerts whose newest finding is not deep enough yet: the gravest of those that are.
SELECT encode(alert, 'hex'), (array_agg(severity ORDER BY array_position(ARRAY['warning', 'high', 'critical'], severity)
                              DESC))[1]
  FROM (SELECT alerts.alert, findings.severity
          FROM alerts JOIN findings USING (battery_key, deployment, rule)
         WHERE alerts.known_until_step IS NULL AND alerts.last_height > %(height)s AND alerts.first_height <= %(height)s
           AND findings.known_until_step IS NULL AND findings.height <= %(height)s
           AND findings.severity IN ('warning', 'high', 'critical')
         UNION ALL
        SELECT alert, severity FROM fleet_findings
         WHERE known_until_step IS NULL AND height <= %(height)s AND severity IN ('warning', 'high', 'critical'))
    AS deep
 GROUP BY alert;

-- told --
-- Of each alert, route and sink: its newest notice, the newest that was not dropped, and what of the latter's episode
-- went into a message last.
SELECT newest.key AS newest_key, last.key AS last_key, bound.key AS bound_key
  FROM (SELECT DISTINCT ON (alert, route, sink) alert, route, sink, key FROM cellwitness_people.alert_notices
         ORDER BY alert, route, sink, turn DESC) AS newest
  LEFT JOIN LATERAL (SELECT key, episode FROM cellwitness_people.alert_notices AS notice
         WHERE (notice.alert, notice.route, notice.sink) = (newest.alert, newest.route, newest.sink) AND dropped IS NULL
         ORDER BY turn DESC LIMIT 1) AS last ON true
  LEFT JOIN LATERAL (SELECT key FROM cellwitness_people.alert_notices AS notice
         WHERE (notice.alert, notice.route, notice.sink) = (newest.alert, newest.route, newest.sink)
           AND notice.episode = last.episode AND send IS NOT NULL
         ORDER BY turn DESC LIMIT 1) AS bound ON true;

-- notices --
SELECT encode(key, 'hex') AS key, encode(alert, 'hex') AS alert, route, sink, turn, episode, kind, severity, said, log,
       step, height, noted_at
  FROM cellwitness_people.alert_notices
 WHERE key = ANY (%(keys)s);

-- held --
SELECT key FROM cellwitness_people.alert_notices WHERE send IS NULL AND dropped IS NULL ORDER BY notice_number;

-- recent --
SELECT route, sink, made_at FROM cellwitness_people.alert_sends
 WHERE route = %(route)s AND made_at > now() - make_interval(secs => 60 * %(minutes)s);

-- add_notice --
INSERT INTO cellwitness_people.alert_notices
       (key, alert, route, sink, turn, episode, kind, severity, said, log, step, height, noted_at)
VALUES (%(key)s, %(alert)s, %(route)s, %(sink)s, %(turn)s, %(episode)s, %(kind)s, %(severity)s, %(said)s, %(log)s,
        %(step)s, %(height)s, %(noted_at)s);

-- drop_notice --
UPDATE cellwitness_people.alert_notices SET dropped = %(why)s WHERE key = %(key)s AND send IS NULL;

-- add_message --
INSERT INTO cellwitness_people.alert_sends (key, route, sink, body)
VALUES (%(key)s, %(route)s, %(sink)s, %(body)s);

-- bind --
UPDATE cellwitness_people.alert_notices SET send = %(key)s WHERE key = ANY (%(notices)s) AND send IS NULL;

-- next --
-- The next that may be tried: none before which something of the same alert still waits, or failed.
SELECT key, body, attempts, extract(epoch FROM now())::double precision AS now
  FROM cellwitness_people.alert_sends AS send
 WHERE sink = %(sink)s AND state = 'waiting' AND next_try_at <= now()
   AND NOT EXISTS (SELECT FROM cellwitness_people.alert_notices AS mine
                     JOIN cellwitness_people.alert_notices AS earlier USING (alert, sink)
                     JOIN cellwitness_people.alert_sends AS before ON before.key = earlier.send
                    WHERE mine.send = send.key AND before.send_number < send.send_number
                      AND before.state IN ('waiting', 'failed'))
 ORDER BY next_try_at, send_number LIMIT 1;

-- mark --
UPDATE cellwitness_people.alert_sends
   SET state = %(state)s, attempts = attempts + 1, last_error = %(error)s,
       next_try_at = now() + make_interval(secs => %(after_seconds)s),
       ended_at = CASE WHEN %(state)s = 'waiting' THEN NULL ELSE now() END
 WHERE key = %(key)s AND state = 'waiting';

-- firing --
-- What a sink was told last of each alert and route: to be told again to one that forgets. Resolutions for a quarter of
-- an hour only.
SELECT said FROM (
    SELECT DISTINCT ON (alert, notice.route) notice_number, kind, said, ended_at
      FROM cellwitness_people.alert_notices AS notice
      JOIN cellwitness_people.alert_sends AS sends ON sends.key = notice.send
     WHERE notice.sink = %(sink)s AND sends.state = 'sent'
     ORDER BY alert, notice.route, turn DESC) AS last
 WHERE kind NOT IN ('withdrawn', 'closed', 'unrouted') OR ended_at > now() - interval '15 minutes'
 ORDER BY notice_number;

-- list_sends --
SELECT encode(sends.key, 'hex') AS key, sends.route, sends.sink, sends.state, attempts, next_try_at, last_error, made_at,
       ended_at, array_agg(encode(notice.alert, 'hex') ORDER BY notice_number) AS alerts,
       array_agg(notice.kind ORDER BY notice_number) AS kinds
  FROM cellwitness_people.alert_sends AS sends JOIN cellwitness_people.alert_notices AS notice ON notice.send = sends.key
 WHERE (%(states)s::text[] IS NULL OR state = ANY (%(states)s)) AND (%(sink)s::text IS NULL OR sends.sink = %(sink)s)
 GROUP BY sends.send_number
 ORDER BY sends.send_number DESC LIMIT %(limit)s;

-- list_held --
SELECT encode(key, 'hex') AS key, encode(alert, 'hex') AS alert, route, sink, kind, severity, noted_at
  FROM cellwitness_people.alert_notices WHERE send IS NULL AND dropped IS NULL
   AND (%(sink)s::text IS NULL OR sink = %(sink)s)
 ORDER BY notice_number LIMIT %(limit)s;

-- story --
SELECT encode(notice.key, 'hex') AS key, notice.route, notice.sink, turn, episode, kind, notice.severity, noted_at, dropped,
       encode(send, 'hex') AS message, state, attempts, last_error, ended_at
  FROM cellwitness_people.alert_notices AS notice
  LEFT JOIN cellwitness_people.alert_sends AS sends ON sends.key = notice.send
 WHERE alert = %(alert)s ORDER BY notice_number;

-- retry --
UPDATE cellwitness_people.alert_sends SET state = 'waiting', next_try_at = now(), ended_at = NULL
 WHERE state IN ('failed', 'waiting') AND (%(sink)s::text IS NULL OR sink = %(sink)s)
   AND (%(low)s::bytea IS NULL OR key BETWEEN %(low)s AND %(high)s)
RETURNING encode(key, 'hex');

-- give_up --
UPDATE cellwitness_people.alert_sends SET state = 'dropped', ended_at = now()
 WHERE state IN ('failed', 'waiting') AND key BETWEEN %(low)s AND %(high)s
RETURNING encode(key, 'hex');

-- counts --
SELECT sink, count(*) FILTER (WHERE state = 'waiting'), count(*) FILTER (WHERE state = 'failed'),
       coalesce(extract(epoch FROM now() - min(made_at) FILTER (WHERE state = 'waiting')), 0)::double precision
  FROM cellwitness_people.alert_sends WHERE state IN ('waiting', 'failed') GROUP BY sink;

-- count_held --
SELECT route, count(*) FROM cellwitness_people.alert_notices WHERE send IS NULL AND dropped IS NULL GROUP BY route;
