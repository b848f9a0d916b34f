from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.events import Reading
from indexer.protocol.reading import PayloadView, read_payload
from tests.indexer.build import BATTERY, payload, write_cbor

CHALLENGE = b"c" * 32


def view(challenge: Any = CHALLENGE, counter: Any = 1, **changes: Any) -> PayloadView:
    return read_payload(payload(BATTERY.id, challenge, counter, **changes))


def test_an_honest_payload_departs_from_nothing_and_is_read_whole() -> None:
    found = view(state={5: 60_000, 10: 9, 11: 2, 12: [3_300, 3_301]})
    assert found.departures == ()
    assert found.deterministic
    assert found.reading == Reading(
        battery_id=BATTERY.id.hex(),
        challenge=CHALLENGE.hex(),
        counter=1,
        schema_version=2,
        soh_bp=9_850,
        soc_bp=5_000,
        cycle_count=12,
        full_charge_capacity_mah=50_000,
        nominal_capacity_mah=60_000,
        voltage_mv=38_900,
        current_ma=-150,
        temp_min_c=20,
        temp_max_c=24,
        energy_throughput_wh=9,
        cell_count=2,
        cell_voltages_mv=(3_300, 3_301),
    )


@pytest.mark.parametrize(
    ("changes", "departure"),
    [
        ({"extra": {1: None}}, "battery_id_missing"),
        ({"extra": {1: "text"}}, "battery_id_wrong_type"),
        ({"extra": {1: b""}}, "battery_id_empty"),
        ({"extra": {1: b"x" * 65}}, "battery_id_too_long"),
        ({"extra": {1: b"\xff"}}, "battery_id_not_utf8"),
        ({"extra": {2: None}}, "challenge_missing"),
        ({"extra": {2: "text"}}, "challenge_wrong_type"),
        ({"extra": {2: b"c" * 31}}, "challenge_not_32_bytes"),
        ({"extra": {3: None}}, "counter_missing"),
        ({"extra": {3: -1}}, "counter_out_of_range"),
        ({"extra": {3: 1.0}}, "counter_float"),
        ({"extra": {3: b"1"}}, "counter_wrong_type"),
        ({"extra": {3: 1 << 64}}, "counter_big_integer"),
        ({"extra": {3: 1 << 64}}, "counter_out_of_range"),
        ({"extra": {4: None}}, "state_missing"),
        ({"extra": {4: []}}, "state_wrong_type"),
        ({"extra": {5: None}}, "schema_version_missing"),
        ({"extra": {5: 1}}, "schema_version_other"),
        ({"extra": {6: 0}}, "unknown_key"),
        ({"extra": {"6": 0}}, "unknown_key"),
        ({"state": {1: 12_001}}, "soh_bp_out_of_range"),
        ({"state": {1: None}}, "soh_bp_missing"),
        ({"state": {1: 98.5}}, "soh_bp_float"),
        ({"state": {2: 10_501}}, "soc_bp_out_of_range"),
        ({"state": {3: -1}}, "cycle_count_out_of_range"),
        ({"state": {7: "1"}}, "current_ma_wrong_type"),
        ({"state": {8: None}}, "temp_min_c_missing"),
        ({"state": {12: 3}}, "cell_voltages_mv_wrong_type"),
        ({"state": {12: [1, -1]}}, "cell_voltages_mv_out_of_range"),
        ({"state": {12: [1, 2.0]}}, "cell_voltages_mv_float"),
        ({"state": {13: 0}}, "unknown_state_key"),
    ],
)
def test_each_departure_has_its_name_and_the_rest_is_read(changes: dict[str, Any], departure: str) -> None:
    found = view(**changes)
    assert departure in found.departures
    assert found.reading is not None
    assert found.reading.temp_max_c == 24 or "state" in departure


def test_optional_fields_may_be_absent() -> None:
    assert view(state={5: None, 10: None, 11: None, 12: None}).departures == ()


def test_a_value_out_of_range_is_kept_and_one_beyond_64_bits_is_not() -> None:
    low, high = view(counter=-5).reading, view(counter=1 << 70).reading
    assert low is not None
    assert low.counter == -5
    assert high is not None
    assert high.counter is None
    largest = view(counter=(1 << 64) - 1)
    assert largest.departures == ()


def test_a_key_that_stands_there_twice_says_nothing() -> None:
    raw = payload(BATTERY.id, CHALLENGE)
    found = read_payload(b"\xa6" + raw[1:] + b"\x03\x09")
    assert found.reading is not None
    assert found.reading.counter is None
    assert {"payload_duplicate_key", "counter_missing"} <= set(found.departures)
    assert not found.deterministic


def test_trailing_bytes_are_named_and_what_stands_before_them_is_read() -> None:
    found = read_payload(payload(BATTERY.id, CHALLENGE) + b"\x00")
    assert found.departures == ("payload_trailing_bytes",)
    assert found.reading is not None


@pytest.mark.parametrize(
    ("raw", "form", "counter"),
    [
        (payload(BATTERY.id, 142_857_000, 7, extra={5: 1}), "slot_challenge", 7),
        (payload(BATTERY.id, 142_857_000, 142_857_200, extra={5: 1}), "validity_interval", None),
        (payload(BATTERY.id, {"valid_from": 1, "valid_until": 2}, 7), "validity_interval", 7),
        (b'{"battery_id":"b","challenge":142857000,"counter":7,"state":{},"hash":"00"}', "json_challenge", 7),
        (b'{"battery_id":"b","timestamp":"2024-01-01T00:00:00Z","soh_percent":88.1}', "json_timestamp", None),
        (b'{"battery_id":"b"}', "json", None),
    ],
)
def test_the_drafts_are_recognised_and_named(raw: bytes, form: str, counter: int | None) -> None:
    found = read_payload(raw)
    assert found.form == form
    assert f"legacy_{form}" in found.departures
    assert found.reading is not None
    assert found.reading.challenge is None
    assert found.reading.counter == counter


def test_json_that_is_no_object_or_too_deep_is_no_draft() -> None:
    for raw in (b"[1]", b'{"a":' * 3_000, b'{"a":' * 2_000 + b"1" + b"}" * 2_000, b"{", b'{"a":"\xff"}'):
        assert read_payload(raw).unreadable


@given(st.binary(max_size=300))
def test_any_bytes_give_a_view(raw: bytes) -> None:
    assert isinstance(read_payload(raw), PayloadView)
    assert isinstance(read_payload(b"{" + raw), PayloadView)


scalar = st.integers(-(1 << 80), 1 << 80) | st.binary(max_size=70) | st.text(max_size=5) | st.floats() | st.none()
field = scalar | st.lists(scalar, max_size=3) | st.dictionaries(st.integers(0, 14), scalar, max_size=4)


@given(st.dictionaries(st.integers(0, 7), field | st.dictionaries(st.integers(0, 14), field)))
def test_any_map_is_read_and_is_the_protocol_s_or_says_how_it_is_not(top: dict[int, Any]) -> None:
    found = read_payload(write_cbor(top))
    complete = found.reading is not None and None not in (
        found.reading.battery_id,
        found.reading.challenge,
        found.reading.counter,
        found.reading.soh_bp,
    )
    assert found.departures or found.unreadable or complete
