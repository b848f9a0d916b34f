"""One run: start, storm, calm, checks. What it found is a report, or the error that says what broke."""

import os
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from indexer.errors import Retryable
from tests.chaos.checks import Finding, check
from tests.chaos.controls import CONTROLS
from tests.chaos.services import Failed
from tests.chaos.storm import Reader, Sample, Storm
from tests.chaos.system import System
from tests.simulation.mutate import plant_in_copy

FIRST_TABLES_SECONDS = 180.0
CHECK_TRIES = 5


class Report(Struct, frozen=True):
    """What a run did and saw."""

    seed: str
    minutes: float
    faults: dict[str, int]
    services: dict[str, str]  # how often each was started, and how it ended
    calm_seconds: float  # from the last mended fault to no lag
    looks: int  # of a reader at the tables
    looks_refused: int
    left_out: tuple[str, ...]
    findings: tuple[Finding, ...]


def run_chaos(
    minutes: float, seed: str, folder: Path, *, control: str | None = None, tell: Callable[[str], None]
) -> Report:
    """Raises Failed, or what a check raised. The folder keeps every log of every process."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="cellwitness-control-") as name:
        tree = None
        if control is not None:
            tree = Path(name)
            plant_in_copy(CONTROLS[control].mutant, tree)
        with closing(System(folder, chance, tree=tree)) as system:
            system.start()
            tell("started: devnet, 3 brokers, PostgreSQL; now 2 followers and 2 workers")
            storm = Storm(system, CONTROLS[control].faults if control else None)
            _await_work(system, storm)
            reader = Reader(system.database.url)
            try:
                storm.rage(60 * minutes, lambda left: tell(_state(system, left)))
                calm_seconds = storm.calm()
            finally:
                reader.end()
            for service in system.services[:2]:
                service.end()
            storm.await_tables()  # with what the followers wrote last
            for service in system.services[2:]:
                service.end()
            tell(f"no lag after {calm_seconds:.1f} s; checking")
            findings = _checked(system, reader.samples, tell)
            return Report(
                seed=seed,
                minutes=minutes,
                faults=dict(system.counts),
                services={each.name: each.life for each in system.services},
                calm_seconds=calm_seconds,
                looks=len(reader.samples),
                looks_refused=reader.refused,
                left_out=() if system.disks else ("disk full: a file system of its own takes root",),
                findings=tuple(findings),
            )


def _checked(system: System, samples: Sequence[Sample], tell: Callable[[str], None]) -> list[Finding]:
    """Brokers that have just been through all this may keep a reader waiting too long: then it looks again, as a person
    would who is told that another try may work.
    """
    findings: list[Finding] = []
    for attempt in range(CHECK_TRIES):
        findings = []
        try:
            for finding in check(system, samples):
                tell(f"{finding.invariant:>4}  {finding.seen}")
                findings.append(finding)
        except Retryable as error:
            if attempt == CHECK_TRIES - 1:
                raise
            tell(f"looking again: {error}")
            time.sleep(5)
        else:
            break
    return findings


def _await_work(system: System, storm: Storm) -> None:
    deadline = time.monotonic() + FIRST_TABLES_SECONDS
    while not storm.at_work():
        system.tend()
        if time.monotonic() > deadline:
            raise Failed(f"nothing was projected within {FIRST_TABLES_SECONDS:.0f} s of the start")
        time.sleep(0.2)


def _state(system: System, left: float) -> str:
    alive = sum(each.alive for each in system.services)
    broken = ", ".join(sorted(system.busy)) or "nothing"
    return f"{left:6.0f} s left  {sum(system.counts.values()):5} faults  {alive} of 4 services up  broken: {broken}"


def new_folder() -> Path:
    """A folder that the database's user may pass through, and that outlives us: it holds what happened."""
    folder = Path(os.path.realpath(tempfile.mkdtemp(prefix="cellwitness-chaos-")))
    folder.chmod(0o711)
    return folder
