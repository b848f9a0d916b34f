import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from deploy.cli import cli, main
from deploy.commands.follow import read_point
from deploy.health import serve_health
from indexer.chain import ORIGIN, Point
from indexer.errors import ConfigurationError
from tests.shared import ROOT


def test_a_fault_of_the_program_ends_with_4_and_not_with_the_answer_no(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def faulty() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "get_command", lambda *_: faulty)
    monkeypatch.setattr("sys.argv", ["cellwitness", "faulty"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 4
    assert "ZeroDivisionError" in capfd.readouterr().err


@pytest.mark.parametrize("address", ["", "localhost", "127.0.0.1:99999", "127.0.0.1:²", "127.0.0.1:-1"])
def test_an_address_to_serve_health_on_that_is_none_is_the_users_to_mend(address: str) -> None:
    with pytest.raises(ConfigurationError, match="is not HOST:PORT"):
        serve_health(address, lambda _: [])


@pytest.mark.parametrize(
    "text", ["", "5", "5.", f"-5.{'a' * 64}", f"²5.{'a' * 64}", f"5.{'A' * 64}", f"5.{'a' * 63}", "Origin"]
)
def test_a_point_that_is_none_is_the_users_to_mend(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is no point"):
        read_point(text)


def test_points_are_read_as_they_are_shown() -> None:
    point = Point(5, "ab" * 32)
    assert (read_point(str(point)), read_point("origin")) == (point, ORIGIN)


def test_a_settings_file_that_is_not_there_is_the_users_to_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["cellwitness", "--config", str(tmp_path / "no.toml"), "settings"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_reader_that_goes_away_is_no_answer_no(tmp_path: Path, form: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as gone:
        command = [sys.executable, "-m", "deploy.cli", "settings", *form]
        ended = subprocess.run(
            command, stdout=gone, stderr=subprocess.PIPE, cwd=tmp_path, env=_environment(), check=False
        )
    assert (ended.returncode, ended.stderr) == (0, b"")


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)}


WITHOUT_EXTRA = """
import sys
for name in ("coincurve", "nacl", "pycardano", "uplc"):
    sys.modules[name] = None
from deploy.cli import main
main()
"""


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("--help", 0, "Needs the extra `devnet`."),
        ("devnet --help", 0, "misbehave"),
        ("commit --battery x", 2, "uv sync --extra devnet"),
        ("element new --out x", 2, "uv sync --extra devnet"),
        ("devnet run", 2, "uv sync --extra devnet"),
    ],
)
def test_without_the_extra_all_is_listed_and_what_needs_it_says_so(words: str, code: int, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRA, *words.split()], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == code, done.stderr
    assert said in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("audit --help", 0, "Needs the extra `audit`."),
        ("audit verify pack.zip", 2, "uv sync --extra audit"),
        ("audit export urn:battery -o pack.zip", 2, "uv sync --extra audit"),
        ("audit statement --help", 0, "chained by --previous"),
    ],
)
def test_without_typst_and_pycose_the_rest_of_audit_works(words: str, code: int, said: str) -> None:
    program = WITHOUT_EXTRA.replace('("coincurve", "nacl", "pycardano", "uplc")', '("ecdsa", "pycose", "typst")')
    done = subprocess.run(
        [sys.executable, "-c", program, *words.split()], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == code, done.stderr
    assert said in done.stdout + done.stderr
