"""AsyncAPI's own JSON Schema, fetched by npm from a lock file into the ignored folder `.cellwitness`."""

import json
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

from jsonschema import Draft7Validator

from tests.shared import ROOT

SOURCE = Path(__file__).parent / "asyncapi"
PLACE = ROOT / ".cellwitness" / "asyncapi-specs"


@lru_cache
def asyncapi_validator() -> Draft7Validator:
    """Required, never skipped: where npm is missing the test fails, and says so."""
    lock = (SOURCE / "package-lock.json").read_bytes()
    done = PLACE / "installed-lock.json"
    if not done.exists() or done.read_bytes() != lock:
        assert shutil.which("npm"), "AsyncAPI's schema is fetched by npm, and there is none: `apt install npm`"
        PLACE.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copyfile(SOURCE / name, PLACE / name)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
        ran = subprocess.run(command, cwd=PLACE, check=False, capture_output=True, text=True, timeout=240)
        assert ran.returncode == 0, f"npm could not fetch AsyncAPI's schema: {ran.stderr[-1000:]}"
        done.write_bytes(lock)
    return Draft7Validator(json.loads((PLACE / "node_modules/@asyncapi/specs/schemas/3.0.0.json").read_bytes()))
