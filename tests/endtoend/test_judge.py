"""``cellwitness judge``: a history of one's own, under the catalogue of rules."""

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]
import pytest
from pyarrow import parquet

from deploy.devnet.battery import Battery
from indexer.protocol.reading import STATE_FIELDS
from tests.endtoend.commands import CommandLine

NAMES = {key: name for key, (name, _, _) in STATE_FIELDS.items()}
WEEK = 7 * 86_400


@pytest.fixture
def command(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(folder, monkeypatch, capsys)


def history(batteries: int = 4, readings: int = 20) -> list[dict[str, Any]]:
    rows = []
    for number in range(batteries):
        battery = Battery(f"judge/{number}")
        for count in range(readings):
            state = battery.measure(count * WEEK).state
            passport = {"chemistry": battery.chemistry.name, "nominal_voltage_mv": battery.nominal_mv, "model": "M"}
            values = {name: state[key] for key, name in NAMES.items()}
            rows.append({"battery_id": f"b{number}", "time": 1_700_000_000 + count * WEEK, **passport, **values})
    return rows


def write(file: str, rows: Iterable[dict[str, Any]]) -> None:
    listed = list(rows)
    if file.endswith(".parquet"):
        parquet.write_table(pa.Table.from_pylist(listed), file)
        return
    with Path(file).open("w", newline="") as out:
        writer = csv.DictWriter(out, list(listed[0]))
        writer.writeheader()
        writer.writerows(listed)


def judged(command: CommandLine, file: str, *flags: str) -> dict[str, Any]:
    said = command("judge", file, "--json", *flags)
    assert (said.code, said.errors) == (0, ""), said.errors
    found: dict[str, Any] = json.loads(said.out)
    return found


def rule(found: dict[str, Any], name: str) -> dict[str, Any]:
    each: dict[str, Any] = next(each for each in found["rules"] if each["rule"] == name)
    return each


def test_csv_and_parquet_say_the_same(command: CommandLine) -> None:
    for file in ("a.csv", "a.parquet"):
        write(file, history())
    first, second = (judged(command, file) for file in ("a.csv", "a.parquet"))
    assert first["readings"] == 80
    assert first["batteries"] == 4
    for found in (first, second):
        del found["seconds"], found["readings_per_second"]
    assert first == second


def test_a_missing_column_makes_its_rules_not_assessable_and_never_passed(command: CommandLine) -> None:
    write("a.csv", [{"battery_id": "b", "time": n * WEEK, "soh_bp": 9_000} for n in range(10)])
    found = judged(command, "a.csv")
    assert rule(found, "R18")["not_assessable"] == 10
    assert rule(found, "R24")["not_assessable"] == 1  # the first has no reference
    assert {"voltage_mv", "counter"} <= set(found["missing_columns"])
    assert "R04" in found["need_the_chain"]


@pytest.mark.parametrize("out", ["f.csv", "f.parquet"])
def test_findings_are_written_with_the_values_and_thresholds_that_led_to_them(command: CommandLine, out: str) -> None:
    rows = history(1, 20)
    rows[10]["soh_bp"] = rows[9]["soh_bp"] + 450
    rows[10]["full_charge_capacity_mah"] = rows[10]["nominal_capacity_mah"] * rows[10]["soh_bp"] // 10_000
    for row in rows:
        row["cycle_count"] += 400
        row["energy_throughput_wh"] += 800 * row["nominal_capacity_mah"] * row["nominal_voltage_mv"] // 1_000_000
    write("a.csv", rows)
    found = judged(command, "a.csv", "--out", out)
    assert rule(found, "R24")["findings"] == 1
    if out.endswith(".csv"):
        with Path(out).open() as file:
            written = list(csv.DictReader(file))
    else:
        written = parquet.read_table(out).to_pylist()
    (finding,) = [each for each in written if each["rule"] == "R24"]
    assert (finding["battery"], int(finding["row"]), finding["severity"]) == ("b0", 11, "warning")
    assert json.loads(finding["values"])["soh_bp"] == rows[10]["soh_bp"]
    assert json.loads(finding["thresholds"])["soh_increase_warning_bp"] == 200


def test_thresholds_of_a_model_come_from_a_file(command: CommandLine) -> None:
    write("a.csv", history(2, 10))
    Path("t.toml").write_text('[model."M"]\ntemp_soft_max_c = -50\n')
    assert rule(judged(command, "a.csv", "--thresholds", "t.toml"), "R15")["readings"] == 20
    assert rule(judged(command, "a.csv"), "R15")["readings"] == 0
    Path("t.toml").write_text("[thresholds]\nnonsense = 1\n")
    said = command("judge", "a.csv", "--thresholds", "t.toml")
    assert said.code == 2
    assert "no such threshold" in said.errors


def test_batteries_may_be_mixed_and_an_archive_out_of_order_can_be_sorted(command: CommandLine) -> None:
    rows = history(3, 12)
    write("grouped.csv", rows)
    write("mixed.csv", sorted(rows, key=lambda row: row["time"]))
    write("reversed.csv", reversed(rows))
    grouped, mixed = judged(command, "grouped.csv"), judged(command, "mixed.csv")
    assert grouped["severities"] == mixed["severities"]
    said = command("judge", "reversed.csv")
    assert said.code == 2
    assert "--sort" in said.errors
    assert judged(command, "reversed.csv", "--sort")["severities"] == grouped["severities"]


def test_a_copied_battery_and_a_cloned_key_are_found_across_the_archive(command: CommandLine) -> None:
    rows = history(2, 12)
    rows += [{**row, "battery_id": "copy"} for row in rows if row["battery_id"] == "b0"]
    write("a.csv", [{**row, "bms_public_key": "02aa" if row["battery_id"] != "b1" else "02bb"} for row in rows])
    found = judged(command, "a.csv")
    assert rule(found, "R37")["findings"] == 2
    assert rule(found, "R11")["findings"] == 1


def test_what_a_person_sees_names_rules_shares_and_examples(command: CommandLine) -> None:
    rows = history(1, 5)
    rows[3] |= {"soh_bp": 0, "voltage_mv": 0, "temp_min_c": 0, "temp_max_c": 0}
    write("a.csv", rows)
    said = command("judge", "a.csv")
    assert said.code == 0
    for words in ("R22 null frame", "20.00%", "1 quarantine", "b0 (row 4", "put aside: 1", "Rules that take the chain"):
        assert words in said.out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("soh_bp,time\n1,1\n", "no column battery_id"),
        ("battery_id,soh_bp\nb,1\n", "no column time"),
        ("battery_id,time,soh_bp\nb,1,many\n", "row 1: soh_bp: 'many' is no number"),
        ("battery_id,time,soh_bp\nb,yesterday,1\n", "neither RFC 3339"),
        ("battery_id,time,soh_bp\n,1,1\n", "row 1: it names no battery"),
        ("battery_id,time,soh_bp\nb,1,1,1\n", "more cells than the header"),
        ("", "no column battery_id"),
        ("battery_id,time\n\xff\xfe", "can't read"),
    ],
)
def test_what_is_wrong_with_an_archive_is_said_with_its_row(command: CommandLine, text: str, words: str) -> None:
    Path("a.csv").write_bytes(text.encode("latin-1"))
    said = command("judge", "a.csv")
    assert said.code == 2
    assert words in said.errors


def test_times_and_numbers_are_read_in_the_forms_that_archives_have(command: CommandLine) -> None:
    lines = ["battery_id,time,soh_bp,cell_voltages_mv"]
    lines += [f'b,2026-05-{day:02}T14:02:00Z,9{day:02}0.0,"[3300, 3301]"' for day in range(1, 4)]
    lines += ["b,2026-05-04 09:00:00+02:00,,3300;3301", "b,1790000000,1e4,", "b,1790000001,nan,"]
    Path("a.csv").write_text("\n".join(lines) + "\n")
    found = judged(command, "a.csv")
    assert found["readings"] == 6
    assert rule(found, "R21")["not_assessable"] == 2


def test_hostile_numbers_stop_nothing(command: CommandLine) -> None:
    huge = str(2**200)
    Path("a.csv").write_text(
        "battery_id,time,counter,soh_bp,cycle_count,voltage_mv,energy_throughput_wh\n"
        f"b,1,{huge},{huge},-{huge},{huge},{huge}\nb,2,0,0,0,0,0\nb,3,{huge},1,{huge},1,-{huge}\n"
        "\x1b[31mevil,4,1,1,1,1,1\n"
    )
    said = command("judge", "a.csv", "--out", "f.parquet")
    assert said.code == 0, said.errors
    assert "\x1b" not in said.out
