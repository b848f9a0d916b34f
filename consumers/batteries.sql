Batteries by what they have in common, by name; consumers/counted.py says what {stands}, {raised} and {known} stand for.
%(slot)s: up to this slot of the chain, or NULL. Every other parameter that is NULL narrows nothing.

-- list_batteries --
-- The gravest first. Readings are looked at only where something is asked of them.
WITH read AS (
    SELECT DISTINCT battery_key, deployment
      FROM (SELECT * FROM readings WHERE {known} AND (%(slot)s::bigint IS NULL OR slot <= %(slot)s)) AS readings
      LEFT JOIN (SELECT battery_key, deployment, fact, ledger, crypto, binding, plausibility FROM verdicts WHERE {known})
        AS verdicts USING (battery_key, deployment, fact)
     WHERE (%(read_from)s::bigint IS NULL OR slot >= %(read_from)s)
       AND (%(read_to)s::bigint IS NULL OR slot <= %(read_to)s)
       AND (%(cycles_from)s::bigint IS NULL OR cycle_count >= %(cycles_from)s)
       AND (%(cycles_to)s::bigint IS NULL OR cycle_count <= %(cycles_to)s)
       AND (%(verdict)s::text IS NULL OR %(result)s = CASE %(verdict)s WHEN 'ledger' THEN ledger WHEN 'crypto' THEN crypto
                                                        WHEN 'binding' THEN binding ELSE plausibility END)
       AND (%(worth)s::text IS NULL OR %(worth)s = CASE WHEN rejected THEN 'rejected'
                WHEN 'failed' IN (ledger, crypto, binding, plausibility) THEN 'failed' ELSE 'passed' END)
)
SELECT deployment, encode(battery_key, 'hex') AS battery_key, battery_id_text, model, chemistry, status, soh_bp, cycle_count,
       slot, time, counting AS readings, coalesce(critical, 0) AS critical, coalesce(high, 0) AS high,
       coalesce(warning, 0) AS warning, coalesce(rules, '{{}}') AS rules, count(*) OVER () AS total
  FROM {stands} AS stands
  LEFT JOIN {raised} AS raised USING (battery_key, deployment)
 WHERE (%(model)s::text IS NULL OR model = %(model)s)
   AND (NOT %(no_passport)s OR NOT has_passport)
   AND (%(search)s::text IS NULL OR position(%(search)s IN lower(battery_id_text)) > 0
        OR starts_with(encode(battery_key, 'hex'), %(search)s) OR starts_with(encode(bms_public_key, 'hex'), %(search)s)
        OR position(%(search)s IN lower(model)) > 0)
   AND (%(rule)s::text IS NULL OR %(rule)s = ANY (rules))
   AND (%(severity)s::text IS NULL OR CASE %(severity)s WHEN 'critical' THEN critical WHEN 'high' THEN high
                                           ELSE warning END > 0)
   AND (NOT %(never)s OR time IS NULL)
   AND (%(silent_from)s::timestamptz IS NULL OR time > %(silent_from)s)
   AND (%(silent_to)s::timestamptz IS NULL OR time <= %(silent_to)s)
   AND (NOT %(of_readings)s OR (battery_key, deployment) IN (SELECT battery_key, deployment FROM read))
 ORDER BY critical DESC NULLS LAST, high DESC NULLS LAST, warning DESC NULLS LAST, battery_id_text, battery_key
 LIMIT %(limit)s OFFSET %(offset)s;

-- courses_of --
-- State of health of each of these batteries, in order: the newest hundred readings that count.
SELECT encode(battery_key, 'hex') AS battery_key, deployment,
       array_agg(soh_bp::integer ORDER BY height, transaction_index) AS course
  FROM (SELECT battery_key, deployment, soh_bp, height, transaction_index,
               row_number() OVER (PARTITION BY battery_key, deployment ORDER BY height DESC) AS newest
          FROM (SELECT * FROM readings WHERE {known} AND (%(slot)s::bigint IS NULL OR slot <= %(slot)s)
                   AND battery_key = ANY (%(listed)s)) AS readings
          LEFT JOIN (SELECT battery_key, deployment, fact, crypto, binding, quarantined FROM verdicts
                      WHERE {known} AND battery_key = ANY (%(listed)s)) AS verdicts USING (battery_key, deployment, fact)
         WHERE NOT rejected AND soh_bp BETWEEN 0 AND 15000
           AND coalesce(crypto = 'passed' AND binding = 'passed' AND NOT quarantined, NOT account_unproven)) AS counting
 WHERE newest <= 100
 GROUP BY battery_key, deployment;

-- newest_time --
SELECT max(last_time) FROM {stands} AS stands;
