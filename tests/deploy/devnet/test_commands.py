import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from indexer.protocol.profile import load_profile
from tests.deploy.devnet.client import Client
from tests.shared import shared

COMMAND = [sys.executable, "-c", "from deploy.cli import main; main()", "devnet"]


def call(*arguments: str | Path, code: int = 0) -> str:
    done = subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


@contextmanager
def running(*arguments: str | Path) -> Iterator[dict[str, Any]]:
    """A serving command; what it says of itself. It must end in order when asked to."""
    with subprocess.Popen(
        [*COMMAND, *map(str, arguments), "--port", "0", "--json"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            os.kill(process.pid, signal.SIGTERM)
            assert process.wait(timeout=20) == 0


def test_make_writes_a_chain_a_profile_and_labels_that_follow_from_the_seed(tmp_path: Path) -> None:
    reports = []
    for name in ("a", "b"):
        out, labels, profile = (tmp_path / f"{name}.{end}" for end in ("ndjson.zst", "labels", "toml"))
        text = call(
            *("make", "--batteries", "3", "--years", "0.02", "--seed", "4", "--reading-days", "0.5", "--json"),
            *("--out", out, "--labels-out", labels, "--profile-out", profile),
        )
        reports.append(json.loads(text))
        assert load_profile(profile.read_text(), profile.name).name == "demo"
    assert reports[0]["blocks"] == reports[1]["blocks"] > 50
    assert reports[0]["kinds"]["register"] == 3
    assert reports[0]["empty_blocks"] / reports[0]["blocks"] > 0.7
    for end in ("ndjson.zst", "labels", "toml"):
        assert (tmp_path / f"a.{end}").read_bytes() == (tmp_path / f"b.{end}").read_bytes()


@pytest.mark.long
def test_make_lets_the_contracts_decide_and_makes_the_chain_that_was_foreseen(tmp_path: Path) -> None:
    made = {}
    for name in ("--scripts", "--no-scripts"):
        text = call(
            *("make", "--batteries", "2", "--years", "0.01", "--seed", "4", "--reading-days", "0.5", "--json", name),
            *("--out", tmp_path / name, "--labels-out", tmp_path / f"{name}.labels"),
        )
        made[name] = json.loads(text)
    assert made["--scripts"]["judged"] > 10
    assert made["--no-scripts"]["judged"] == 0
    assert (tmp_path / "--scripts").read_bytes() == (tmp_path / "--no-scripts").read_bytes()


def test_run_grows_and_forks_on_command(tmp_path: Path) -> None:
    profile = tmp_path / "devnet.toml"
    arguments = ("--batteries", "2", "--block-seconds", "0.02", "--history-years", "0.01", "--k", "30")
    with running("run", *arguments, "--profile-out", profile) as node:
        assert node["security_parameter"] == 30
        assert load_profile(profile.read_text(), "devnet.toml").network_magic == node["network_magic"]
        done = json.loads(call("fork", "--depth", "5", "--ogmios", node["url"], "--json"))
        assert (done["depth"], done["blocks"]) == (5, 6)
        assert "rolled back 2 blocks to slot" in call("fork", "--depth", "2", "--ogmios", node["url"])
        done = json.loads(
            call("misbehave", "flip", "--blocks", "2", "--seconds", "600", "--ogmios", node["url"], "--json")
        )
        assert (done["kind"], done["depth"]) == ("flip", 2)
        assert "tip-back for 1 s" in call("misbehave", "tip-back", "--seconds", "1", "--ogmios", node["url"])
        status = json.loads(call("status", "--ogmios", node["url"], "--json"))
        assert status["forks"] == 3
        assert status["blocks"] > node["blocks"]
        assert "3 forks" in call("status", "--ogmios", node["url"])
        assert "needs 1 to" in call("fork", "--depth", "1000000", "--ogmios", node["url"], code=2)


def test_run_misbehaves_by_its_seed_and_writes_labels(tmp_path: Path) -> None:
    labels = tmp_path / "labels.ndjson"
    arguments = ("--batteries", "4", "--block-seconds", "0.02", "--fraud-share", "0.5", "--labels-out", labels)
    with running("run", *arguments, "--weak-contract", "--mischief-seconds", "0.3", "--k", "30") as node:
        deadline = time.monotonic() + 60
        while not (labels.exists() and '"fraud"' in labels.read_text()):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert node["security_parameter"] == 30


def test_play_serves_the_recording_in_time() -> None:
    recording = shared("chain/preview-01285.ndjson.zst")
    with running("play", recording, "--network", "preview") as node:
        assert (node["network"], node["network_magic"], node["blocks"]) == ("preview", 2, 864)
    with running("play", recording, "--speed", "200") as node:
        assert node["blocks"] < 100
        with connect(node["url"], compression=None) as connection:
            one = Client(connection)
            heights = [one.next()["block"]["height"] for _ in range(10)]
    assert heights == list(range(910_412, 910_422))


@pytest.mark.parametrize("command", ["fork --depth 1", "status"])
def test_asking_where_no_devnet_runs_may_be_tried_again(command: str) -> None:
    assert "no devnet answers" in call(*command.split(), "--ogmios", "ws://127.0.0.1:9", code=3)


def test_a_speed_that_is_none_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.ndjson"
    file.write_text("")
    assert "--speed" in call("play", file, "--speed", "fast", code=2)
    assert "--speed" in call("play", file, "--speed", "-1", code=2)


def test_every_command_explains_itself() -> None:
    for command in ("make", "play", "run", "fork", "misbehave", "status"):
        assert f"cellwitness devnet {command}" in call(command, "--help")
