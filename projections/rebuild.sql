Queries of a rebuild, by name. {live}, {next} and {old} stand for schemas: the tables in use, the new ones, the former.

-- lock_rebuild --
SELECT pg_try_advisory_lock(%(space)s, 0);

-- live_identity --
-- Tables of an earlier version have no column that says what judged them.
SELECT digest, fold_version, to_jsonb(identity) -> 'judged_by' FROM {live}.log_identity AS identity;

-- make_deferred --
CREATE TABLE {next}.deferred_indexes (name text PRIMARY KEY, definition text NOT NULL);

-- note_deferred --
-- Those by which a worker finds no row: a load is faster without them. The unique ones it needs.
INSERT INTO {next}.deferred_indexes (name, definition)
SELECT indexname, indexdef FROM pg_indexes
 WHERE schemaname = %(schema)s AND tablename = ANY (%(tables)s) AND indexdef LIKE 'CREATE INDEX %%'
RETURNING name;

-- read_deferred --
SELECT name, definition FROM {next}.deferred_indexes ORDER BY name;

-- made_deferred --
DELETE FROM {next}.deferred_indexes WHERE name = %(name)s;

-- hold_live --
-- Workers wait here; one that is in the middle of a batch ends it first.
LOCK TABLE {live}.checkpoints IN ACCESS EXCLUSIVE MODE;

-- count_behind --
SELECT count(*) FROM {live}.checkpoints AS live
  LEFT JOIN {next}.checkpoints AS next USING (projection, partition)
 WHERE live.last_step > coalesce(next.last_step, -1);

-- fence_all --
-- Every worker of either schema has to take its partitions anew, and to look at the tables before it does.
UPDATE {next}.checkpoints
   SET owner = NULL,
       owner_epoch = 1 + greatest(owner_epoch, (SELECT coalesce(max(owner_epoch), 0) FROM {live}.checkpoints));

-- forget_workers --
DELETE FROM {next}.workers;

-- raise_numbers --
SELECT setval(%(sequence)s::regclass, greatest((SELECT last_value FROM {next}.worker_numbers),
                                               (SELECT last_value FROM {live}.worker_numbers)));

-- keep_known_at --
-- A step came to be known when it first did, and not when the tables were built again.
UPDATE {next}.steps SET known_at = live.known_at
  FROM {live}.steps AS live WHERE live.step = steps.step AND live.known_at IS DISTINCT FROM steps.known_at;

-- forget_fleets --
TRUNCATE {next}.fleet_findings, {next}.fleet_runs;

-- keep_fleet_findings --
INSERT INTO {next}.fleet_findings (alert, deployment, subject, subject_kind, rule, number, rule_version, rule_set, severity,
                                   "values", thresholds, slot, height, found_at, known_from_step, known_until_step)
SELECT alert, deployment, subject, subject_kind, rule, number, rule_version, rule_set, severity,
       "values", thresholds, slot, height, found_at, known_from_step, known_until_step FROM {live}.fleet_findings;

-- keep_fleet_runs --
INSERT INTO {next}.fleet_runs (step, ran_at, seconds, findings)
SELECT step, ran_at, seconds, findings FROM {live}.fleet_runs;

-- note_rebuild --
INSERT INTO cellwitness_people.rebuilds (began_at, outcome, equal, step, records)
SELECT (SELECT min(applied_at) FROM {next}.migrations), %(outcome)s, %(equal)s, coalesce(min(last_step), -1),
       coalesce(sum(last_seq + 1), 0)
  FROM {next}.checkpoints;

-- drop_deferred --
DROP TABLE {next}.deferred_indexes;

-- retire --
ALTER SCHEMA {live} RENAME TO {old};

-- put_in_place --
ALTER SCHEMA {next} RENAME TO {live};

-- drop_old --
DROP SCHEMA IF EXISTS {old} CASCADE;

-- drop_next --
DROP SCHEMA IF EXISTS {next} CASCADE;
