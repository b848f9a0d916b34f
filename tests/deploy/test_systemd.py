"""The units of one machine: sound by systemd's own tools, hardened, and with commands that the program takes."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from deploy.settings import read_settings
from tests.deploy.commandlines import is_here, require_taken
from tests.shared import ROOT

FOLDER: Final = ROOT / "deploy" / "systemd"
SERVICES: Final = sorted(FOLDER.glob("*.service"))
PROGRAM: Final = "/opt/cellwitness/bin/cellwitness"
EXPOSED_AT_MOST: Final = 1.5
"""Of 10, by `systemd-analyze security`. What is left: a network, and the host's own root, read-only."""

BY_UNIT = pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.stem)


def analyze(folder: Path, *arguments: str) -> str:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd here")
    # Where the program is not installed: systemd looks whether what a unit starts is there.
    for unit in (*SERVICES, *FOLDER.glob("*.timer")):
        (folder / unit.name).write_text(unit.read_text().replace(PROGRAM, "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def test_systemd_finds_the_units_sound(tmp_path: Path) -> None:
    names = [f"./{unit.name}" for unit in (*SERVICES, *FOLDER.glob("*.timer"))]
    assert len(names) == 6
    analyze(tmp_path, "verify", "--man=no", *names)


@BY_UNIT
def test_each_unit_is_hardened(unit: Path, tmp_path: Path) -> None:
    said = analyze(tmp_path, "security", "--offline=true", "--no-pager", f"./{unit.name}")
    found = re.search(r"exposure level for \S+: ([0-9.]+)", said)
    assert found is not None
    assert float(found[1]) <= EXPOSED_AT_MOST


@BY_UNIT
def test_each_unit_starts_what_the_program_takes(unit: Path) -> None:
    (line,) = re.findall(r"^ExecStart=(.*)$", unit.read_text(), re.MULTILINE)
    words = shlex.split(line)
    if words[0] == "/bin/sh":
        # The folder's name is the shell's to make.
        words = shlex.split(re.sub(r"\$\$\(date [^)]*\)", "now", words[2]).removeprefix("exec "))
    assert words[0] == PROGRAM
    assert words[1:3] == ["--config", "/etc/cellwitness/cellwitness.toml"]
    if is_here(words[3:]):
        require_taken(words[3:])


@BY_UNIT
def test_what_another_try_can_not_mend_is_not_started_again(unit: Path) -> None:
    text = unit.read_text()
    if "Type=oneshot" in text:
        return
    assert "Restart=always" in text
    assert "RestartPreventExitStatus=2 4" in text


def test_the_settings_of_the_units_are_settings() -> None:
    settings, origins = read_settings(FOLDER / "cellwitness.toml", {})
    assert settings.log.startswith("sqlite:/var/lib/cellwitness/")
    assert settings.http != settings.project_http
    assert "db" in origins


def test_signatures_are_checked_where_no_memory_may_be_written_and_run() -> None:
    """As MemoryDenyWriteExecute has it, by the kernel's own switch: a library that makes code at run time would die."""
    code = """
import ctypes, mmap, sys
PR_SET_MDWE = 65
if ctypes.CDLL(None).prctl(PR_SET_MDWE, 1, 0, 0, 0):
    sys.exit(77)
try:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    sys.exit(1)
except PermissionError:
    pass
import coincurve, crc32c, kafka, msgspec, psycopg, sqlite3, websockets, zstandard
from cryptography.hazmat.primitives.asymmetric import ec
from nacl.signing import SigningKey
key, message = coincurve.PrivateKey(), b"a reading"
assert key.public_key.verify(key.sign(message), message)
signer = SigningKey.generate()
signer.verify_key.verify(signer.sign(message))
ec.generate_private_key(ec.SECP256R1())
import indexer.run, projections.run
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 77:
        pytest.skip("this kernel has no such switch")
    assert done.returncode == 0, done.stderr
