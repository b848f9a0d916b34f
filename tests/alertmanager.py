"""A real Alertmanager for tests: Debian's, without its service."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError
from urllib.request import urlopen

from tests.debian import program
from tests.endtoend.processes import wait_until
from tests.kafka import free_ports

PACKAGE: Final = "prometheus-alertmanager"
CONFIG: Final = "route:\n  receiver: none\nreceivers:\n  - name: none\n"


class Alertmanager:
    """One process on ports of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self._cluster = free_ports(2)
        self.url = f"http://127.0.0.1:{self.port}"
        (folder / "alertmanager.yml").write_text(CONFIG)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "alertmanager.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    program(PACKAGE, PACKAGE, "alertmanager"),
                    f"--config.file={self.folder / 'alertmanager.yml'}",
                    f"--storage.path={self.folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                    "--cluster.listen-address=",
                ],
                stdout=log,
                stderr=log,
            )
        wait_until(self._ready, f"Alertmanager; its log is {self.folder / 'alertmanager.log'}")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def alerts(self, query: str = "") -> list[dict[str, Any]]:
        """What fires there now, as its API tells it: what was resolved it tells no more."""
        with urlopen(f"{self.url}/api/v2/alerts{query}", timeout=10) as answer:  # loopback
            found: list[dict[str, Any]] = json.load(answer)
        return found

    def _ready(self) -> bool:
        try:
            with urlopen(f"{self.url}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False


@contextmanager
def alertmanager(folder: Path) -> Iterator[Alertmanager]:
    made = Alertmanager(folder)
    try:
        made.start()
        yield made
    finally:
        made.kill()
