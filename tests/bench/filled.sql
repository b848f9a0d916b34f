How one battery's life is told again and again, by name. A slot is a block here, later and later by %(slots)s.

-- most_read --
SELECT deployment, battery_key, count(*), max(slot) - min(slot) + 1 FROM readings
 WHERE known_until_step IS NULL AND NOT rejected AND deployment <> 'test'
 GROUP BY deployment, battery_key ORDER BY count(*) DESC LIMIT 1;

-- again --
INSERT INTO {table} ({columns})
SELECT {values} FROM {table}, generate_series(1, %(copies)s) AS copy
 WHERE battery_key = %(key)s AND deployment = %(deployment)s AND known_until_step IS NULL AND {which};

-- which_events --
type IN ('commitment_minted', 'commitment_closed', 'reading_submitted', 'reading_rejected')

-- moved_fact --
sha256({} || int4send(copy))

-- moved_event_id --
sha256({} || int4send(copy))

-- moved_commitment --
sha256({} || int4send(copy))

-- moved_ended_fact --
sha256({} || int4send(copy))

-- moved_slot --
{} + copy * %(slots)s

-- moved_height --
{} + copy * %(slots)s

-- moved_time --
{} + copy * %(slots)s * interval '1 second'

-- moved_ended_slot --
{} + copy * %(slots)s

-- moved_ended_height --
{} + copy * %(slots)s

-- stands_later --
UPDATE checkpoints SET slot = slot + %(copies)s * %(slots)s, height = height + %(copies)s * %(slots)s,
       tip_height = tip_height + %(copies)s * %(slots)s;

-- steps_later --
UPDATE steps SET slot = slot + %(copies)s * %(slots)s, height = height + %(copies)s * %(slots)s
 WHERE step = (SELECT max(step) FROM steps);

-- reads_more --
UPDATE batteries SET readings_submitted = readings_submitted * (%(copies)s + 1)
 WHERE battery_key = %(key)s AND deployment = %(deployment)s AND known_until_step IS NULL;
