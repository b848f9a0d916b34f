"""The command line as a user meets it: help, exit codes, JSON."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import pytest

from deploy.cli import cli
from deploy.devnet.chain import Chain
from deploy.devnet.deployment import Terms, profile_toml
from deploy.devnet.network import Network
from deploy.devnet.server import serve
from tests.endtoend.commands import CommandLine, every_command
from tests.endtoend.pipeline import Pipeline, devnet, pipeline
from tests.endtoend.processes import run as run_command

NOBODY = "ws://127.0.0.1:1"


@pytest.fixture
def command(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(folder, monkeypatch, capsys)


@pytest.fixture
def profile(folder: Path) -> str:
    file = folder / "devnet.toml"
    file.write_text(profile_toml(Network(), Terms()))
    return str(file)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """A pipeline that has run to its end."""
    folder = tmp_path_factory.mktemp("whole")
    with pipeline(folder, devnet(blocks=200)) as made:
        run = run_command(made.folder, *made.follow_command("--until-tip"))
        assert run.returncode == 0, run.stderr
        yield made


@pytest.mark.parametrize("words", list(every_command()), ids=" ".join)
def test_every_command_explains_itself_with_an_example(command: CommandLine, words: tuple[str, ...]) -> None:
    said = command(*words, "--help")
    assert (said.code, said.errors) == (0, "")
    usage, _, rest = said.out.partition("\n")
    assert usage.startswith(" ".join(("Usage: cellwitness", *words)))
    assert " ".join(("  cellwitness", *words)) in rest or '$(cellwitness db url)"' in rest, "no example"


@pytest.mark.parametrize("words", list(every_command()), ids=" ".join)
def test_every_option_says_what_it_is_for(words: tuple[str, ...]) -> None:
    found: click.Command = cli
    for word in words:
        assert isinstance(found, click.Group)
        inner = found.get_command(click.Context(found), word)
        assert inner is not None
        found = inner
    silent = [each.name for each in found.params if isinstance(each, click.Option) and not each.help]
    assert not silent


def test_the_bare_command_and_a_mistyped_one_are_usage_errors(command: CommandLine) -> None:
    assert command().code == 2
    assert command("folow").code == 2
    assert command("--version").code == 0


def test_a_bad_flag_is_a_usage_error(command: CommandLine) -> None:
    said = command("follow", "--nope")
    assert said.code == 2
    assert "--nope" in said.errors
    assert command("follow", "--in-flight", "many").code == 2


def test_following_needs_a_profile(command: CommandLine) -> None:
    said = command("follow")
    assert said.code == 2
    assert "--profile" in said.errors


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ("reporting_script =", "reportin_script =", "reporting_script"),
        ("network_magic = 42424", 'network_magic = "many"', "network_magic"),
        ('name = "demo"', "", "name"),
        ("name =", "name", "TOML"),
    ],
)
def test_a_bad_profile_is_refused_and_the_key_named(
    command: CommandLine, profile: str, before: str, after: str, named: str
) -> None:
    file = Path(profile)
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))
    said = command("follow", "--profile", profile)
    assert said.code == 2
    assert named in said.errors
    assert profile in said.errors
    assert command("follow", "--profile", "missing.toml").code == 2


@pytest.mark.parametrize("url", ["ftp://node:1337", "node:1337", "ws://", "ws://node:port", "ws://u:secret@:1"])
def test_an_address_that_no_node_can_have_is_a_usage_error(command: CommandLine, profile: str, url: str) -> None:
    said = command("follow", "--profile", profile, "--ogmios", url, "--until-tip")
    assert said.code == 2
    assert "ws://HOST:PORT" in said.errors
    assert "secret" not in said.errors


def test_a_beginning_that_is_no_point_is_a_usage_error(command: CommandLine, profile: str) -> None:
    said = command("follow", "--profile", profile, "--since", "133883340")
    assert said.code == 2
    assert "64 hex digits" in said.errors


def test_nobody_at_the_address_may_be_tried_again(folder: Path, profile: str) -> None:
    done = run_command(folder, "follow", "--ogmios", NOBODY, "--profile", profile, "--until-tip")
    assert done.returncode == 3
    assert "can't connect to ws://127.0.0.1:1" in done.stderr.splitlines()[-1]


def test_another_network_is_the_operators_business(command: CommandLine, profile: str) -> None:
    with closing(Chain(Network(magic=7))) as chain, serve(chain) as node:
        chain.grow(3)
        said = command.process("follow", "--profile", profile, "--ogmios", node.url, "--until-tip")
    assert said.code == 4
    assert "magic 7, not 42424" in said.errors


@pytest.mark.parametrize("words", [("verify",), ("canonical",), ("tail",), ("show", "3"), ("show", "--event", "ab")])
def test_a_log_that_is_not_there_is_named_with_what_to_do(command: CommandLine, words: tuple[str, ...]) -> None:
    said = command("log", *words, "--log", "sqlite:nowhere.db")
    assert said.code == 3
    assert "nowhere.db" in said.errors
    assert "`cellwitness follow`" in said.errors


def test_projecting_a_log_that_is_not_there_says_what_to_do(command: CommandLine, reference: str) -> None:
    said = command.process("project", "--log", "sqlite:nowhere.db", "--db", reference, "--until-caught-up")
    assert said.code == 3
    assert "`cellwitness follow`" in said.errors


def test_a_timeline_before_anything_was_projected_says_what_to_do(command: CommandLine, reference: str) -> None:
    for flags in (("--data-dir", "data"), ("--db", reference)):
        said = command("timeline", "urn:a", *flags)
        assert said.code in (1, 4)
        assert "`cellwitness project`" in said.errors


def test_an_unknown_battery_is_answered_with_no_and_near_names(
    command: CommandLine, whole: Pipeline, reference: str
) -> None:
    projected = command.process("project", "--log", whole.log_url, "--db", reference, "--until-caught-up", "--json")
    assert projected.code == 0
    assert json.loads(projected.out)["lag_records"] == 0
    said = command("timeline", "urn:eudpp:battery:demo:0009", "--db", reference)
    assert said.code == 1
    assert "did you mean urn:eudpp:battery:demo:000" in said.errors
    found = command("timeline", "urn:eudpp:battery:demo:0001", "--db", reference, "--json")
    assert found.code == 0
    assert json.loads(found.out)["battery"]["battery_id_text"] == "urn:eudpp:battery:demo:0001"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("mysql://u:secret@h/x", 2),
        ("host=h password=secret", 2),
        ("postgresql://u:secret@h:port/x", 2),
        ("postgresql://u:sec/ret:9@h/x", 2),
        ("postgresql://u:secret@127.0.0.1:1/x", 3),
    ],
)
def test_an_address_of_a_database_is_judged_and_its_password_not_shown(
    command: CommandLine, url: str, code: int
) -> None:
    said = command("timeline", "urn:a", "--db", url)
    assert said.code == code
    assert "sec" not in said.errors.replace("seconds", "")


def test_verify_says_no_of_a_damaged_log(command: CommandLine, whole: Pipeline) -> None:
    sound = command("log", "verify", "--log", whole.log_url, "--json")
    assert (sound.code, json.loads(sound.out)["fault"]) == (0, None)
    damaged = command.folder / "damaged.db"
    damaged.write_bytes(Path(whole.log_url.removeprefix("sqlite:")).read_bytes())
    with closing(sqlite3.connect(damaged)) as file, file:
        file.execute("DELETE FROM records WHERE position = 13")
    said = command("log", "verify", "--log", f"sqlite:{damaged}")
    assert said.code == 1
    assert "NOT SOUND" in said.out


def test_what_is_printed_as_json_parses(command: CommandLine, whole: Pipeline) -> None:
    def parsed(*words: str) -> list[Any]:
        said = command(*words, "--json")
        assert said.code == 0, said.errors
        return [json.loads(line) for line in said.out.splitlines()]

    log = ("--log", whole.log_url)
    end = whole.end()
    assert end is not None
    assert parsed("log", "tail", *log)[-1]["step"] == end.spine.step
    assert parsed("log", "show", "1", *log)[0]["digest"]
    assert parsed("log", "show", "--battery", "urn:eudpp:battery:demo:0001", *log)
    assert parsed("log", "canonical", "--digest-only", *log)[0]["to_height"] == end.spine.final_height
    assert parsed("devnet", "status", "--ogmios", whole.ogmios)[0]["blocks"] == 200
    followed = command.process(*whole.follow_command("--until-tip", "--json"))
    assert json.loads(followed.out)["step"] == end.spine.step
    assert parsed("settings")[0]["log"]["value"] == "sqlite:events.db"
    assert command("db", "status", "--json").code == 1
