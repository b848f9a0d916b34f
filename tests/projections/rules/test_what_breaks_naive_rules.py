"""What real batteries do, and what must not be made of it."""

import random

from msgspec.structs import replace

from projections.rules.engine import judge_reading, taken_up
from projections.rules.history import DAY, NEW, Sample
from projections.rules.life import opens_epoch
from projections.rules.thresholds import DEFAULT
from tests.projections.rules.lives import PASSPORT, alerts, all_of, found, judged, life, reading, steady


def test_a_null_frame_is_put_aside_and_moves_no_reference() -> None:
    null = {"soh_bp": 0, "soc_bp": 0, "voltage_mv": 0, "temp_min_c": 0, "temp_max_c": 0, "cycle_count": 0}
    said = judged(life([*steady(6), null, *steady(6, 9_490)]))
    assert said[6][0].quarantined
    assert said[6][1].recent == said[5][1].recent
    assert [s.quarantined for s, _ in said].count(True) == 1
    # Whoever compares with the last reading rejects the next honest ones as rises.
    assert all(not s.findings for s, _ in said[7:])


def test_a_null_frame_alarms_nobody_by_the_values_that_it_lacks() -> None:
    """Found with a devnet's labelled oddities: a voltage of 0 raised R18, and the fall to 0 raised R26."""
    null = {"soh_bp": 0, "soc_bp": 0, "voltage_mv": 0, "temp_min_c": 0, "temp_max_c": 0}
    for cycles in ({}, {"cycle_count": 0, "energy_throughput_wh": 0}):
        said = judged(life([*steady(6), null | cycles]))[-1][0]
        assert [(each.rule, each.severity) for each in said.findings] == [("R22", "quarantine")]
        assert {"R18", "R26", "R27"} <= set(said.not_assessable)


def test_a_single_low_sample_does_not_reject_the_readings_after_it() -> None:
    """A real pack reported 60 % once; the published rule would have refused the next 52 readings."""
    said = judged(life([*steady(20, 9_600), {"soh_bp": 6_000}, *steady(52, 9_580)]))
    assert said[20][0].quarantined
    assert said[20][1].soh_reference_bp == said[19][1].soh_reference_bp
    assert all(found(s, "R24") == [] for s, _ in said[21:])


def test_a_level_that_stays_is_taken_up_with_its_second_reading() -> None:
    said = judged(life([*steady(8, 9_500), *steady(6, 8_000)]))
    assert [s.quarantined for s, _ in said[8:]] == [True, False, False, False, False, False]
    assert said[-1][1].soh_reference_bp == 7_997


def test_a_battery_that_falls_step_by_step_is_not_put_aside_for_ever() -> None:
    falling = [*steady(8, 9_500), *({"soh_bp": 8_400 - 400 * number} for number in range(6))]
    said = judged(life(falling))
    assert [s.quarantined for s, _ in said[8:]] == [True, True, True, False, False, False]
    assert said[-1][1].soh_reference_bp == 6_800


def test_noise_of_an_estimate_stays_below_an_alert() -> None:
    chance = random.Random(3)
    series = [{"soh_bp": round(9_300 - n + chance.gauss(0, 40))} for n in range(200)]
    warned = [severity for severity in all_of(life(series), "R24") if severity != "info"]
    assert len(warned) <= 2


def test_a_recalibration_after_a_full_charge_warns_and_then_is_the_new_level() -> None:
    said = [found(s, "R24") for s, _ in judged(life([*steady(8, 9_000), *steady(8, 9_400)]))]
    assert said[8] == ["warning"]
    assert said[11:] == [[]] * 5


def test_a_quick_charge_raises_one_reading_and_leaves_no_trace() -> None:
    said = [found(s, "R24") for s, _ in judged(life([*steady(8, 9_000), {"soh_bp": 9_480}, *steady(8, 8_990)]))]
    assert said[8] == ["warning"]
    assert said[9:] == [[]] * 8
    assert not all_of(life([*steady(8, 9_000), {"soh_bp": 9_480}, *steady(8, 8_990)]), "R26")


def test_capacity_that_comes_back_after_rest_is_information() -> None:
    rest = [*steady(8, 9_000), {"soh_bp": 9_150, "slot": 200 * DAY}]
    assert all_of(life(rest), "R24") == ["info"]


def test_young_lfp_cells_may_rise() -> None:
    rise = [{"soh_bp": 9_900 + 25 * n} for n in range(12)]
    assert [s for s in all_of(life(rise, first_cycles=0), "R24") if s != "info"] == []


def test_the_flat_voltage_of_lfp_is_never_held_against_its_charge() -> None:
    flat = [{"soc_bp": soc, "voltage_mv": 16 * 3_300} for soc in range(2_000, 8_001, 500)]
    assert all_of(life(flat), "R19") == []


def test_winter_and_spring_are_no_fraud() -> None:
    series = [{"soh_bp": 9_300 - n - (80 if 10 <= n < 25 else 0)} for n in range(40)]
    assert alerts(life(series)) == []


def test_a_pack_that_was_replaced_opens_an_epoch_and_is_a_candidate() -> None:
    """Real ones: 44 to 101, 66 to 100, 65 to 91, 77 to 98 percent."""
    for old, new in ((4_400, 10_100), (6_600, 10_000), (6_500, 9_100), (7_700, 9_800)):
        said = judged(life([*steady(8, old), {"soh_bp": new, "cycle_count": 0}, {"soh_bp": new - 1, "cycle_count": 1}]))
        assert found(said[8][0], "R53") == ["info"]
        assert not said[8][0].quarantined
        assert said[8][1].accepted == 1
        assert found(said[9][0], "R24") == []


def test_a_module_that_was_replaced_is_a_rise_and_not_an_epoch() -> None:
    samples = life([*steady(8, 8_000), {"soh_bp": 8_800, "cycle_count": 215}])
    assert not opens_epoch(judged(samples[:-1])[-1][1], samples[-1], DEFAULT)
    assert all_of(samples, "R24") == ["high"]


def test_a_software_reset_of_the_counts_is_named_and_not_taken_for_a_second_battery() -> None:
    reset = [{**each, "cycle_count": n, "energy_throughput_wh": 9_000 * n} for n, each in enumerate(steady(8, 9_490))]
    said = judged(life([*steady(8), *reset]))
    assert found(said[8][0], "R27") == ["high"]
    assert found(said[8][0], "R29") == ["high"]
    assert all(found(s, "R13") == [] for s, _ in said)
    assert all(not s.findings for s, _ in said[9:])


def test_throughput_of_one_way_and_of_both_ways_fit_the_cycles() -> None:
    for both_ways in (1, 2):
        series = [{"cycle_count": 200 + n, "energy_throughput_wh": both_ways * 4_800 * (200 + n)} for n in range(10)]
        assert all_of(life(series), "R30") == []


def test_new_cells_may_exceed_their_nominal_capacity() -> None:
    assert alerts(life(steady(10, 10_300), first_cycles=0)) == []


def test_whole_percentages_are_neither_frozen_nor_invented() -> None:
    rounded = [{"soh_bp": 100 * (95 - n // 30)} for n in range(120)]
    assert alerts(life(rounded)) == []


def test_partial_charges_counted_as_cycles_are_legal() -> None:
    partial = [{"cycle_count": 200 + 5 * n, "energy_throughput_wh": 5_120 * (200 + 5 * n) // 4} for n in range(20)]
    assert alerts(life(partial)) == []


def test_long_storage_is_no_sudden_drop() -> None:
    stored = [*steady(6, 9_500), {"soh_bp": 9_150, "slot": 300 * DAY, "cycle_count": 212}]
    assert alerts(life(stored)) == []


def test_a_battery_that_changes_hands_keeps_its_course() -> None:
    samples = life(steady(10))
    history = NEW
    for number, sample in enumerate(samples):
        if number == 5:
            history = replace(history, sold_at=sample.slot - 1)
        assert not judge_reading(history, sample, PASSPORT, DEFAULT).findings
        history = taken_up(history, sample, PASSPORT, DEFAULT)
    assert history.accepted == 10


def test_slots_that_a_rollback_dated_anew_change_nothing() -> None:
    samples = life(steady(10))
    moved = [Sample(each.slot + 37, each.reading, each.payload) for each in samples]
    assert [s.findings for s, _ in judged(moved)] == [s.findings for s, _ in judged(samples)]


def test_an_entry_that_a_person_typed_wrong_is_found_by_its_capacity() -> None:
    assert alerts([Sample(0, reading(soh_bp=8_600, full_charge_capacity_mah=18_000), "00")]) == [("R17", "high")]


def test_noise_of_one_point_on_laboratory_fade_warns_as_often_as_was_measured() -> None:
    """HUST's LFP cells every 30 cycles (0.31 points a step) with 1 point of Gaussian noise: 5 % above the median of
    five by more than 1 point, 0.6 % by more than 2.
    """
    chance = random.Random(77)
    readings, above_one, above_two = 0, 0, 0
    for _ in range(40):
        noisy = [
            {"soh_bp": round(10_000 - 31 * n + chance.gauss(0, 100)), "cycle_count": 200 + 30 * n} for n in range(60)
        ]
        severities = all_of(life(noisy), "R24")
        readings += len(noisy)
        above_one += len(severities)
        above_two += sum(severity != "info" for severity in severities)
    assert 0.03 < above_one / readings < 0.08
    assert 0.002 < above_two / readings < 0.012
