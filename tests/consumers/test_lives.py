"""What follows from a battery's rows, without a database."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.lives import Minted, Output, age_of, counted, life_of

KEY, OTHER = "02" + "11" * 32, "03" + "22" * 32


def readings(*said: tuple[int, str], key: str = KEY) -> list[dict[str, Any]]:
    """Rows as the fold makes them: counter and payload of each."""
    rows: list[dict[str, Any]] = []
    for slot, (counter, payload) in enumerate(said):
        delta = counter - rows[-1]["counter"] if rows else None
        kind = "first" if delta is None else "regress" if delta < 0 else ("duplicate", "next", "gap")[min(delta, 2)]
        rows.append(
            {
                "public_key": key,
                "slot": slot,
                "counter": counter,
                "payload_sha256": payload,
                "counter_kind": kind,
                "counter_delta": delta,
            }
        )
    return rows


@pytest.mark.parametrize(
    ("said", "faults"),  # gaps, missing, regressions, duplicates, equivocations
    [
        ([(0, "a"), (1, "b"), (2, "c")], (0, 0, 0, 0, 0)),
        ([(0, "a"), (4, "b"), (5, "c")], (1, 3, 0, 0, 0)),
        ([(5, "a"), (3, "b")], (0, 1, 1, 0, 0)),
        ([(5, "a"), (5, "a")], (0, 0, 0, 1, 0)),
        ([(5, "a"), (5, "b")], (0, 0, 0, 0, 1)),
        ([(1, "a"), (2, "b"), (1, "x")], (0, 0, 1, 0, 1)),
        ([(0, "a"), (2**70, "b")], (1, 2**70 - 1, 0, 0, 0)),
    ],
)
def test_a_counters_faults_are_told_apart(said: list[tuple[int, str]], faults: tuple[int, ...]) -> None:
    (found,) = counted(readings(*said))
    assert (found.gaps, found.missing, found.regressions, found.duplicates, found.equivocations) == faults


def test_each_key_has_a_counter_of_its_own_and_what_moved_nothing_has_none() -> None:
    first, second = readings((0, "a"), (1, "b")), readings((0, "c"), key=OTHER)
    refused = [{**second[0], "counter_kind": None}]
    assert [(each.public_key, each.readings) for each in counted([*first, *second, *refused])] == [(KEY, 2), (OTHER, 1)]


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from("abc")), min_size=1, max_size=40))
def test_each_reading_shows_a_number_for_the_first_time_or_again(said: list[tuple[int, str]]) -> None:
    (found,) = counted(readings(*said))
    numbers = {counter for counter, _ in said}
    assert found.readings == len(numbers) + found.duplicates + found.equivocations
    assert found.missing == max(numbers) - min(numbers) + 1 - len(numbers)


COMMITMENT: dict[str, Any] = {
    "transaction": "c0",
    "status": "open",
    "slot": 100,
    "max_age_slots": 50,
    "claimed_slot": 90,
}


@pytest.mark.parametrize(
    ("changes", "slot", "life"),
    [
        ({}, 150, "open"),
        ({}, 151, "expired"),
        ({"max_age_slots": None}, 10**9, "open"),
        ({"status": "consumed"}, 10**9, "consumed"),
        ({"status": "reclaimed"}, 10**9, "reclaimed"),
        ({}, None, "open"),
    ],
)
def test_a_commitment_expires_when_the_chain_has_passed_its_time(
    changes: dict[str, Any], slot: int | None, life: str
) -> None:
    assert life_of(COMMITMENT | changes, slot) == life


def test_only_an_input_that_the_operator_made_bounds_a_readings_age() -> None:
    """C-05: whoever made the inputs himself could make the challenge long before it was published."""
    minted = Minted([Output("own")], [Output("ops")])
    slots = {"own": (95, "reading_submitted"), "ops": (60, "passport_updated")}
    age = age_of({"slot": 120}, COMMITMENT, minted, slots)
    assert (age["least_slots"], age["most_slots"], age["most_slots_if_not_precomputed"]) == (0, 60, 20)
    assert age["claimed_slot_drift_slots"] == 10
    assert age_of({"slot": 120}, COMMITMENT, Minted(), slots)["most_slots"] is None
