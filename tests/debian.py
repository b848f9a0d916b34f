"""Programs of Debian's packages that tests ask: those on PATH, else unpacked beside the project, without a service.

Required, never skipped: where neither is to be had, the tests that need one fail and say what to install.
"""

import shutil
import subprocess
from pathlib import Path

from tests.shared import ROOT


def program(package: str, *names: str) -> str:
    """The path of a package's program; ``names`` are what it may be called, the first one by Debian."""
    unpacked = ROOT / ".tools" / package
    there = unpacked / "usr" / "bin" / names[0]
    for found in (*map(shutil.which, names), there if there.exists() else None):
        if found:
            return str(found)
    unpacked.mkdir(parents=True, exist_ok=True)
    try:
        try:
            _fetch(package, unpacked)
        except subprocess.SubprocessError:  # a fresh machine has no lists of packages
            subprocess.run(["apt-get", "update", "-qq"], check=True, capture_output=True, text=True, timeout=300)
            _fetch(package, unpacked)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", "") or error
        raise AssertionError(f"these tests need {names[0]}: apt-get install {package} ({said})") from error
    return str(there)


def _fetch(package: str, folder: Path) -> None:
    for command in (("apt-get", "download", package), ("sh", "-c", f"dpkg-deb -x {package}_*.deb .")):
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=300)
