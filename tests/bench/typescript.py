"""The official TypeScript client, installed on demand into the ignored folder `.cellwitness`."""

import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from tests.bench.fed import Feed
from tests.bench.opponents import Missing, Played
from tests.shared import ROOT

SOURCE: Final = Path(__file__).parent / "typescript"
PLACE: Final = ROOT / ".cellwitness" / "bench-typescript"
INSTALL_SECONDS: Final = 120.0


@cache
def installed(*, may_install: bool) -> str:
    """Why the client can't run here; empty where it can."""
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    lock = (SOURCE / "package-lock.json").read_bytes()
    done = PLACE / "installed-lock.json"
    if done.exists() and done.read_bytes() == lock:
        return ""
    if not may_install:
        return "not installed yet: a full run installs it"
    PLACE.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copyfile(SOURCE / name, PLACE / name)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    try:
        subprocess.run(command, cwd=PLACE, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except subprocess.CalledProcessError as error:
        return f"npm could not install it: {(error.stderr.strip().splitlines() or ['no reason given'])[0]}"
    except subprocess.TimeoutExpired:
        return f"npm did not install it within {INSTALL_SECONDS:.0f} s"
    done.write_bytes(lock)
    return ""


def typescript_client(feed: Feed, seconds: float, *, may_install: bool) -> Played:
    """npm `@cardano-ogmios/client`: parses each answer into objects with big integers."""
    why = installed(may_install=may_install)
    if why:
        raise Missing(why)
    script = PLACE / "follow.mjs"
    shutil.copyfile(SOURCE / "follow.mjs", script)
    address = urlsplit(feed.url)
    command = ["node", str(script), str(address.hostname), str(address.port), str(feed.frames), str(seconds)]
    ran = subprocess.run(command, check=True, capture_output=True, timeout=seconds + 60)
    return msgspec.json.decode(ran.stdout, type=Played)
