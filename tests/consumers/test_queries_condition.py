"""Queries about the condition of models, beside a short fold of the devnet's facts."""

from collections import Counter, defaultdict
from decimal import Decimal
from math import ceil

from tests.consumers.labelled import Labelled
from tests.consumers.told import Told, models, readings, rows_of


def measured(frauds: Labelled) -> dict[str, list[Told]]:
    """Accepted readings that a statistic can bear, by model."""
    model = models(frauds)
    found: dict[str, list[Told]] = defaultdict(list)
    for told in readings(frauds):
        if told.accepted and told.value("soh_bp") is not None and told.value("cycle_count") is not None:
            found[model[told.event.battery_key]].append(told)
    return found


def parts(count: int) -> list[int]:
    """Sizes of ten parts, the first ones larger by one."""
    return [count // 10 + (place < count % 10) for place in range(10)]


def test_states_of_health_by_decile_are_those_of_a_sorted_list(frauds: Labelled) -> None:
    rows = rows_of(frauds, "soh-by-cycles")
    expected = measured(frauds)
    assert {row["model"] for row in rows} == expected.keys()
    for model, tolds in expected.items():
        of_model = [row for row in rows if row["model"] == model]
        sizes = [size for size in parts(len(tolds)) if size]
        assert [row["readings"] for row in of_model] == sizes
        cycles = sorted(told.value("cycle_count") for told in tolds)
        assert of_model[0]["cycles_from"] == cycles[0]
        assert of_model[-1]["cycles_to"] == cycles[-1]
        assert sum(row["readings"] for row in of_model) == len(tolds)
        assert min(row["least_soh"] for row in of_model) * 100 == min(told.value("soh_bp") for told in tolds)
        assert max(row["greatest_soh"] for row in of_model) * 100 == max(told.value("soh_bp") for told in tolds)
    # A model whose cycles tell all readings apart has parts that are known to the last one.
    model = max(expected, key=lambda each: len({told.value("cycle_count") for told in expected[each]}))
    tolds = sorted(expected[model], key=lambda told: told.value("cycle_count"))
    for row, start in zip([r for r in rows if r["model"] == model], _starts(parts(len(tolds))), strict=True):
        assert row["cycles_from"] == tolds[start].value("cycle_count")
        if row["decile"] in (1, 10):
            continue
        soh = sorted(told.value("soh_bp") for told in tolds[start : start + row["readings"]])
        cycles = [told.value("cycle_count") for told in tolds]
        if cycles.count(row["cycles_from"]) == cycles.count(row["cycles_to"]) == 1:
            assert row["median_soh"] * 100 == soh[ceil(0.5 * len(soh)) - 1]


def _starts(sizes: list[int]) -> list[int]:
    return [sum(sizes[:place]) for place in range(len(sizes))]


def test_groups_of_fewer_batteries_than_asked_are_left_out(frauds: Labelled) -> None:
    for name in ("soh-by-cycles", "temperature-outliers", "soh-increases"):
        assert rows_of(frauds, name)
        assert rows_of(frauds, name, least_batteries=2) == []


def test_temperatures_outside_are_counted_by_month_and_model(frauds: Labelled) -> None:
    model = models(frauds)
    above: Counter[str] = Counter()
    below: Counter[str] = Counter()
    count: Counter[str] = Counter()
    for told in readings(frauds):
        hot, cold = told.value("temp_max_c"), told.value("temp_min_c")
        if told.accepted and (hot is not None or cold is not None):
            name = model[told.event.battery_key]
            count[name] += 1
            above[name] += hot is not None and hot > 20
            below[name] += cold is not None and cold < 0
    rows = rows_of(frauds, "temperature-outliers", above=20, below=0)
    assert {row["month"] for row in rows} == {"2024-01"}
    assert {row["model"]: row["readings"] for row in rows} == count
    assert {row["model"]: row["above"] for row in rows if row["above"]} == +above
    assert {row["model"]: row["below"] for row in rows if row["below"]} == +below
    assert +above
    assert +below


def test_rises_of_health_are_counted_between_neighbours_under_one_key(frauds: Labelled) -> None:
    last: dict[tuple[str, str], int] = {}
    moves: Counter[str] = Counter()
    rises: Counter[str] = Counter()
    for model, tolds in measured(frauds).items():
        for told in tolds:
            key = (told.event.battery_key, told.key)
            soh = told.value("soh_bp")
            if key in last:
                moves[model] += 1
                rises[model] += soh - last[key] > 200
            last[key] = soh
    rows = rows_of(frauds, "soh-increases")
    assert {row["model"]: row["moves"] for row in rows} == +moves
    assert {row["model"]: row["increases"] for row in rows if row["increases"]} == +rises
    share = Decimal(100 * sum(rises.values())) / sum(moves.values())
    assert all(abs(row["fleet_share"] - share) < Decimal("0.01") for row in rows)
    assert sum(rises.values()) >= len([each for each in frauds.labels("soh_jump") if each["kind"] == "submit"]) // 3
