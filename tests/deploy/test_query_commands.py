"""The commands `query` and `audit`, as a user runs them, on a real PostgreSQL."""

import csv
import io
import json
from pathlib import Path

import pytest
from pyarrow import parquet

from consumers.queries import QUERIES
from projections.database import connect
from tests.consumers.rows import Tables
from tests.endtoend.commands import CommandLine
from tests.postgres import database, postgres

__all__ = ["database", "postgres"]

BATTERY = "=urn:battery:1"


@pytest.fixture
def command(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    with connect(database) as connection:
        tables = Tables(connection)
        for number in range(6):
            tables.battery(f"=urn:battery:{number}", 0, model="M")
            tables.reading(f"=urn:battery:{number}", 100, 9_000, 10, temp_max_c=80)
    monkeypatch.setenv("CELLWITNESS_DB", database)
    return CommandLine(tmp_path, monkeypatch, capsys)


def test_every_query_is_listed_and_shown_with_its_sql(command: CommandLine) -> None:
    listed = command("query", "ls")
    assert listed.code == 0
    for name, query in QUERIES.items():
        assert name in listed.out
        assert query.title in listed.out
    shown = command("query", "show", "3")
    assert "regr_slope" in shown.out
    assert QUERIES["fast-fading"].meaning in shown.out
    as_json = json.loads(command("query", "show", "fast-fading", "--json").out)
    assert as_json["open_to"] == ["legitimate-interest", "surveillance", "auditor"]
    assert command("query", "show", "silent", "--sql").out.startswith("WITH spoken")
    assert len(json.loads(command("query", "ls", "--json").out)) == 25


def test_an_answer_is_written_in_each_form_and_each_asking_recorded(command: CommandLine, tmp_path: Path) -> None:
    asked = ("query", "run", "silent", "days=10", "--who", "Ada", "--legal-basis", "contract 14")
    table = command(*asked)
    assert table.code == 0, table.errors
    assert "urn:battery:1" in table.out
    assert "contract 14" in table.out
    said = command(*asked, "-o", "silent.csv")
    assert "silent.csv: 6 rows, step 1" in said.errors
    lines = [line for line in csv.reader(io.StringIO((tmp_path / "silent.csv").read_text())) if line[0][0] != "#"]
    assert {line[3] for line in lines[1:]} == {f"'=urn:battery:{number}" for number in range(6)}
    document = json.loads(command(*asked, "--json").out)
    assert {row["battery"] for row in document["data"]} == {f"=urn:battery:{number}" for number in range(6)}
    command(*asked, "-o", "silent.parquet")
    assert parquet.read_table(tmp_path / "silent.parquet").num_rows == 6
    assert sorted(each.name for each in tmp_path.iterdir()) == ["silent.csv", "silent.parquet"]
    questions = json.loads(command("audit", "questions", "--json").out)
    assert [each["format"] for each in questions] == ["parquet", "json", "csv", "table"]
    assert {(each["who"], each["legal_basis"], each["what"], each["step"]) for each in questions} == {
        ("Ada", "contract 14", "silent", 1)
    }
    assert "Ada" in command("audit", "questions").out
    assert command("audit", "questions", "--who", "nobody").out == ""


def test_an_auditors_query_finds_a_battery_and_says_what_is_wrong_otherwise(command: CommandLine) -> None:
    found = command("audit", "query", "passport-against-readings", f"battery={BATTERY}", "--json")
    assert found.code == 0, found.errors
    (row,) = json.loads(found.out)["data"]
    assert row["reading_soh"] == 90
    for arguments, code, words in (
        (("audit", "query", "silent"), 2, "no auditor's query"),
        (("audit", "query", "evidence"), 2, "missing: give its id"),
        (("audit", "query", "evidence", "battery=urn:battery:9"), 1, "did you mean =urn:battery:"),
        (("query", "run", "silen"), 2, "did you mean 'silent'"),
        (("query", "run", "silent", "days"), 2, "is no PARAMETER=VALUE"),
        (("query", "run", "silent", "days=1", "days=2"), 2, "given twice"),
        (("query", "run", "silent", "days=many"), 2, "no whole number"),
        (("query", "run", "silent", "--access", "public"), 1, "may not ask silent"),
        (("query", "run", "silent", "--known-at", "7"), 3, "not yet 7"),
        (("query", "run", "silent", "--known-at", "soon"), 2, "neither a step nor a time"),
        (("query", "run", "silent", "-o", "no/such/folder.csv"), 2, "can't write no/such/folder.csv"),
    ):
        said = command(*arguments)
        assert (said.code, words in said.errors) == (code, True), (arguments, said.errors)


def test_the_public_sees_groups_of_five_and_no_battery(command: CommandLine) -> None:
    said = command("query", "run", "temperature-outliers", "--access", "public", "--json")
    (row,) = json.loads(said.out)["data"]
    assert row["batteries"] == 6
    assert json.loads(said.out)["parameters"]["least_batteries"] == 5
