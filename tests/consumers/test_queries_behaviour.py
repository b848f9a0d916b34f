"""Queries about identity and behaviour, beside the devnet's labels and a short fold of its facts."""

from collections import Counter, defaultdict

from consumers.alerts import Selection, list_alerts
from indexer.events import CommitmentMinted
from projections.database import connect
from projections.rules.model import ALERTING
from tests.consumers.labelled import Labelled
from tests.consumers.told import models, passports, readings, rows_of
from tests.judge.fleet import _commitments as committed


def test_counters_out_of_order_are_those_of_a_fold_and_of_the_labels(frauds: Labelled) -> None:
    last: dict[tuple[str, str], int] = {}
    expected: set[tuple[str, str, int | None]] = set()
    for told in readings(frauds):
        counter = told.value("counter")
        if counter is None or told.event.account_unproven:
            continue
        before = last.get((told.event.battery_key, told.key))
        last[told.event.battery_key, told.key] = counter
        if before is not None and counter != before + 1:
            kind = "duplicate" if counter == before else "gap" if counter > before else "regress"
            expected.add((told.event.transaction, kind, counter - before - 1 if kind == "gap" else None))
    rows = rows_of(frauds, "counter-order")
    assert {(row["transaction"].hex(), row["kind"], row["missing"]) for row in rows} == expected
    seen = {row["transaction"].hex(): row["kind"] for row in rows}
    for fraud, kind in {"counter_regress": "regress", "duplicate": "duplicate", "equivocation": "duplicate"}.items():
        done = [label["transaction"] for label in frauds.labels(fraud) if label["kind"] == "submit"]
        assert kind in {seen.get(transaction) for transaction in done}, fraud
    only = rows_of(frauds, "counter-order", kind="regress")
    assert only == [row for row in rows if row["kind"] == "regress"]


def test_shared_keys_are_those_that_two_passports_name(frauds: Labelled) -> None:
    batteries, keys = defaultdict(set), defaultdict(set)
    for battery, stated in passports(frauds).items():
        for _, event in stated:
            batteries[event.bms_public_key].add(battery)
            keys[battery].add(event.bms_public_key)
    rows = rows_of(frauds, "shared-keys")
    shared = {row["public_key"].hex() for row in rows if row["finding"] == "one key, several batteries"}
    assert shared == {key for key, of_key in batteries.items() if len(of_key) > 1}
    assert shared
    several = {row["battery_key"].hex() for row in rows if row["finding"] == "one battery, several keys"}
    assert several == {battery for battery, of_battery in keys.items() if len(of_battery) > 1}
    cloned = {label["battery_id"] for label in frauds.labels("cloned_key")}
    assert cloned <= {row["battery"] for row in rows}
    assert {row["battery"] for row in rows_of(frauds, "shared-keys", battery=min(cloned))} == {min(cloned)}


def test_commitments_that_ran_out_are_counted_by_submitter_and_model(frauds: Labelled) -> None:
    minted: Counter[str] = Counter()
    expired: Counter[str] = Counter()
    of_models: Counter[str] = Counter()
    model = models(frauds)
    for each in committed(frauds.made):
        minted[each.submitter] += 1
        expired[each.submitter] += each.expired
        of_models[model[each.battery]] += 1
    rows = rows_of(frauds, "expired-commitments", days=0)
    submitters = {row["submitter"].hex(): row for row in rows if row["grouped_by"] == "submitter"}
    assert {name: row["minted"] for name, row in submitters.items()} == minted
    assert {name: row["expired"] for name, row in submitters.items() if row["expired"]} == +expired
    assert {row["model"]: row["minted"] for row in rows if row["grouped_by"] == "model"} == of_models
    discarding = {label["user_pkh"] for label in frauds.labels("discarding") if label["kind"] == "commit"}
    assert all(submitters[name]["expired"] for name in discarding)
    assert all(
        row["minted"] >= row["consumed"] + row["open"]
        and abs(float(row["expired_share"]) - 100 * row["expired"] / row["minted"]) < 0.01
        for row in rows
    )


def test_people_with_many_batteries_are_those_of_the_ring_and_the_workshop(frauds: Labelled) -> None:
    batteries = defaultdict(set)
    for fact, _ in frauds.made.facts:
        if isinstance(fact.event, CommitmentMinted):
            batteries[fact.event.user_pkh].add(fact.event.battery_key)
    rows = rows_of(frauds, "busy-submitters")
    assert {row["submitter"].hex(): row["batteries"] for row in rows} == {
        name: len(those) for name, those in batteries.items() if len(those) > 5
    }
    ring = {label["user_pkh"] for label in frauds.labels("ring") if label["kind"] == "commit"}
    assert ring & {row["submitter"].hex() for row in rows}


def test_findings_by_rule_are_those_of_the_judge(frauds: Labelled) -> None:
    expected: Counter[tuple[str, str]] = Counter()
    for _, judged in frauds.made.facts:
        expected.update((finding.rule, finding.severity) for finding in judged.said.findings)
    found: Counter[tuple[str, str]] = Counter()
    for row in rows_of(frauds, "findings-by-rule", days=0):
        found[row["rule"], row["severity"]] += row["findings"]
        assert row["name"]
    assert found == expected
    last = frauds.last_slot
    today = sum(len(judged.said.findings) for fact, judged in frauds.made.facts if fact.slot > last - 86_400)
    assert sum(row["findings"] for row in rows_of(frauds, "findings-by-rule", days=1)) == today
    assert {row["rule"] for row in rows_of(frauds, "findings-by-rule", days=0, rule="R13")} == {"R13"}


def test_failed_signatures_are_counted_by_what_the_message_names(frauds: Labelled) -> None:
    expected: Counter[tuple[int | None, str]] = Counter()
    for told in readings(frauds):
        assert told.judged.verdicts is not None
        expected[told.event.decoded.algorithm, told.judged.verdicts.crypto.result] += 1
    found: Counter[tuple[int | None, str]] = Counter()
    for row in rows_of(frauds, "failed-signatures"):
        found[row["algorithm"], "failed"] += row["failed"]
        found[row["algorithm"], "not_assessable"] += row["not_assessable"]
        found[row["algorithm"], "passed"] += row["readings"] - row["failed"] - row["not_assessable"]
    assert +found == expected
    forged = [each for each in frauds.labels("tampered_payload", "wrong_signer") if each["kind"] == "submit"]
    assert sum(count for (_, result), count in found.items() if result == "failed") >= len(forged) > 0


def test_silent_batteries_are_those_whose_last_reading_is_old(frauds: Labelled) -> None:
    last: dict[str, int] = {}
    for told in readings(frauds):
        if not told.event.account_unproven:
            last[told.event.battery_key] = told.fact.slot
    end = frauds.last_slot
    for days in (0, 1):
        rows = rows_of(frauds, "silent", days=days)
        assert {row["battery_key"].hex(): row["silent_days"] for row in rows} == {
            battery: (end - slot) // 86_400 for battery, slot in last.items() if end - slot > days * 86_400
        }


def test_alerts_by_month_are_the_alerts_that_stand(frauds: Labelled) -> None:
    with connect(frauds.url) as connection:
        _, alerts = list_alerts(connection, Selection(limit=10_000))
    of_batteries = [alert for alert in alerts if alert.subject_kind == "battery"]
    (row,) = rows_of(frauds, "alerts-by-month")
    assert row["raised"] == row["open"] == len(of_batteries)
    stages = Counter(alert.stage for alert in of_batteries)
    assert (row["provisional"], row["confirmed"], row["final"]) == (
        stages["provisional"],
        stages["confirmed"],
        stages["final"],
    )
    severities = Counter(alert.severity for alert in of_batteries)
    assert {name: row[name] for name in ("warning", "high", "critical")} == dict(severities)
    raised = {
        (fact.event.battery_key, finding.rule)
        for fact, judged in frauds.made.facts
        for finding in judged.said.findings
        if finding.severity in ALERTING
    }
    assert row["raised"] >= len(raised)
