"""Commands of cellwitness as processes of their own, which end with the test whatever becomes of it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Self

import psutil

COMMAND: Final = (sys.executable, "-m", "deploy.cli")
PATIENCE_SECONDS: Final = 180.0


def clean_environment(more: Mapping[str, str] = {}) -> dict[str, str]:
    """Ours without any setting of cellwitness, so that a developer's own can't reach a test."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("CELLWITNESS_")}
    return plain | {"COLUMNS": "120", "NO_COLOR": "1"} | dict(more)


def wait_until(true: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain for {what}"
        time.sleep(0.02)


def run(
    folder: Path, *arguments: str, timeout: float = PATIENCE_SECONDS, **more: str
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end in a folder. ``more`` is its environment beyond ours."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env=clean_environment(more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )


class Running:
    """A command under way. Its output goes to files: a full pipe would stop it."""

    def __init__(self, folder: Path, name: str, *arguments: str, **more: str) -> None:
        self.name = name
        self.out_file, self.error_file = folder / f"{name}.out", folder / f"{name}.err"
        with self.out_file.open("wb") as out, self.error_file.open("wb") as errors:
            self.process = subprocess.Popen(
                [*COMMAND, *arguments],
                cwd=folder,
                env=clean_environment(more),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def out(self) -> str:
        return self.out_file.read_text()

    @property
    def errors(self) -> str:
        return self.error_file.read_text()

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def json(self) -> Any:
        """Its last line of output, as JSON."""
        return json.loads(self.out.splitlines()[-1])

    def kill(self) -> None:
        """As the out-of-memory killer does it. Returns when it is gone."""
        self.process.kill()
        self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ends(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Waits for its end. Returns the exit code."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end in {seconds:.0f} s:\n{self.errors[-2000:]}") from None

    def terminate(self) -> int:
        """Asks it to end, as a service manager does. Returns the exit code."""
        self.signal(signal.SIGTERM)
        return self.ends()

    def must_live(self) -> None:
        assert self.alive, f"{self.name} ended with {self.process.returncode}:\n{self.errors[-2000:]}"


def kill_whole(pid: int) -> int:
    """kill -9 of a process and all that it started. Returns how many they were."""
    try:
        parent = psutil.Process(pid)
        family = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    killed = 0
    for each in family:
        try:
            each.kill()
            killed += 1
        except psutil.NoSuchProcess:
            pass
    return killed


def processes_that_name(text: str) -> list[str]:
    """Command lines of every process of the machine that holds this text."""
    found = []
    for process in psutil.process_iter():
        try:
            line = " ".join(process.cmdline())
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
        if text in line and process.pid != os.getpid():
            found.append(line)
    return found
