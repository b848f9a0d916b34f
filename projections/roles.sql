What each role may do, by name. {schema} stands for the tables' schema, {database} for the database.
Group roles without a login: `GRANT cellwitness_reader TO somebody` makes somebody a reader.

-- owner --
-- Migrates and rebuilds.
GRANT CREATE, CONNECT ON DATABASE {database} TO cellwitness_owner;
ALTER SCHEMA {schema} OWNER TO cellwitness_owner;
ALTER SCHEMA cellwitness_people OWNER TO cellwitness_owner;

-- everybody --
REVOKE ALL ON SCHEMA {schema} FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA {schema}
  FROM PUBLIC, cellwitness_writer, cellwitness_reader, cellwitness_auditor, cellwitness_alerter;
GRANT USAGE ON SCHEMA {schema} TO cellwitness_writer, cellwitness_reader, cellwitness_auditor, cellwitness_alerter;

-- writer --
-- The worker. It adds versions and ends them: what was once known it can neither change nor delete.
GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO cellwitness_writer;
GRANT INSERT ON {schema}.log_identity, {schema}.checkpoints, {schema}.steps, {schema}.events, {schema}.batteries,
                {schema}.commitments, {schema}.readings, {schema}.verdicts, {schema}.findings, {schema}.alerts,
                {schema}.fleet_findings, {schema}.fleet_runs, {schema}.states, {schema}.parked, {schema}.workers
   TO cellwitness_writer;
GRANT UPDATE (known_until_step) ON {schema}.events, {schema}.batteries, {schema}.commitments, {schema}.readings,
                {schema}.verdicts, {schema}.findings, {schema}.alerts, {schema}.fleet_findings
   TO cellwitness_writer;
GRANT UPDATE ON {schema}.checkpoints, {schema}.workers TO cellwitness_writer;
GRANT UPDATE (state) ON {schema}.states TO cellwitness_writer;
GRANT UPDATE (reason, ended_how, ended_at) ON {schema}.parked TO cellwitness_writer;
GRANT DELETE ON {schema}.workers TO cellwitness_writer;
-- What it counts is made of the rest, and again whenever it has to be.
GRANT INSERT, UPDATE, DELETE ON {schema}.fleet_counted, {schema}.fleet_stands, {schema}.fleet_fade, {schema}.fleet_hours,
                {schema}.fleet_mix
   TO cellwitness_writer;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO cellwitness_writer;

-- reader --
-- The dashboard: answers, and how far they are. Not the fold's memory.
GRANT SELECT ON {schema}.log_identity, {schema}.checkpoints, {schema}.steps, {schema}.events, {schema}.batteries,
                {schema}.commitments, {schema}.readings, {schema}.verdicts, {schema}.findings, {schema}.alerts,
                {schema}.alert_states, {schema}.fleet_findings, {schema}.fleet_runs, {schema}.parked, {schema}.workers,
                {schema}.passports, {schema}.acts, {schema}.fleet_counted, {schema}.fleet_stands, {schema}.fleet_fade,
                {schema}.fleet_hours, {schema}.fleet_mix
   TO cellwitness_reader;
GRANT SELECT (battery_key, deployment, partition) ON {schema}.states TO cellwitness_reader;

-- auditor --
-- Reads everything, so that it can compare it with the log, and save it.
GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO cellwitness_auditor;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO cellwitness_auditor;

-- people --
-- What people did about alerts, and what they asked, is added to, and never changed. It has no place in a schema that
-- is built anew. Whoever asks writes down what he asks, and neither when nor as whom: that is PostgreSQL's to say.
REVOKE ALL ON SCHEMA cellwitness_people FROM PUBLIC;
GRANT USAGE ON SCHEMA cellwitness_people TO cellwitness_auditor, cellwitness_alerter, cellwitness_reader;
GRANT SELECT ON cellwitness_people.alert_acts TO cellwitness_auditor, cellwitness_alerter, cellwitness_reader;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA cellwitness_people TO cellwitness_auditor;
GRANT INSERT ON cellwitness_people.alert_acts TO cellwitness_alerter;
GRANT SELECT ON cellwitness_people.questions TO cellwitness_auditor;
GRANT INSERT (who, profile, legal_basis, what, parameters, as_of_slot, known_at, finality, outcome, reason, step, slot,
              block, rows, format)
   ON cellwitness_people.questions TO cellwitness_reader, cellwitness_auditor;
GRANT SELECT ON cellwitness_people.rebuilds TO cellwitness_auditor, cellwitness_reader;
-- What is sent outside about alerts is never taken back: its key and its bytes stay, whatever becomes of it.
GRANT SELECT ON cellwitness_people.alert_sends, cellwitness_people.alert_notices
   TO cellwitness_auditor, cellwitness_alerter;
GRANT INSERT ON cellwitness_people.alert_sends, cellwitness_people.alert_notices TO cellwitness_alerter;
GRANT UPDATE (state, attempts, next_try_at, last_error, ended_at) ON cellwitness_people.alert_sends
   TO cellwitness_alerter;
GRANT UPDATE (send, dropped) ON cellwitness_people.alert_notices TO cellwitness_alerter;

-- doorkeeper --
-- Sessions of browsers, and nothing else. What somebody may do stands in none of them.
GRANT USAGE ON SCHEMA cellwitness_people TO cellwitness_doorkeeper;
GRANT SELECT, INSERT, DELETE, UPDATE (legal_basis, seen_at) ON cellwitness_people.sessions TO cellwitness_doorkeeper;

-- alerter --
-- Reads what alerts are made of, rows and not the events as they came; notes what people did about them, and sends them.
GRANT SELECT ON {schema}.log_identity, {schema}.checkpoints, {schema}.steps, {schema}.batteries, {schema}.commitments,
                {schema}.readings, {schema}.verdicts, {schema}.findings, {schema}.alerts, {schema}.alert_states,
                {schema}.fleet_findings, {schema}.fleet_runs
   TO cellwitness_alerter;
