A fleet by one statement a table, as a server would hold it, by name.

-- batteries --
INSERT INTO batteries (deployment, battery_key, battery_id, battery_id_text, bms_public_key, metadata, registered_slot,
                       last_reading_slot, readings_submitted, readings_rejected, readings_unproven, commitments_minted,
                       commitments_open, quarantined, slot, height, block, known_from_step)
SELECT 'test', key, ('urn:many:' || b)::bytea, 'urn:many:' || b, sha256(b::text::bytea),
       jsonb_build_object('model', 'M' || b %% 20, 'manufacturer', 'Maker'), b, 100, 1, 0, 0, 1, 0, 0, b, b, sha256('b'), 1
  FROM generate_series(1, %(batteries)s) AS b, substring(sha256(('battery ' || b)::bytea) FOR 28) AS key;

-- readings --
INSERT INTO readings (deployment, battery_key, fact, event_id, transaction, transaction_index, event_index, slot, height,
                      block, time, rejected, account_unproven, form, departures, public_key, counter, soh_bp, cycle_count,
                      counter_kind, commitment, temp_max_c, known_from_step)
SELECT 'test', key, fact, fact, fact, 0, 0, slot, slot, sha256('b'), time, false, false, 'commitment-v2', '{}',
       sha256(b::text::bytea), r, 10000 - r * (1 + b %% 7), r * 3, CASE WHEN r %% 9 = 0 THEN 'gap' ELSE 'next' END, fact,
       20 + b %% 50, 1
  FROM many;

-- verdicts --
INSERT INTO verdicts (deployment, battery_key, fact, event_id, slot, height, block, time, rule_set, ledger, crypto, binding,
                      plausibility, ledger_reasons, crypto_reasons, binding_reasons, plausibility_reasons, signed,
                      quarantined, rules_not_assessable, checks, known_from_step)
SELECT 'test', key, fact, fact, slot, slot, sha256('b'), time, 1, 'passed', 'passed', 'passed', 'passed', '{}', '{}', '{}',
       '{}', true, false, '{}', '{}', 1
  FROM many;

-- findings --
INSERT INTO findings (deployment, battery_key, fact, rule, number, rule_version, rule_set, severity, event_id, transaction,
                      slot, height, block, time, "values", thresholds, known_from_step)
SELECT 'test', key, fact, 'R07', 0, 1, 1, 'warning', fact, fact, slot, slot, sha256('b'), time, '{}', '{}', 1
  FROM many WHERE r %% 9 = 0;

-- alerts --
INSERT INTO alerts (alert, deployment, battery_key, rule, severity, findings, first_fact, first_slot, first_height, first_block,
                    first_time, last_fact, last_slot, last_height, last_block, last_time, known_from_step)
SELECT substring(sha256(key || 'R07'::bytea) FOR 10), 'test', key, 'R07', 'warning', count(*),
       (array_agg(fact ORDER BY slot))[1], min(slot), min(slot), sha256('b'), min(time),
       (array_agg(fact ORDER BY slot DESC))[1], max(slot), max(slot), sha256('b'), max(time), 1
  FROM many WHERE r %% 9 = 0 GROUP BY key;

-- earlier_alerts --
-- Each finding but the last was a version of its own.
INSERT INTO alerts (alert, deployment, battery_key, rule, severity, findings, first_fact, first_slot, first_height, first_block,
                    first_time, last_fact, last_slot, last_height, last_block, last_time, known_from_step, known_until_step)
SELECT substring(sha256(key || 'R07'::bytea) FOR 10), 'test', key, 'R07', 'warning', r / 9, fact, slot, slot, sha256('b'),
       time, fact, slot, slot, sha256('b'), time, 0, 1
  FROM many WHERE r %% 9 = 0 AND r + 9 <= %(readings)s;

-- earlier_batteries --
-- As was each reading of the battery's row.
INSERT INTO batteries (deployment, battery_key, battery_id, battery_id_text, bms_public_key, metadata, registered_slot,
                       last_reading_slot, readings_submitted, readings_rejected, readings_unproven, commitments_minted,
                       commitments_open, quarantined, slot, height, block, known_from_step, known_until_step)
SELECT 'test', key, ('urn:many:' || b)::bytea, 'urn:many:' || b, sha256(b::text::bytea),
       jsonb_build_object('model', 'M' || b %% 20, 'manufacturer', 'Maker'), b, slot, r, 0, 0, r, 0, 0, slot, slot,
       sha256('b'), 0, 1
  FROM many;

-- commitments --
INSERT INTO commitments (deployment, battery_key, fact, transaction, output_index, token_name, user_pkh, status, slot,
                         height, block, time, ended_how, ended_fact, ended_transaction, ended_slot, ended_height, age_slots,
                         max_age_slots, known_from_step)
SELECT 'test', key, fact, fact, 0, 't', substring(sha256(('user ' || b %% 500)::bytea) FOR 28), 'consumed', slot, slot,
       sha256('b'), time, 'reading', fact, fact, slot, slot, 10, 3600, 1
  FROM many;

-- events --
INSERT INTO events (deployment, battery_key, height, transaction_index, event_index, slot, block, time, fact, event_id,
                    incarnation, type, transaction, body, known_from_step)
SELECT 'test', key, slot, 0, 0, slot, sha256('b'), time, fact, fact, 1,
       CASE r WHEN 1 THEN 'passport_registered' ELSE 'reading_submitted' END, fact,
       convert_to(jsonb_build_object('metadata', jsonb_build_object('model', 'M' || b %% 20), 'bms_public_key',
                  '02' || md5(b::text), 'cose', repeat('ab', 200), 'redeemer', repeat('ab', 220))::text, 'UTF8'), 1
  FROM many;
