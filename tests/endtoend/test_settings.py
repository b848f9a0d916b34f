"""Settings from a file, the environment and flags: which wins, who gets them, and what is never printed."""

import json
from pathlib import Path
from typing import Any

import click
import pytest

from deploy.cli import COMMANDS, cli
from deploy.settings import Settings, default_map, read_settings
from tests.endtoend.commands import CommandLine

GIVEN: dict[str, Any] = {
    "ogmios": ("ws://a:1", "ws://b:2"),
    "profile": ("p.toml",),
    "thresholds": "t.toml",
    "log": "sqlite:there.db",
    "db": "postgresql://h/d",
    "data_dir": "there",
    "since": "1." + "a" * 64,
    "partitions": 3,
    "in_flight": 7,
    "follower": ("http://127.0.0.1:1",),
    "http": "127.0.0.1:1",
    "project_http": "127.0.0.1:2",
    "standby": True,
    "routes": "r.toml",
    "alert_http": "127.0.0.1:3",
}
PARAMETERS = {"log": "log_url", "db": "db_url"}
REQUIRED: dict[tuple[str, ...], list[str]] = {
    ("timeline",): ["urn:battery"],
    ("verify",): ["reading.cose"],
    ("judge",): ["archive.csv"],
    ("alert", "drop"): ["5be1"],
    ("alerts", "show"): ["3f9c"],
    ("alerts", "ack"): ["3f9c", "--why", "seen"],
    ("alerts", "note"): ["3f9c", "--why", "seen"],
    ("alerts", "close"): ["3f9c", "--why", "seen"],
    ("query", "show"): ["silent"],
    ("query", "run"): ["silent"],
    ("audit", "query"): ["evidence"],
    ("schema", "check"): [__file__],
    ("token", "new"): ["--name", "somebody"],
    ("token", "revoke"): ["3f9c0a1b2c3d"],
    ("parked", "show"): ["urn:battery"],
    ("audit", "export"): ["urn:battery", "-o", "pack.zip"],
    ("audit", "verify"): ["pack.zip"],
    ("audit", "replay"): ["--ogmios", "ws://other:1"],
    ("backup",): ["-o", "saved"],
    ("restore",): ["saved"],
    ("log", "copy"): ["--from", "sqlite:a.db", "--to", "sqlite:b.db"],
}
NO_FLAG = {"log_level", "kafka"}  # the first is the command's own, the second a table of Kafka's settings
# What the first two need they make; who acts names a node each time. A setting for real nodes must reach none of them.
NOT_FROM_SETTINGS = {"devnet", "demo", "element", "passport", "commit", "submit", "reclaim"}


def commands_with_parameters() -> dict[tuple[str, ...], click.Command]:
    found: dict[tuple[str, ...], click.Command] = {}
    context = click.Context(cli)
    for name in COMMANDS.keys() - NOT_FROM_SETTINGS:
        command = cli.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            for inner in command.list_commands(context):
                each = command.get_command(context, inner)
                assert each is not None
                found[name, inner] = each
        if not isinstance(command, click.Group) or command.invoke_without_command:
            found[name,] = command
    return found


@pytest.mark.parametrize("words", sorted(commands_with_parameters()), ids=" ".join)
def test_each_setting_reaches_each_command_that_has_a_flag_for_it(words: tuple[str, ...]) -> None:
    command = commands_with_parameters()[words]
    reached = default_map(Settings(**GIVEN), dict.fromkeys(GIVEN, "a file"))
    for word in words:
        reached = reached.get(word, {})
    arguments = REQUIRED.get(words, [])
    values = command.make_context(words[-1], arguments, default_map=reached).params
    for setting, value in GIVEN.items():
        parameter = PARAMETERS.get(setting, setting)
        if words in (("project",), ("rebuild",), ("alert",)) and setting in ("http", "partitions"):
            # Two processes of one machine can't listen on one port. And of how many partitions a new log is made does
            # not say which ones a worker takes.
            assert setting == "http" or values.get(parameter) is None
            continue
        if (words, setting) in ((("project",), "project_http"), (("alert",), "alert_http")):
            parameter = "http"
        if parameter in values:
            assert values[parameter] == value, setting


def test_every_setting_but_the_log_level_and_kafkas_own_has_a_flag() -> None:
    names = {each.name for command in commands_with_parameters().values() for each in command.params}
    assert {PARAMETERS.get(each, each) for each in GIVEN} - {"project_http", "alert_http"} <= names
    assert set(Settings.__struct_fields__) == GIVEN.keys() | NO_FLAG


def test_a_flag_wins_over_the_environment_which_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = CommandLine(tmp_path, monkeypatch, capsys)
    (tmp_path / "cellwitness.toml").write_text('log = "sqlite:file.db"\n')
    environment = {"CELLWITNESS_LOG": "sqlite:environment.db"}
    verify = ("log", "verify")
    assert "file.db" in command(*verify).errors
    assert "environment.db" in command(*verify, environment=environment).errors
    assert "flag.db" in command(*verify, "--log", "sqlite:flag.db", environment=environment).errors
    other = tmp_path / "other.toml"
    other.write_text('log = "sqlite:other.db"\n')
    assert "other.db" in command("--config", str(other), *verify).errors
    assert "other.db" in command(*verify, environment={"CELLWITNESS_CONFIG": str(other)}).errors
    shown = json.loads(command("settings", "--json", environment=environment).out)
    assert shown["log"] == {"value": "sqlite:environment.db", "from": "CELLWITNESS_LOG"}
    assert shown["db"] == {"value": "embedded", "from": "default"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('ogmio = ["ws://a"]', "did you mean 'ogmios'?"),
        ('colour = "red"', "Known are ogmios"),
        ('ogmios = "ws://a"', "$.ogmios"),
        ('partitions = "many"', "$.partitions"),
        ('log_level = "loud"', "debug, info, warning, error"),
        ("log = ", "is not TOML"),
        ("log = " + "[" * 5_000, "nested too deep"),
    ],
)
def test_a_setting_that_can_not_be_is_named_with_the_way_to_mend_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    (tmp_path / "cellwitness.toml").write_text(text)
    answer = CommandLine(tmp_path, monkeypatch, capsys)("settings")
    assert answer.code == 2
    assert said in answer.errors


def test_an_unknown_variable_and_a_missing_file_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = CommandLine(tmp_path, monkeypatch, capsys)
    said = command("settings", environment={"CELLWITNESS_DATA": "x"})
    assert (said.code, "did you mean 'data_dir'?" in said.errors) == (2, True)
    said = command("--config", "missing.toml", "settings")
    assert (said.code, "missing.toml" in said.errors) == (2, True)


@pytest.mark.parametrize("flags", [(), ("--json",)])
@pytest.mark.parametrize(
    "db", ["postgresql://me:hunter2@h/d", "postgresql:///d?password=hunter2", "host=h password='hunter2 x' dbname=d"]
)
def test_passwords_are_never_printed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    db: str,
    flags: tuple[str, ...],
) -> None:
    environment = {"CELLWITNESS_DB": db, "CELLWITNESS_OGMIOS": "wss://u:hunter2@a/?key=hunter2, ws://b:1"}
    said = CommandLine(tmp_path, monkeypatch, capsys)("settings", *flags, environment=environment)
    assert said.code == 0
    assert "hunter2" not in said.out + said.errors
    assert "ws://b:1" in said.out


def test_lists_in_the_environment_have_commas() -> None:
    settings, origins = read_settings(None, {"CELLWITNESS_OGMIOS": " ws://a , ws://b,", "CELLWITNESS_PARTITIONS": "3"})
    assert settings.ogmios == ("ws://a", "ws://b")
    assert settings.partitions == 3
    assert origins == {"ogmios": "CELLWITNESS_OGMIOS", "partitions": "CELLWITNESS_PARTITIONS"}


def test_what_kubernetes_puts_beside_a_service_of_our_name_is_nobodys_setting() -> None:
    variables = {
        "CELLWITNESS_PORT": "tcp://10.0.0.1:80",
        "CELLWITNESS_PORT_80_TCP_ADDR": "10.0.0.1",
        "CELLWITNESS_SERVICE_HOST": "10.0.0.1",
    }
    assert read_settings(None, variables) == read_settings(None, {})
