What there is to save in a database, by the catalogue: a table that a later version adds is saved without a word here.

-- schemas --
SELECT nspname FROM pg_namespace WHERE nspname LIKE %(pattern)s AND nspname <> ALL (%(but)s) ORDER BY nspname;

-- tables --
-- Ordinary tables with their columns (generated ones left out) and those of the primary key. A table that another one
-- refers to comes before it.
WITH RECURSIVE ours AS (
    SELECT c.oid, n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE n.nspname = ANY (%(schemas)s) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
), deep AS (
    SELECT oid, 0 AS depth FROM ours
    UNION
    SELECT f.conrelid, depth + 1 FROM deep JOIN pg_constraint AS f ON f.confrelid = deep.oid AND f.contype = 'f'
     WHERE f.conrelid <> f.confrelid AND depth < 32
)
SELECT nspname, relname,
       ARRAY(SELECT attname::text FROM pg_attribute
              WHERE attrelid = ours.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum),
       ARRAY(SELECT attname::text FROM pg_constraint
               CROSS JOIN unnest(conkey) WITH ORDINALITY AS k (number, place)
               JOIN pg_attribute ON attrelid = conrelid AND attnum = k.number
              WHERE conrelid = ours.oid AND contype = 'p' ORDER BY place)
  FROM ours JOIN deep USING (oid)
 GROUP BY ours.oid, nspname, relname
 ORDER BY max(depth), nspname, relname;

-- sequences --
SELECT nspname, relname FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace
 WHERE nspname = ANY (%(schemas)s) AND relkind = 'S' ORDER BY nspname, relname;

-- offsets --
-- An offset is the log engine's own: of the restored log it may be another. Nobody owns a partition yet.
UPDATE cellwitness.checkpoints SET next_offset = %(next_offset)s, owner = NULL
 WHERE projection = %(projection)s AND partition = %(partition)s;
