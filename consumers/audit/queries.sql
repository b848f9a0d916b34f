What an exporter asks of the tables.

-- find_readings --
-- By fact, event or transaction; after a step.
SELECT deployment, encode(battery_key, 'hex'), encode(fact, 'hex') FROM readings
 WHERE (fact = %(id)s OR event_id = %(id)s OR transaction = %(id)s)
   AND known_from_step <= %(step)s AND (known_until_step IS NULL OR known_until_step > %(step)s)
 ORDER BY height, transaction_index, event_index;
