"""What the devnet has not, written by hand: cars below the floor, fleets of one model, knees, waste, strangers."""

from collections.abc import Iterator
from typing import Any

import pytest

from consumers.queries.model import NOW, Moment
from projections.database import connect
from projections.errors import SchemaMismatch
from tests.consumers.rows import Tables
from tests.consumers.told import answered

YEAR = 31_557_600


@pytest.fixture
def tables(database: str) -> Iterator[Tables]:
    with connect(database) as connection:
        yield Tables(connection)


def rows_of(tables: Tables, name: str, moment: Moment = NOW, **parameters: Any) -> list[dict[str, Any]]:
    return answered(tables.connection, name, moment, **parameters)


def test_the_floor_is_higher_for_a_young_car_and_ends_after_eight_years(tables: Tables) -> None:
    car = {"model": "M", "category": "EV", "soh_kind": "soce"}
    tables.battery("young", 1_000, **car)
    tables.battery("old", 1_000, **car)
    tables.battery("bicycle", 1_000, model="B", category="lmt", soh_kind="capacity")
    tables.battery("liar", 1_000, **car)
    tables.reading("young", 1_000 + 2 * YEAR, 7_999, 100)
    tables.reading("young", 1_000 + 3 * YEAR, 7_900, 150)
    tables.reading("young", 1_000 + 5 * YEAR, 8_000, 200)  # at the floor is not below
    tables.reading("old", 1_000 + 5 * YEAR + 1, 7_300, 500)
    tables.reading("old", 1_000 + 7 * YEAR, 7_100, 700)
    tables.reading("old", 1_000 + 9 * YEAR, 5_000, 900)  # no floor any more
    tables.reading("bicycle", 1_000 + YEAR, 5_000, 900)
    tables.reading("liar", 1_000 + YEAR, 1_000, 10, accepted=False)
    rows = {row["battery"]: row for row in rows_of(tables, "below-floor")}
    assert rows.keys() == {"young", "old", "bicycle"}
    assert (rows["young"]["readings_below"], rows["young"]["least_soh"], rows["young"]["floor"]) == (2, 79, 80)
    assert (rows["old"]["readings_below"], rows["old"]["least_soh"], rows["old"]["floor"]) == (1, 71, 72)
    assert round(rows["old"]["age_years"], 2) == 7
    assert rows["young"]["floor_applies"]
    assert not rows["bicycle"]["floor_applies"]
    applies = rows_of(tables, "below-floor", only_where_it_applies="yes")
    assert {row["battery"] for row in applies} == {"young", "old"}
    assert {row["battery"] for row in rows_of(tables, "below-floor", floor_old="71")} == {"young", "bicycle"}
    earlier = rows_of(tables, "below-floor", Moment(as_of_slot=1_000 + 2 * YEAR))
    assert {row["battery"]: row["readings_below"] for row in earlier} == {"young": 1, "bicycle": 1}


def test_who_fades_faster_than_the_95th_percentile_of_its_model_stands_out(tables: Tables) -> None:
    for number in range(40):
        tables.battery(f"b{number:02}", 0, model="M")
        fade = 60 if number == 17 else 10 + number % 3
        for reading in range(6):
            tables.reading(f"b{number:02}", reading * YEAR // 4, 10_000 - fade * reading, 20 * reading)
    tables.battery("alone", 0, model="N")
    rows = rows_of(tables, "fast-fading")
    assert [row["battery"] for row in rows] == ["b17"]
    assert rows[0]["fade_per_100_cycles"] == 3  # 60 bp in 20 cycles
    assert abs(float(rows[0]["fade_per_year"]) - 2.4) < 0.001
    assert rows[0]["model_batteries"] == 40
    assert [row["battery"] for row in rows_of(tables, "fast-fading", by="years")] == ["b17"]
    assert rows_of(tables, "fast-fading", least_readings=7) == []


def test_one_absurd_claim_breaks_no_statistic(tables: Tables) -> None:
    tables.battery("honest", 0, model="M")
    tables.battery("absurd", 0, model="M")
    for number in range(6):
        tables.reading("honest", number, 9_900 - number, number)
        tables.reading("absurd", number, 9_900, 10**400 + number, temp_max_c=10**300, counter=10**500)
    for name in ("soh-by-cycles", "fast-fading", "soh-increases", "temperature-outliers", "passport-against-readings"):
        rows_of(tables, name)
    (row,) = rows_of(tables, "soh-increases")
    assert row["batteries"] == 1


def test_a_knee_is_shown_once_and_only_above_the_limit(tables: Tables) -> None:
    for name, soh in (("early", 8_500), ("late", 7_500)):
        tables.battery(name, 0, model="M")
        for slot in (100, 200):
            fact = tables.reading(name, slot, soh, slot)
            tables.finding(name, fact, slot, "R25", early=100, late=500, model_median=210)
    rows = rows_of(tables, "knees")
    assert [(row["battery"], row["slot"], row["late_fade"]) for row in rows] == [("early", 100, 5)]
    assert {row["battery"] for row in rows_of(tables, "knees", above=70)} == {"early", "late"}


def test_readings_after_waste_are_counted_and_a_battery_of_waste_is_not_missed(tables: Tables) -> None:
    tables.battery("gone", 0, model="M", status="waste")
    tables.connection.execute("DELETE FROM events")
    tables.passport("gone", 0, model="M", status="original")
    tables.passport("gone", 1_000, updated=True, model="M", status=" Waste ")
    tables.battery("kept", 0, model="M", status="original")
    for slot in (500, 1_500, 2_500):
        tables.reading("gone", slot, 9_000, slot)
    (row,) = rows_of(tables, "after-the-end")
    assert (row["status_before"], row["status"], row["slot"]) == ("original", "waste", 1_000)
    assert (row["readings_after"], row["first_after_slot"], row["last_after_slot"]) == (2, 1_500, 2_500)
    assert row["went_on"]
    assert rows_of(tables, "after-the-end", status="recycled") == []
    assert rows_of(tables, "after-the-end", Moment(as_of_slot=999)) == []
    (then,) = rows_of(tables, "after-the-end", Moment(as_of_slot=1_600))
    assert then["readings_after"] == 1
    assert [row["battery"] for row in rows_of(tables, "silent")] == ["kept"]


def test_batteries_without_a_passport_are_strangers(tables: Tables) -> None:
    tables.battery("registered", 0, model="M")
    tables.commitment(b"stranger", 100)
    (row,) = rows_of(tables, "unknown-passports")
    assert row["battery_key"] != b""
    assert (row["commitments"], row["readings"], row["submitters"]) == (1, 0, 1)
    assert rows_of(tables, "unknown-passports", Moment(as_of_slot=99)) == []


def test_a_passport_matches_within_its_tolerance(tables: Tables) -> None:
    tables.battery("close", 0, model="M", soh_bp=9_000, nominal_capacity_mah=100_000)
    tables.battery("off", 0, model="M", soh_bp=9_900, nominal_capacity_mah=0)
    tables.reading("close", 100, 8_800, 10, full_charge_capacity_mah=88_000)
    tables.reading("off", 100, 8_800, 10, full_charge_capacity_mah=88_000)
    rows = {row["battery"]: row for row in rows_of(tables, "passport-against-readings")}
    assert (rows["close"]["difference"], rows["close"]["matches"], rows["close"]["capacity_fade"]) == (-2, True, 12)
    assert (rows["off"]["difference"], rows["off"]["matches"], rows["off"]["capacity_fade"]) == (-11, False, None)
    only = rows_of(tables, "passport-against-readings", only_differing=True)
    assert [row["battery"] for row in only] == ["off"]


def test_while_one_worker_is_ahead_an_answer_holds_at_the_step_that_all_hold(tables: Tables) -> None:
    tables.battery("b", 0, model="M")
    tables.reading("b", 100, 9_000, 10)
    before = rows_of(tables, "passport-against-readings")
    tables.connection.execute("UPDATE log_identity SET partitions = 2")
    with pytest.raises(SchemaMismatch, match="nothing is projected in all partitions"):
        rows_of(tables, "silent")  # one partition was never taken
    tables.connection.execute(
        "INSERT INTO checkpoints (projection, partition, last_step, last_seq) VALUES ('timeline', 1, 2, 2)"
    )
    tables.reading("b", 200, 8_000, 20)
    tables.connection.execute("UPDATE readings SET known_from_step = 2 WHERE slot = 200")
    tables.connection.execute("UPDATE readings SET known_until_step = 2 WHERE slot = 100")
    assert rows_of(tables, "passport-against-readings") == before
    assert before
