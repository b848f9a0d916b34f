-- A battery's newest lines without the rest. What bounds the age of its readings is transactions of the operator's, which
-- are few: found by this, they need not be looked for among all that was ever said of the battery.
CREATE INDEX events_of_operator ON events (battery_key, deployment)
    WHERE type IN ('passport_registered', 'passport_updated', 'reporting_account_updated', 'reporting_account_closed');
