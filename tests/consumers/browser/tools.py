"""What the browser tests need beside Python's packages: Debian's Chromium, and axe-core from npm by a lock file.

``python -m tests.consumers.browser.tools`` (or ``make browser``) brings both. Tests themselves install nothing.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from consumers.dashboard import vendor

HERE = Path(__file__).parent
AXE_FILES = {"axe-core": {"package/axe.min.js": "axe.js"}}
AXE_FOLDER = HERE / "vendor"
LOCK = HERE / "package-lock.json"
HOW = "run `make browser` (or install Chromium, in Debian: apt-get install chromium)"


def chromium() -> str | None:
    """The browser's program."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def axe() -> Path:
    return AXE_FOLDER / "axe.js"


def missing() -> list[str]:
    """What there is not, in words."""
    lacks = [] if chromium() else ["no Chromium is installed"]
    if vendor.missing(AXE_FILES, LOCK, AXE_FOLDER):
        lacks.append("axe-core was not fetched")
    if vendor.missing():
        lacks.append("the dashboard's assets were not fetched")
    return lacks


def bring() -> int:
    """Installs and fetches what is missing. Returns an exit code."""
    if vendor.missing():
        vendor.fetch(print)
    if vendor.missing(AXE_FILES, LOCK, AXE_FOLDER):
        vendor.fetch(print, files=AXE_FILES, lock=LOCK, folder=AXE_FOLDER)
    if chromium() is None:
        apt = shutil.which("apt-get")
        if apt is None or os.geteuid() != 0:
            sys.stderr.write("no Chromium: install it (in Debian, as root: apt-get install chromium), then try again\n")
            return 4
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = ("install", "-y", "-qq", "--no-install-recommends", "chromium", "fonts-dejavu-core")
        subprocess.run([apt, "update", "-qq"], env=environment, stdout=subprocess.DEVNULL, check=False)
        done = subprocess.run([apt, *install], env=environment, stdout=subprocess.DEVNULL, check=False)
        return 4 if done.returncode else 0
    return 0


if __name__ == "__main__":
    sys.exit(bring())
