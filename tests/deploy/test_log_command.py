"""``cellwitness log`` as a person or a script meets it."""

import json
import sqlite3
import subprocess
import sys
from hashlib import blake2b
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deploy.commands.log import log as log_command
from deploy.log_view import _keys, find_battery
from indexer.log.port import LogEmpty
from indexer.log.records import Forward
from indexer.log.sqlite import SqliteLog
from tests.indexer.log.chains import Scribe, Tree, canonical_of, name
from tests.shared import ROOT


@pytest.fixture
def scribe(tmp_path: Path) -> Scribe:
    """Twelve steps: a chain with a fork of two blocks undone."""
    scribe = Scribe(SqliteLog(tmp_path / "events.db"), k=5)
    tree = Tree(5)
    for block in tree.grow([], 8):
        scribe.forward([block])
    scribe.rollback(2)
    scribe.forward(tree.grow(scribe.chain, 3, 1))
    scribe.writer.close()
    scribe.log.close()
    return scribe


def run(scribe: Scribe, *arguments: str) -> Result:
    assert isinstance(scribe.log, SqliteLog)
    return CliRunner().invoke(log_command, [*arguments, "--log", f"sqlite:{scribe.log.path}"])


def damage(scribe: Scribe) -> None:
    assert isinstance(scribe.log, SqliteLog)
    with sqlite3.connect(scribe.log.path) as file:
        file.execute("DELETE FROM records WHERE position = 13")
    file.close()


def test_verify_says_that_a_sound_log_is_sound(scribe: Scribe) -> None:
    result = run(scribe, "verify")
    assert result.exit_code == 0
    assert result.stdout.startswith("sound: 11 steps in 3 partitions: 11 blocks, ")
    report = json.loads(run(scribe, "verify", "--json").stdout)
    assert (report["fault"], report["steps"], report["rollbacks"]) == (None, 11, 1)


def test_verify_names_the_first_fault_and_ends_with_1(scribe: Scribe) -> None:
    damage(scribe)
    result = run(scribe, "verify")
    assert result.exit_code == 1
    assert "NOT SOUND: step 4, partition 1" in result.stdout
    result = run(scribe, "verify", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["fault"]["step"] == 4


def test_a_log_that_is_not_there_is_another_try_and_a_damaged_one_an_operators(scribe: Scribe, tmp_path: Path) -> None:
    for command in (["verify"], ["tail"], ["show", "1"], ["canonical"]):
        missing = CliRunner().invoke(log_command, [*command, "--log", f"sqlite:{tmp_path / 'none.db'}"])
        assert isinstance(missing.exception, LogEmpty)
        assert missing.exception.exit_code == 3
    damage(scribe)
    for command in (["show", "4"], ["canonical", "--to", "tip"]):
        assert getattr(run(scribe, *command).exception, "exit_code", None) == 4


def test_tail_prints_the_last_steps_one_a_line(scribe: Scribe) -> None:
    lines = run(scribe, "tail", "-n", "3").stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [["8", "forward"], ["9", "rollback"], ["10", "forward"]]
    assert "-2 blocks" in lines[1]
    assert len(run(scribe, "tail", "-n", "100").stdout.splitlines()) == 11
    last = json.loads(run(scribe, "tail", "-n", "1", "--json").stdout)
    assert (last["step"], last["kind"], last["height"], last["blocks"]) == (10, "forward", 9, 3)


def test_tail_goes_on_with_new_steps_until_it_is_stopped(scribe: Scribe) -> None:
    assert isinstance(scribe.log, SqliteLog)
    code = "from deploy.commands.log import log; log()"
    command = [sys.executable, "-c", code, "tail", "-n", "1", "--follow", "--log", f"sqlite:{scribe.log.path}"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().split()[0] == "10"
        scribe.writer = scribe.log.writer()
        scribe.forward(Tree(5).grow(scribe.chain, 1, 1))
        assert process.stdout.readline().split()[0] == "11"
        process.kill()
    scribe.writer.close()
    scribe.log.close()


def test_show_a_step(scribe: Scribe) -> None:
    shown = run(scribe, "show", "9")
    assert shown.exit_code == 0
    assert '"kind": "rollback"' in shown.stdout
    assert "retraction" in shown.stdout
    whole = json.loads(run(scribe, "show", "9", "--json").stdout)
    assert whole["spine"]["step"] == 9
    assert {record["kind"] for record in whole["records"]} == {"retraction", "marker"}
    assert run(scribe, "show", "99").exit_code == 1


def test_show_an_event_with_what_became_of_it(scribe: Scribe) -> None:
    retraction = next(
        record
        for record in json.loads(run(scribe, "show", "9", "--json").stdout)["records"]
        if record["kind"] != "marker"
    )
    lines = run(scribe, "show", "--event", retraction["retracts"][:20], "--json").stdout.splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["event", "retraction"]
    assert run(scribe, "show", "--event", "no such").exit_code == 1


def test_show_everything_of_a_battery_by_key(scribe: Scribe) -> None:
    key = name("battery", 3)[:56]
    lines = [json.loads(line) for line in run(scribe, "show", "--battery", key, "--json").stdout.splitlines()]
    assert lines
    assert {line["key"] for line in lines} == {key}
    assert [line["seq"] for line in lines] == sorted(line["seq"] for line in lines)
    assert key in run(scribe, "show", "--battery", key).stdout
    scribe.log.close()


def test_a_battery_is_found_by_its_id_as_text_or_hex() -> None:
    """The profile's default rule: the key is blake2b-224 of the id."""
    battery = "urn:eudpp:battery:demo:0001"
    key = blake2b(battery.encode(), digest_size=28).hexdigest()
    assert key in _keys(battery)
    assert key in _keys(battery.encode().hex())
    assert key in _keys(key)


@pytest.mark.parametrize("arguments", [[], ["1", "--event", "ab"], ["--event", "ab", "--battery", "x"], ["-1"]])
def test_show_wants_one_thing(scribe: Scribe, arguments: list[str]) -> None:
    assert run(scribe, "show", *arguments).exit_code == 2


def test_canonical_prints_lines_and_their_digest(scribe: Scribe) -> None:
    result = run(scribe, "canonical", "--to", "tip")
    assert result.stdout_bytes.splitlines() == canonical_of(scribe.chain)
    only = json.loads(run(scribe, "canonical", "--to", "tip", "--digest-only", "--json").stdout)
    assert only["digest"] in result.stderr
    assert only["events"] == len(canonical_of(scribe.chain))
    assert only["to_height"] == 9
    final = run(scribe, "canonical").stdout_bytes.splitlines()
    assert final == canonical_of(scribe.chain[:4])
    digest = run(scribe, "canonical", "--digest-only").stdout
    assert digest.split()[0] in run(scribe, "canonical", "--to", "4", "--digest-only").stdout


def test_every_command_explains_itself() -> None:
    for command in ([], ["verify"], ["tail"], ["show"], ["canonical"]):
        result = CliRunner().invoke(log_command, [*command, "--help"])
        assert result.exit_code == 0
        assert len(result.stdout.splitlines()) > 8


def test_reading_writes_nothing(scribe: Scribe) -> None:
    assert isinstance(scribe.log, SqliteLog)
    before = scribe.log.path.read_bytes()
    for command in (["verify"], ["tail"], ["show", "3"], ["canonical"]):
        run(scribe, *command)
    assert scribe.log.path.read_bytes() == before
    assert isinstance(next(scribe.log.spine(1)).spine, Forward)
    assert list(find_battery(scribe.log, "nobody")) == []
    scribe.log.close()
