"""Each rule of one reading and of one battery: what it finds, what it leaves alone, and what it can't assess."""

import random
from typing import Any

import pytest
from msgspec.structs import replace

from projections.rules.history import DAY, NEW, Sample
from projections.rules.model import Severity
from projections.rules.passport import Passport
from projections.rules.thresholds import Thresholds
from tests.projections.rules.lives import PASSPORT, alerts, all_of, judged, last, life, passport, reading, steady

Changes = dict[str, Any]


def alone(**changes: Any) -> list[Sample]:
    return [Sample(0, reading(**changes), "00")]


CELLS = (3_290,) * 16


@pytest.mark.parametrize(
    ("rule", "changes", "expected"),
    [
        ("R15", {}, []),
        ("R15", {"soh_bp": 12_000}, []),
        ("R15", {"soh_bp": 12_001}, ["high"]),
        ("R15", {"soh_bp": -1}, ["high"]),
        ("R15", {"soc_bp": 10_501}, ["high"]),
        ("R15", {"temp_max_c": 61}, ["warning"]),
        ("R15", {"temp_min_c": -41}, ["high"]),
        ("R15", {"current_ma": -240_001}, ["warning"]),
        ("R15", {"current_ma": -240_000}, []),
        ("R16", {"temp_min_c": 21}, ["high"]),
        ("R16", {"temp_min_c": 20}, []),
        ("R16", {"temp_max_c": None}, None),
        ("R17", {"soh_bp": 9_550, "full_charge_capacity_mah": 97_500}, []),
        ("R17", {"soh_bp": 9_550, "full_charge_capacity_mah": 97_600}, ["warning"]),
        ("R17", {"soh_bp": 9_500, "full_charge_capacity_mah": 97_600}, []),  # SoH of a whole percentage was rounded
        ("R17", {"soh_bp": 9_500, "full_charge_capacity_mah": 80_000}, ["high"]),
        ("R17", {"full_charge_capacity_mah": None}, None),
        ("R18", {"voltage_mv": 16 * 3_750}, []),
        ("R18", {"voltage_mv": 16 * 3_750 + 1}, ["high"]),
        ("R18", {"voltage_mv": 5_264}, ["high"]),  # off by ten, as a published example is
        ("R18", {"voltage_mv": None}, None),
        ("R19", {"soc_bp": 1_900, "voltage_mv": 16 * 3_401}, ["warning"]),
        ("R19", {"soc_bp": 5_000, "voltage_mv": 16 * 3_401}, []),  # flat: says nothing in between
        ("R19", {"soc_bp": 1_900, "voltage_mv": 16 * 3_401, "current_ma": 30_000}, []),  # at a charger
        ("R20", {"cell_voltages_mv": CELLS}, []),
        ("R20", {"cell_voltages_mv": (3_400,) * 16}, ["high"]),
        ("R20", {}, None),
        ("R21", {"cell_voltages_mv": (*CELLS[1:], 3_391)}, ["warning"]),
        ("R21", {"cell_voltages_mv": (*CELLS[1:], 3_390)}, []),
        ("R21", {"cell_voltages_mv": (*CELLS[1:], 3_391), "soc_bp": 9_500}, []),
        ("R22", {"soh_bp": 0, "soc_bp": 0, "voltage_mv": 0, "temp_min_c": 0, "temp_max_c": 0}, ["quarantine"]),
        ("R22", {"soh_bp": 0}, []),
        (
            "R22",
            dict.fromkeys(("soh_bp", "soc_bp", "cycle_count", "full_charge_capacity_mah", "voltage_mv"), 255),
            ["quarantine"],
        ),
        ("R22", {"soh_bp": None}, None),
        ("R23", {"cell_count": 15}, ["high"]),
        ("R23", {"cell_count": None, "cell_voltages_mv": CELLS[1:]}, ["high"]),
        ("R23", {"cell_count": None}, None),
        ("R30", {"energy_throughput_wh": 2 * 201 * 5_120 * 115 // 100 + 1}, ["high"]),
        ("R30", {"energy_throughput_wh": 2 * 200 * 5_120}, []),
        ("R30", {"energy_throughput_wh": 200 * 5_120 // 4}, []),  # the published example's ratio
        ("R30", {"energy_throughput_wh": 200 * 5_120 // 21}, ["info"]),
        ("R30", {"cycle_count": 0, "energy_throughput_wh": 4_000}, []),  # its first cycle is under way
        ("R30", {"energy_throughput_wh": None}, None),
    ],
)
def test_one_reading_by_itself(rule: str, changes: Changes, expected: list[Severity] | None) -> None:
    assert last(alone(**changes), rule) == expected


@pytest.mark.parametrize("rule", ["R17", "R18", "R19", "R23", "R30", "R33", "R52", "R55"])
def test_without_a_passport_what_it_would_tell_can_t_be_assessed(rule: str) -> None:
    assert last(alone(), rule, passport=Passport()) is None


def test_nickel_cells_do_tell_a_high_charge_by_their_voltage() -> None:
    nmc = passport(chemistry="NMC811", nominal_voltage_mv=16 * 3_650)
    assert last(alone(soc_bp=8_500, voltage_mv=16 * 3_390), "R19", passport=nmc) == ["warning"]
    assert last(alone(soc_bp=8_500, voltage_mv=16 * 3_950), "R19", passport=nmc) == []


def test_a_state_of_health_by_energy_says_nothing_about_capacity() -> None:
    assert last(alone(full_charge_capacity_mah=80_000), "R17", passport=passport(soh_kind="soce")) is None


def test_cells_in_parallel_are_not_taken_for_cells_in_series() -> None:
    """A pack of 32 cells, two in parallel: its nominal voltage tells how many are in series."""
    two_in_parallel = passport(cell_count=32)
    assert last(alone(cell_count=32), "R18", passport=two_in_parallel) == []


def test_euro_7_asks_for_certified_energy_and_its_floor_falls_with_age() -> None:
    car, year = passport(soh_kind="soce"), 365 * DAY
    for slot, soh, expected in ((year, 7_999, ["info"]), (year, 8_000, []), (6 * year, 7_300, []), (9 * year, 10, [])):
        assert last([Sample(slot, reading(soh_bp=soh), "00")], "R33", passport=car) == expected
    assert last(alone(), "R33") is None


# -- counters ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gap", "expected"), [(1, []), (2, ["info"]), (5, ["info"]), (6, ["warning"]), (21, ["warning"])]
)
def test_a_gap_is_noted_and_a_large_one_warned_of(gap: int, expected: list[Severity]) -> None:
    assert last(life([*steady(6), {"counter": 5 + gap}]), "R07") == expected


def test_a_battery_that_is_often_read_elsewhere_is_measured_by_its_own_gaps() -> None:
    assert last(life([{"counter": 10 * n} for n in range(8)]), "R07") == ["info"]


def test_a_counter_that_goes_back_is_found_and_its_first_reading_compared_with_nothing() -> None:
    assert last(life([*steady(3), {"counter": 1}]), "R08") == ["high"]
    assert last(life(steady(1)), "R08") is None


def test_two_payloads_under_one_counter_are_an_equivocation_and_one_twice_is_a_replay() -> None:
    samples = life(steady(4))
    again = Sample(10**6, samples[2].reading, samples[2].payload)
    other = Sample(10**6, samples[2].reading, "ff")
    assert (last([*samples, again], "R09"), last([*samples, again], "R10")) == ([], ["warning"])
    assert (last([*samples, other], "R09"), last([*samples, other], "R10")) == (["critical"], [])
    assert last([*samples, Sample(10**6, samples[2].reading, "")], "R09") is None


def test_two_trajectories_by_turns_are_a_leapfrog_and_one_reset_is_none() -> None:
    by_turns = life([{"cycle_count": c} for c in (100, 50, 101, 51, 102, 52)])
    assert last(by_turns, "R13") == ["critical"]
    reset = life([{"cycle_count": c} for c in (100, 101, 102, 0, 1, 2)])
    assert all_of(reset, "R13") == []


def test_a_machine_asks_faster_than_a_hand() -> None:
    assert last(life([{}, {"counter": 200, "slot": 3_600}]), "R14") == ["warning"]
    assert last(life([{}, {"counter": 60, "slot": 3_600}]), "R14") == []
    assert last(life([{}, {"counter": 1, "slot": 1}]), "R14") == []


# -- course -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rise", "expected"),
    [(100, []), (101, ["info"]), (200, ["info"]), (201, ["warning"]), (500, ["warning"]), (501, ["high"])],
)
def test_a_rise_is_graded_against_the_median_of_five(rise: int, expected: list[Severity]) -> None:
    level = [{"soh_bp": 9_000}] * 5
    assert last(life([*level, {"soh_bp": 9_000 + rise}]), "R24") == expected


def test_two_warnings_in_a_row_are_high_and_young_batteries_may_rise() -> None:
    level = [{"soh_bp": 9_000}] * 5
    assert last(life([*level, {"soh_bp": 9_250}, {"soh_bp": 9_260}]), "R24") == ["high"]
    assert last(life([*level, {"soh_bp": 9_250}, {"soh_bp": 9_000}, {"soh_bp": 9_250}]), "R24") == ["warning"]
    assert last(life([*level, {"soh_bp": 9_600}], first_cycles=20), "R24") == ["info"]
    assert last(life([{"soh_bp": 9_000}, {"soh_bp": 9_600}]), "R24") == ["info"]
    assert last(life([{"soh_bp": 9_000}]), "R24") is None


def test_a_knee_is_found_and_steady_ageing_is_none() -> None:
    bend = [{"soh_bp": 9_800 - n, "cycle_count": 100 * n} for n in range(10)]
    bend += [{"soh_bp": 9_790 - 900 * n, "cycle_count": 1_000 + 100 * n} for n in range(8)]
    assert "warning" in all_of(life(bend), "R25")
    straight = [{"soh_bp": 9_800 - 200 * n, "cycle_count": 100 * n} for n in range(18)]
    assert all_of(life(straight), "R25") == []
    assert last(life(steady(12)), "R25") is None  # too few cycles to tell


@pytest.mark.parametrize(
    ("fall", "slot_days", "expected"),
    [(300, 1, []), (301, 1, ["warning"]), (801, 1, ["high"]), (801, 91, [])],
)
def test_a_sudden_drop_is_found_and_a_slow_one_is_not(fall: int, slot_days: int, expected: list[Severity]) -> None:
    samples = life([{"soh_bp": 9_000}] * 5)
    sample = Sample(samples[-1].slot + slot_days * DAY, reading(soh_bp=9_000 - fall, cycle_count=220), "ff")
    assert last([*samples, sample], "R26") == expected


def test_cycles_and_energy_that_go_back_or_race_are_found() -> None:
    assert last(life([{}, {"cycle_count": 199}]), "R27") == ["high"]
    assert last(life([{}, {"cycle_count": 200 + 44}]), "R28") == ["warning"]  # 43 in 7 days, 42 are possible
    assert last(life([{}, {"cycle_count": 200 + 43}]), "R28") == []
    assert last(life([{}, {"energy_throughput_wh": 9_000 * 200 - 1}]), "R29") == ["high"]
    assert last(life([{}, {"energy_throughput_wh": 9_000 * 200 + 11 * 24 * 7 * 1_000 + 1}]), "R29") == ["high"]
    assert last(life([{}, {"energy_throughput_wh": 9_000 * 200 + 11 * 24 * 7 * 1_000}]), "R29") == []
    assert last(life([{}, {"energy_throughput_wh": None}]), "R29") is None


def test_ageing_by_the_calendar_asks_for_nine_months() -> None:
    fast = [{"soh_bp": 9_900 - 25 * n} for n in range(60)]
    assert "warning" in all_of(life(fast), "R32")
    assert all_of(life(fast[:38]), "R32") == []  # 37 weeks
    slow = [{"soh_bp": 9_900 - 5 * n} for n in range(60)]
    assert all_of(life(slow), "R32") == []


def test_values_that_stand_still_while_the_counter_goes_on_are_frozen() -> None:
    still = [{"voltage_mv": 52_000, "soh_bp": 9_000}] * 4
    assert all_of(life(still), "R34") == ["warning"]
    assert all_of(life(still[:3]), "R34") == []
    assert all_of(life([{**each, "voltage_mv": 52_000 + n} for n, each in enumerate(still)]), "R34") == []
    assert last(life([{**each, "counter": None} for each in still]), "R34") is None


def test_invented_digits_are_found_and_rounded_or_stepped_ones_are_not() -> None:
    chance = random.Random(1)
    invented = [{"soh_bp": 9_000 + chance.choices(range(10), (3, 3, 3, 20, 3, 3, 3, 20, 3, 3))[0]} for _ in range(100)]
    honest = [{"soh_bp": 9_000 + chance.randrange(100)} for _ in range(100)]
    rounded = [{"soh_bp": 100 * (95 - n // 20)} for n in range(100)]
    assert all_of(life(invented), "R35") != []
    for series in (honest, rounded):
        assert "soh_bp" not in [
            finding.values["field"]
            for said, _ in judged(life(series))
            for finding in said.findings
            if finding.rule == "R35"
        ]
    assert last(life(honest[:49]), "R35") is None


# -- people and life --------------------------------------------------------------------------------------------------


def test_health_that_rises_for_a_sale_and_falls_after_it_is_found() -> None:
    samples = life([*[{"soh_bp": 8_000}] * 6, {"soh_bp": 8_300}, {"soh_bp": 8_010}])
    before, after = samples[:-1], samples[-1]
    _, history = judged(before)[-1]
    sold = replace(history, sold_at=after.slot - 1)
    assert last([after], "R41", history=sold) == ["high"]
    stays = Sample(after.slot, reading(soh_bp=8_290, cycle_count=220), "ee")
    assert last([stays], "R41", history=sold) == []
    assert last([after], "R41", history=history) is None


def test_readings_in_bursts_are_farming() -> None:
    assert last(life([{}, {"slot": 599}]), "R42") == ["warning"]
    assert last(life([{}, {"slot": 600}]), "R42") == []
    hourly = [{"slot": 3_600 * n} for n in range(12)]
    assert last(life(hourly), "R42") == ["warning"]
    assert last(life(hourly[:11]), "R42") == []


def test_a_reading_after_the_end_and_a_long_silence_are_noted() -> None:
    assert last(alone(), "R52", passport=passport(status="Waste ")) == ["high"]
    assert last(alone(), "R52") == []
    assert last(life([{}, {"slot": 181 * DAY}]), "R54") == ["info"]
    assert last(life([{}, {"slot": 180 * DAY}]), "R54") == []


def test_a_passport_that_is_off_for_a_month_is_warned_of_and_one_that_was_mended_is_not() -> None:
    off = passport(soh_bp=9_900)
    readings = life([{"soh_bp": 9_500}] * 7)
    assert all_of(readings, "R55", passport=off) == ["warning"] * 2  # 35 and 42 days
    assert all_of(readings, "R55", passport=passport(soh_bp=9_700)) == []
    assert last(readings, "R55") is None


def test_findings_hold_what_led_to_them() -> None:
    said, _ = judged(life([*[{"soh_bp": 9_000}] * 5, {"soh_bp": 9_250}]))[-1]
    (finding,) = [each for each in said.findings if each.rule == "R24"]
    assert finding.values == {"soh_bp": 9_250, "reference_bp": 9_000, "warnings_before": 0}
    assert finding.thresholds["soh_increase_warning_bp"] == 200
    assert finding.version == 1


def test_thresholds_decide() -> None:
    strict = Thresholds(soh_increase_warning_bp=50, soh_increase_info_bp=20)
    level = [{"soh_bp": 9_000}] * 5
    assert last(life([*level, {"soh_bp": 9_060}]), "R24", thresholds=strict) == ["warning"]


def test_an_honest_plain_life_raises_nothing() -> None:
    assert alerts(life(steady(60))) == []
    assert NEW.accepted == 0
    assert PASSPORT.model == "M-1"
