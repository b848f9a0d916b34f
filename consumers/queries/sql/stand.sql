Where the tables stand, by name.

-- consistent --
-- What all partitions hold: the least of their last steps; and what any does. One that nobody ever took holds nothing.
SELECT CASE WHEN count(*) < (SELECT partitions FROM log_identity) THEN -1 ELSE min(last_step) END AS step,
       max(last_step) AS newest
  FROM checkpoints WHERE projection = 'timeline';

-- step --
SELECT step, slot, height, block, final_height, tip_height FROM steps WHERE step = %(step)s;

-- clock --
-- The chain's slot at the height that is looked at, as far as steps tell it: what is not known to be past has not expired.
SELECT coalesce((SELECT slot FROM steps WHERE step <= %(step)s AND height <= %(until_height)s
                  ORDER BY step DESC LIMIT 1), -1) AS slot;

-- next_known_at --
-- What was known after a step was known until the next one came.
SELECT (SELECT known_at FROM steps WHERE step > %(step)s AND known_at IS NOT NULL ORDER BY step LIMIT 1) AS at;

-- judged_by --
SELECT (SELECT judged_by FROM log_identity) AS judged_by;
