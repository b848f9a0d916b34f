"""The auditor's queries, beside the devnet's labels and a short fold of its facts."""

from collections import Counter, defaultdict
from hashlib import sha256

import pytest

from consumers.queries import QUERIES
from consumers.queries.model import NothingOfThatName
from consumers.queries.run import run
from consumers.timeline import find_batteries, read_timeline
from indexer.events import CommitmentMinted, TransactionQuarantined, encode_event
from projections.database import connect
from tests.consumers.labelled import Labelled
from tests.consumers.told import passports, readings, rows_of


def battery_of(frauds: Labelled) -> str:
    """The name of the battery that was read most often."""
    name, _ = Counter(label["battery_id"] for label in frauds.made.labels).most_common(1)[0]
    return str(name)


def test_evidence_is_every_event_in_order_with_its_bytes_and_verdicts(frauds: Labelled) -> None:
    name = battery_of(frauds)
    rows = rows_of(frauds, "evidence", battery=name)
    key = _key(frauds, name)
    facts = [each for each in frauds.made.facts if each[0].event.battery_key == key]
    assert [row["body"].encode() for row in rows] == [encode_event(fact.event) for fact, _ in facts]
    assert [row["slot"] for row in rows] == [fact.slot for fact, _ in facts]
    for row, (fact, judged) in zip(rows, facts, strict=True):
        assert row["transaction"].hex() == fact.event.transaction
        assert (row["cose"] is not None) == (judged.verdicts is not None)
        if judged.verdicts is not None:
            assert row["cose"] == getattr(fact.event, "cose", None)
            assert row["crypto"] == judged.verdicts.crypto.result
            assert row["plausibility"] == judged.verdicts.plausibility.result
            assert row["rule_set"] == judged.verdicts.rule_set
        said = sorted(f"{each.rule} v{each.version} {each.severity}" for each in judged.said.findings)
        assert sorted(row["findings"] or []) == said


def _key(frauds: Labelled, name: str) -> str:
    with connect(frauds.url) as connection:
        ((_, key),) = find_batteries(connection, name)
    return key


def test_inclusion_gives_the_bytes_of_each_reading_and_their_hashes(frauds: Labelled) -> None:
    name = battery_of(frauds)
    key = _key(frauds, name)
    mine = [told for told in readings(frauds) if told.event.battery_key == key]
    for told in (mine[0], mine[len(mine) // 2]):
        (row,) = rows_of(frauds, "inclusion", battery=name, reading=told.event.transaction)
        assert row["redeemer"] == told.event.redeemer
        assert row["cose"] == told.event.cose
        assert row["cose_sha256"] == sha256(bytes.fromhex(told.event.cose)).digest()
        payload = told.event.decoded.payload
        assert row["payload"] == payload
        if payload is not None:
            assert row["payload_sha256"] == sha256(bytes.fromhex(payload)).digest()
            assert row["payload_unaltered"] is True
        assert row["depth_blocks"] == frauds.chain.blocks[-1].entry.height - row["height"] + 1
        assert row["deep_enough"] == (row["depth_blocks"] >= 2_160)
        by_fact = rows_of(frauds, "inclusion", battery=name, reading=row["fact"].hex())
        assert by_fact == [row]
    (newest,) = rows_of(frauds, "inclusion", battery=name)
    assert newest["transaction"].hex() == [t for t in mine if not t.event.account_unproven][-1].event.transaction
    assert rows_of(frauds, "inclusion", battery=name, reading="00" * 32) == []
    with connect(frauds.url) as connection, pytest.raises(NothingOfThatName, match="no battery"):
        run(connection, QUERIES["inclusion"], {"battery": "urn:nobody"})


def test_freshness_is_the_interval_that_the_timeline_shows(frauds: Labelled) -> None:
    name = battery_of(frauds)
    compared = 0
    with connect(frauds.url) as connection:
        ((deployment, key),) = find_batteries(connection, name)
        timeline = read_timeline(connection, deployment, key)
    assert timeline is not None
    for line in timeline.lines[:200]:
        if line.reading is None or line.age is None:
            continue
        (row,) = rows_of(frauds, "freshness", battery=name, reading=line.reading["fact"])
        assert row["age_at_most"] == line.age["most_slots"]
        assert row["age_at_most_if_not_precomputed"] == line.age["most_slots_if_not_precomputed"]
        assert row["claimed_drift"] == line.age["claimed_slot_drift_slots"]
        assert row["max_age"] == line.age["max_age_slots"]
        assert row["age"] == line.reading["commitment_age_slots"]
        assert row["in_time"] == (row["age"] <= row["max_age"])
        compared += 1
    assert compared > 20
    stale = [label for label in frauds.labels("stale") if label["kind"] == "submit"]
    for label in stale:
        rows = rows_of(frauds, "freshness", battery=label["battery_id"], reading=label["transaction"])
        assert [row["in_time"] for row in rows] == [False]


def test_passports_stand_beside_the_latest_accepted_reading(frauds: Labelled) -> None:
    latest = {told.event.battery_key: told for told in readings(frauds) if told.accepted}
    rows = rows_of(frauds, "passport-against-readings")
    assert {row["battery_key"].hex(): row["transaction"].hex() for row in rows} == {
        battery: told.event.transaction for battery, told in latest.items()
    }
    for row in rows:
        told = latest[row["battery_key"].hex()]
        assert row["reading_cycles"] == told.value("cycle_count")
        assert row["reading_soh"] * 100 == told.value("soh_bp")
        assert row["matches"] is None  # the devnet's passports tell no state of health
    assert rows_of(frauds, "passport-against-readings", only_differing="yes") == []


def test_key_epochs_are_the_passports_runs_of_one_key(frauds: Labelled) -> None:
    expected: dict[str, list[tuple[str | None, int]]] = defaultdict(list)
    for battery, stated in passports(frauds).items():
        for slot, event in stated:
            if not expected[battery] or expected[battery][-1][0] != event.bms_public_key:
                expected[battery].append((event.bms_public_key, slot))
    rows = rows_of(frauds, "key-epochs", changed_only=False)
    found: dict[str, list[tuple[str | None, int]]] = defaultdict(list)
    for row in rows:
        found[row["battery_key"].hex()].append((row["public_key"].hex(), row["from_slot"]))
    assert found == expected
    assert {row["battery_key"].hex() for row in rows_of(frauds, "key-epochs")} == {
        battery for battery, epochs in expected.items() if len(epochs) > 1
    }
    proven = Counter(told.event.battery_key for told in readings(frauds) if not told.event.account_unproven)
    by_battery: Counter[str] = Counter()
    for row in rows:
        by_battery[row["battery_key"].hex()] += row["readings"] + row["other_readings"]
    assert by_battery == proven


def test_accepted_and_implausible_is_every_grave_finding_about_a_reading(frauds: Labelled) -> None:
    expected: Counter[tuple[str, str]] = Counter()
    for told in readings(frauds):
        expected.update(
            (told.event.transaction, each.rule) for each in told.judged.said.findings if each.severity != "info"
        )
    rows = rows_of(frauds, "accepted-implausible", limit=100_000)
    assert Counter((row["transaction"].hex(), row["rule"]) for row in rows) == expected
    assert all(row["state"] == "open" for row in rows if row["severity"] in ("warning", "high", "critical"))
    jumps = {label["transaction"] for label in frauds.labels("crossed_temperatures") if label["kind"] == "submit"}
    assert jumps <= {row["transaction"].hex() for row in rows if row["rule"] == "R16"}
    assert rows_of(frauds, "accepted-implausible", rule_version=99) == []


def test_rewards_are_what_the_labels_say_was_paid_and_not(frauds: Labelled) -> None:
    users = {
        f.event.transaction: f.event.user_pkh for f, _ in frauds.made.facts if isinstance(f.event, CommitmentMinted)
    }
    took_effect = [told for told in readings(frauds) if not told.event.account_unproven]
    rows = rows_of(frauds, "rewards")
    assert sum(row["readings"] for row in rows) == len(took_effect)
    promised = sum(told.event.account_datum.reward_per_read for told in took_effect if told.event.account_datum)
    assert 0 <= promised - sum(row["promised"] or 0 for row in rows) <= promised // 10  # not where no account was seen
    unpaid = [label for label in frauds.labels("unpaid_reward") if label["kind"] == "submit"]
    assert sum(row["not_as_promised"] for row in rows) >= len(unpaid) > 0
    by_user = Counter(row["submitter"].hex() for row in rows if row["submitter"])
    assert set(by_user) <= set(users.values())


def test_what_is_missing_is_counted_with_its_reasons(frauds: Labelled) -> None:
    rows = rows_of(frauds, "completeness")
    found = {(row["kind"], row["reason"]): row["count"] for row in rows}
    quarantined = Counter(
        fact.event.reason for fact, _ in frauds.made.facts if isinstance(fact.event, TransactionQuarantined)
    )
    assert quarantined
    assert {reason: n for (kind, reason), n in found.items() if kind == "quarantined transaction"} == quarantined
    departures = Counter(each for told in readings(frauds) for each in told.event.decoded.departures)
    assert {r: n for (kind, r), n in found.items() if kind == "reading not as the protocol says"} == departures
    unreadable = Counter(t.event.decoded.unreadable for t in readings(frauds) if t.event.decoded.unreadable)
    assert {reason: n for (kind, reason), n in found.items() if kind == "unreadable reading"} == unreadable
    aside = sum(told.judged.said.quarantined for told in readings(frauds))
    assert found["reading put aside by a rule", "quarantined"] == aside
    assert found["step missing", "a gap in the tables"] == 0
    assert found["blocks seen", "since the log began"] == frauds.chain.blocks[-1].entry.height + 1
