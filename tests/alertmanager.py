"""A real Alertmanager for tests: the one on PATH, else Debian's package, unpacked beside the project without a service.

Required, never skipped: where neither is to be had, these tests fail and say what to install.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError
from urllib.request import urlopen

from tests.endtoend.processes import wait_until
from tests.kafka import free_ports
from tests.shared import ROOT

PACKAGE: Final = "prometheus-alertmanager"
UNPACKED: Final = ROOT / ".tools" / "alertmanager"
CONFIG: Final = "route:\n  receiver: none\nreceivers:\n  - name: none\n"


def binary() -> str:
    """The program's path."""
    unpacked = UNPACKED / "usr" / "bin" / PACKAGE
    for found in (shutil.which(PACKAGE), shutil.which("alertmanager"), unpacked if unpacked.exists() else None):
        if found:
            return str(found)
    UNPACKED.mkdir(parents=True, exist_ok=True)
    try:
        for command in (("apt-get", "download", PACKAGE), ("sh", "-c", f"dpkg-deb -x {PACKAGE}_*.deb .")):
            subprocess.run(command, cwd=UNPACKED, check=True, capture_output=True, text=True, timeout=120)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", "") or error
        raise AssertionError(f"these tests need Alertmanager: apt-get install {PACKAGE} ({said})") from error
    return str(unpacked)


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
                    binary(),
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
