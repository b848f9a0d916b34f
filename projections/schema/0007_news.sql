-- What a dashboard asks at each step: alerts that a step raised or took back, and the rollbacks among all steps.
CREATE INDEX alerts_raised ON alerts (known_from_step);
CREATE INDEX alerts_ended ON alerts (known_until_step) WHERE known_until_step IS NOT NULL;
CREATE INDEX steps_rollbacks ON steps (step) WHERE kind = 'rollback';
