"""``make audit-dependencies``: known faults of what an install brings, and its parts lists for other scanners.

Exit code 0: all were looked up, and none has a known fault. 1: some have. 3: no list of faults could be reached, and
the files are for a scanner elsewhere.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import click

from tests.shared import ROOT

OUT: Final = ROOT / "build" / "audit"
PIP_AUDIT: Final = "pip-audit==2.10.1"
LOCKED: Final = ("export", "--locked", "--no-dev", "--all-extras", "--no-emit-project", "--quiet")


def export(uv: str) -> Path:
    """Writes requirements with hashes, and a CycloneDX parts list. Returns the former."""
    OUT.mkdir(parents=True, exist_ok=True)
    requirements, parts = OUT / "requirements.txt", OUT / "cellwitness.cdx.json"
    subprocess.run([uv, *LOCKED, "--format", "requirements-txt", "-o", requirements], cwd=ROOT, check=True)
    cyclonedx = ("--format", "cyclonedx1.5", "--preview-features", "sbom-export")
    subprocess.run([uv, *LOCKED, *cyclonedx, "-o", parts], cwd=ROOT, check=True)
    return requirements


def looked_up(uv: str, requirements: Path) -> list[dict[str, Any]]:
    """What pip-audit says of each package; empty where it could not run."""
    how = ("--disable-pip", "--require-hashes", "--format", "json", "--progress-spinner", "off")
    done = subprocess.run(
        [uv, "tool", "run", "--quiet", PIP_AUDIT, "--requirement", requirements, *how],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (json.JSONDecodeError, KeyError):
        return []
    return found


def verdict(found: list[dict[str, Any]]) -> tuple[int, list[str]]:
    """Exit code and what to say. A package that was skipped is not one without faults."""
    skipped = [each["name"] for each in found if "skip_reason" in each]
    faulty = [
        f"{each['name']} {each['version']}: {fault['id']}, mended in {', '.join(fault['fix_versions']) or 'none yet'}"
        for each in found
        for fault in each.get("vulns", ())
    ]
    audited = len(found) - len(skipped)
    if faulty:
        return 1, faulty
    if not found or skipped:
        return 3, [
            f"{audited} of {len(found)} packages could be looked up: no list of faults is in reach, or not all of it.",
            f"Take {OUT.relative_to(ROOT)}/requirements.txt or cellwitness.cdx.json to a scanner that has one.",
        ]
    return 0, [f"{audited} packages, none with a known fault"]


def main() -> None:
    uv = shutil.which("uv") or str(ROOT / ".tools" / "bin" / "uv")
    code, said = verdict(looked_up(uv, export(uv)))
    for line in said:
        click.echo(line)
    sys.exit(code)


if __name__ == "__main__":
    main()
