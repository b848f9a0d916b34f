import json
import subprocess
import sys
from pathlib import Path

import pytest

from consumers.telling import percent
from consumers.text import visible
from deploy.postgres import EmbeddedPostgres
from deploy.timeline_view import sparkline
from tests.postgres import fresh_database, postgres
from tests.projections.chain import HOSTILE_IDS, Life, TestChain, battery_id, key_of, walk

__all__ = ["postgres"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from deploy.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def tables(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The tables of a chain with two honest batteries and some with hostile names."""
    url = fresh_database(postgres)
    path: Path = tmp_path_factory.mktemp("log") / "log.db"
    chain = TestChain(path, Life(3, 2, hostile=True))
    walk(chain, 30)
    chain.forward(chain.make(60, 1))
    chain.close()
    projected = run("project", "--log", f"sqlite:{path}", "--db", url, "--until-caught-up", "--json")
    assert projected.returncode == 0, projected.stderr
    assert json.loads(projected.stdout)["lag_records"] == 0
    return url


NAME = battery_id(0).decode()


def test_a_timeline_names_the_battery_its_events_and_where_they_hold(tables: str) -> None:
    shown = run("timeline", NAME, "--db", tables)
    assert shown.returncode == 0, shown.stderr
    assert NAME in shown.stdout
    for word in ("reading", "commitment", "final", "confirmed", "Holds at step", "2020-09-13"):
        assert word in shown.stdout


def test_a_person_is_shown_the_newest_events_and_told_of_the_others(tables: str) -> None:
    whole = json.loads(run("timeline", NAME, "--db", tables, "--json").stdout)
    assert whole["earlier"] == 0
    newest = json.loads(run("timeline", NAME, "--db", tables, "--json", "--newest", "3").stdout)
    assert newest["lines"] == whole["lines"][-3:]
    assert newest["earlier"] == len(whole["lines"]) - 3
    shown = run("timeline", NAME, "--db", tables, "--newest", "3")
    assert f"{newest['earlier']} earlier events are not shown: --all shows them" in shown.stdout
    everything = run("timeline", NAME, "--db", tables, "--all")
    assert "not shown" not in everything.stdout
    assert len(everything.stdout) > len(shown.stdout)
    assert run("timeline", NAME, "--db", tables, "--all", "--newest", "3").returncode == 2


@pytest.mark.parametrize("name", [NAME, battery_id(0).hex(), key_of(battery_id(0))])
def test_a_battery_is_found_by_text_hex_and_key(tables: str, name: str) -> None:
    found = json.loads(run("timeline", name, "--db", tables, "--json").stdout)
    assert found["battery"]["battery_id_text"] == NAME
    places = [(line["height"], line["transaction_index"], line["event_index"]) for line in found["lines"]]
    assert places == sorted(places)
    assert places
    assert {line["finality"] for line in found["lines"]} <= {"pending", "confirmed", "final"}


def test_an_unknown_battery_is_answered_with_near_matches(tables: str) -> None:
    shown = run("timeline", NAME[:-1] + "9", "--db", tables)
    assert shown.returncode == 1
    assert NAME in shown.stderr


@pytest.mark.parametrize("raw", HOSTILE_IDS)
def test_names_from_the_chain_reach_no_terminal_raw(tables: str, raw: bytes) -> None:
    shown = run("timeline", raw.hex(), "--db", tables)
    assert shown.returncode == 0, shown.stderr
    assert not set(shown.stdout) & set("\x00\x1b\u202e\u2066")


def test_an_answer_after_a_step_does_not_change_with_later_steps(tables: str) -> None:
    early = json.loads(run("timeline", NAME, "--db", tables, "--json", "--as-of-step", "10").stdout)
    assert early["holds"]["step"] == 10
    assert all(line["known_from_step"] <= 10 for line in early["lines"])
    late = run("timeline", NAME, "--db", tables, "--as-of-step", "1000")
    assert late.returncode == 3
    assert "not yet 1000" in late.stderr


def test_a_database_without_tables_is_told_so(postgres: EmbeddedPostgres) -> None:
    shown = run("timeline", NAME, "--db", fresh_database(postgres))
    assert shown.returncode == 4
    assert "cellwitness project" in shown.stderr


def test_nothing_projected_yet_is_said_before_a_server_is_made(tmp_path: Path) -> None:
    shown = run("timeline", NAME, "--data-dir", str(tmp_path / "data"))
    assert shown.returncode == 1
    assert "cellwitness project" in shown.stderr


@pytest.mark.parametrize(
    ("text", "shown"),
    [("plain [b]é", "plain [b]é"), ("a\x00b", "a\\x00b"), ("\x1b[31m", "\\x1b[31m"), ("\u202e", "\\u202e")],
)
def test_what_does_not_print_is_escaped(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_sparkline_spans_its_values() -> None:
    assert sparkline([1, 2, 3]) == "▁▄█" or sparkline([1, 2, 3]) == "▁▅█"
    assert sparkline([5, 5]) == "▁▁"
    assert sparkline([]) == ""
    assert len(sparkline(range(10_000), 60)) == 60
    assert len(sparkline([0, 2**300])) == 2


def test_basis_points_of_any_size_are_shown() -> None:
    assert percent(9_987) == "99.87 %"
    assert percent(2**300) == "out of range"
