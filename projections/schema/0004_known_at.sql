-- When a step came to be known here, by the database's clock: what "as it was known at 14:02" is answered by. NULL for
-- steps that were projected before this was kept.
ALTER TABLE steps ADD COLUMN known_at timestamptz;
ALTER TABLE steps ALTER COLUMN known_at SET DEFAULT now();
CREATE INDEX steps_known_at ON steps (known_at);
