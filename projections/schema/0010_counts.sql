-- A fleet's readings, counted up to a step, so that nobody who looks at a fleet waits for a million rows. Counted anew
-- or carried on by projections/counts.py; no part of the digests, and made again from the other tables at any time.

-- Which batteries a run of steps touched: events are written in the order of their steps, and those taken back are few.
CREATE INDEX events_steps ON events USING brin (known_from_step) WITH (autosummarize = on);
CREATE INDEX events_retracted ON events (known_until_step) WHERE known_until_step IS NOT NULL;

-- The step up to which the four tables below count. No row: they count nothing, whatever they hold.
CREATE TABLE fleet_counted (
    only_one         boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    version          integer NOT NULL,         -- of what is counted and how: another one counts anew
    step             bigint NOT NULL,
    counted_at       timestamptz NOT NULL DEFAULT now(),
    seconds          double precision NOT NULL
);

-- Each battery: its readings, and the newest that counts.
CREATE TABLE fleet_stands (
    battery_key      bytea NOT NULL,
    deployment       text NOT NULL,
    battery_id_text  text,
    model            text,
    manufacturer     text,
    chemistry        text,
    status           text,
    bms_public_key   bytea,
    has_passport     boolean NOT NULL,
    seen             integer NOT NULL,         -- readings, whatever they are worth
    in_effect        integer NOT NULL,         -- neither rejected nor on an unproven account
    rejected         integer NOT NULL,
    unproven         integer NOT NULL,
    counting         integer NOT NULL,         -- signed, bound to a challenge, in effect, not put aside
    first_time       timestamptz,              -- of all readings
    last_time        timestamptz,
    soh_bp           integer,                  -- from here: of the newest reading that counts
    cycle_count      integer,
    slot             bigint,
    time             timestamptz,
    PRIMARY KEY (battery_key, deployment)
);

-- Readings that count, by model, cycles (exact to 32, to a sixteenth of them above) and health in tenths of a percent.
CREATE TABLE fleet_fade (
    model            text,
    cycles_low       integer NOT NULL,
    cycles_high      integer NOT NULL,
    soh_bp           integer NOT NULL,         -- from here, less than 10 above
    readings         bigint NOT NULL
);
CREATE UNIQUE INDEX fleet_fade_key ON fleet_fade (cycles_low, soh_bp, (coalesce(model, '')), (model IS NULL));

-- Readings in each hour of the chain by the worst of their verdicts.
CREATE TABLE fleet_hours (
    hour             timestamptz PRIMARY KEY,
    passed           bigint NOT NULL,
    failed           bigint NOT NULL,
    not_assessable   bigint NOT NULL,
    rejected         bigint NOT NULL,
    first_slot       bigint NOT NULL,          -- in which a reading was seen, on whichever fork
    last_slot        bigint NOT NULL
);

CREATE TABLE fleet_mix (
    verdict          text NOT NULL,
    result           text NOT NULL,
    readings         bigint NOT NULL,
    batteries        bigint NOT NULL,
    PRIMARY KEY (verdict, result)
);

-- As before, but what people did last is looked up once for all alerts, and not for each of ten thousands.
-- Every alert that stands now, with what people did last. Closed: by a person, and nothing was found since that he did
-- not know of; of a fleet's alert, nothing graver.
CREATE OR REPLACE VIEW alert_states AS
WITH raised AS (
    SELECT alert, deployment, encode(battery_key, 'hex') AS subject, 'battery' AS subject_kind, battery_key, rule,
           severity, findings, first_slot, first_height, first_time, last_fact, last_slot, last_height, last_time
      FROM alerts WHERE known_until_step IS NULL
    UNION ALL
    SELECT alert, deployment, subject, subject_kind, CASE subject_kind WHEN 'battery' THEN decode(subject, 'hex') END,
           rule, (array_agg(severity ORDER BY array_position(ARRAY['warning', 'high', 'critical'], severity) DESC))[1],
           count(*)::integer, min(slot), min(height), min(found_at), NULL, max(slot), max(height), max(found_at)
      FROM fleet_findings WHERE known_until_step IS NULL AND severity IN ('warning', 'high', 'critical')
     GROUP BY alert, deployment, subject, subject_kind, rule
)
SELECT raised.*,
       CASE WHEN act = 'ack' THEN 'acknowledged'
            WHEN act = 'close' AND (last_fact = ANY (facts)
                 OR last_fact IS NULL AND array_position(ARRAY['warning', 'high', 'critical'], raised.severity)
                                       <= array_position(ARRAY['warning', 'high', 'critical'], last.severity))
            THEN 'closed' ELSE 'open' END AS state,
       act AS last_act, who, at, why
  FROM raised
  LEFT JOIN (SELECT DISTINCT ON (alert) alert, act, who, at, why, facts, severity FROM cellwitness_people.alert_acts
              WHERE act <> 'note' ORDER BY alert, act_number DESC) AS last ON last.alert = raised.alert;
