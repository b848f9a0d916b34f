"""`make mutants`: plants each fault in a copy of the tree and says what finds it."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import click
from msgspec import Struct

from tests.shared import ROOT
from tests.simulation.mutants import MUTANTS, Mutant

PARTS: Final = ("indexer", "projections", "consumers", "deploy", "tests", "docs", "pyproject.toml", "README.md")
TESTS: Final = (
    "tests/indexer/test_follow.py",
    "tests/indexer/log/test_port.py",
    "tests/indexer/log/test_steps.py",
    "tests/indexer/log/test_tail.py",
    "tests/indexer/log/test_walks.py",
    "tests/simulation/test_simulation.py::test_a_walk_that_once_found_a_fault_finds_none",
    "tests/simulation/test_simulation.py::test_the_only_node_is_asked_again_after_any_reply_that_failed",
    "tests/simulation/test_simulation.py::test_a_step_that_failed_is_written_again_and_nothing_after_it_is_lost",
)
_SQLITE: Final = "tests/indexer/log/test_sqlite.py"
ENGINE_TESTS: Final = (
    "tests/indexer/log/test_contract.py",
    f"{_SQLITE}::test_the_fence_and_the_reading_of_the_end_are_one_transaction_in_that_order",
    f"{_SQLITE}::test_a_writer_whose_append_failed_writes_no_more",
)
DATABASE_TESTS: Final = (
    "tests/projections/test_faults.py",
    "-k",
    "zombie or transaction or seen_before or a_gap or never_had",
)
"""For faults in what the simulation has a double for."""
TESTS_OF: Final = (
    ("indexer/log/sqlite.py", ENGINE_TESTS),
    ("projections/store.py", DATABASE_TESTS),
    ("projections/queries.sql", DATABASE_TESTS),
    ("projections/sharing.py", ("tests/projections/test_sharing.py", "-k", "division or ours_by_name")),
    ("projections/parking.py", ("tests/projections/test_parking.py",)),
    ("projections/refused.py", ("tests/projections/test_refused.py",)),
    ("projections/batch.py", ("tests/projections/test_batch.py",)),
    ("projections/timeline.py", ("tests/projections/test_timeline.py",)),
    ("projections/alerts.py", ("tests/projections/test_verdicts.py",)),
    ("projections/verdicts/", ("tests/projections/verdicts",)),
    ("projections/rules/", ("tests/projections/rules",)),
    ("", TESTS),
)
"""Tests that are asked of a mutant whose file's path begins so: the first that fits."""
BEYOND_SIMULATION: Final = (
    *("indexer/log/sqlite.py", "projections/store.py", "projections/queries.sql"),
    *("projections/timeline.py", "projections/verdicts/", "projections/rules/"),
)
"""Files of which the simulation has a double, or where it takes what they say for the truth."""
SIMULATION: Final = (
    *("-m", "tests.simulation", "--mix", "storm", "--seed", "mutants", "--blocks", "5000", "--shrink-seconds", "0"),
)
PYTEST: Final = ("-m", "pytest", "-x", "-q", "-p", "no:cacheprovider")
CPU_SECONDS: Final = 150
"""Of one process: by the processor's clock, so that a crowded machine makes no mutant look found."""
TIMEOUT_SECONDS: Final = 1_800  # for what waits and does nothing
NEVER_ENDED: Final = "it never ended"


class MutantLost(Exception):
    """The code no longer reads as the mutant expects: rewrite the mutant."""


class Verdict(Struct, frozen=True):
    """What became of one mutant."""

    mutant: Mutant
    simulation: str  # the invariant or error that it found, or nothing
    tests: str  # the test that found it, or nothing
    seconds: float

    @property
    def killed(self) -> bool:
        return bool(self.simulation or self.tests)


def plant(mutant: Mutant, tree: Path) -> None:
    """Raises MutantLost unless the text is there, once."""
    file = tree / mutant.file
    source = file.read_text()
    found = source.count(mutant.text)
    if found != 1:
        raise MutantLost(f"{mutant.name}: its text is {found} times in {mutant.file}, not once")
    changed = source.replace(mutant.text, mutant.instead)
    if file.suffix == ".py":
        compile(changed, mutant.file, "exec")  # a mutant that is no Python proves nothing
    file.write_text(changed)


def plant_in_copy(mutant: Mutant, tree: Path) -> None:
    """Copies our code into an empty folder and plants the mutant there. Raises MutantLost."""
    copy(tree)
    plant(mutant, tree)


def copy(tree: Path) -> None:
    """Copies our code into an empty folder."""
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, tree / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, tree / part)


def tests_of(mutant: Mutant) -> tuple[str, ...]:
    return next(tests for prefix, tests in TESTS_OF if mutant.file.startswith(prefix))


def check_tests(mutants: Sequence[Mutant]) -> None:
    """Raises MutantLost unless the tests pass in a copy without a mutant: they would find any, and prove nothing."""
    with tempfile.TemporaryDirectory(prefix="cellwitness-mutant-") as folder:
        copy(Path(folder))
        for tests in {tests_of(mutant) for mutant in mutants}:
            if said := _python(Path(folder), *PYTEST, *tests):
                raise MutantLost(f"{_failed_test(said)} fails without any mutant: {said[-2000:]}")


def judge(mutant: Mutant) -> Verdict:
    """Plants it in a copy and looks who notices."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cellwitness-mutant-") as folder:
        tree = Path(folder)
        plant_in_copy(mutant, tree)
        simulated = found = ""
        if not mutant.file.startswith(BEYOND_SIMULATION):
            simulated = _failed_run(mutant, _python(tree, *SIMULATION))
        if not simulated:
            found = _failed_test(_python(tree, *PYTEST, *tests_of(mutant)))
    return Verdict(mutant, simulated, found, time.monotonic() - began)


def _python(tree: Path, *arguments: str) -> str | None:
    """Runs in the copy; what it said, where it failed."""
    limited = ("/bin/sh", "-c", f'ulimit -t {CPU_SECONDS}; exec "$@"', "sh")
    command = [*limited, sys.executable, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return NEVER_ENDED
    if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        return NEVER_ENDED
    return None if done.returncode == 0 else done.stdout + done.stderr


def _failed_run(mutant: Mutant, said: str | None) -> str:
    if said is None or said == NEVER_ENDED:
        return said or ""
    found = re.search(r"^FAILED: (?:InvariantBroken: )?([A-Za-z0-9]+)", said, re.MULTILINE)
    if found is None:
        raise MutantLost(f"{mutant.name}: the simulation did not run: {said[-2000:]}")
    return found[1]


def _failed_test(said: str | None) -> str:
    for line in (said or "").splitlines():
        if line.startswith(("FAILED ", "ERROR ")):
            return line.split(" ", 1)[1].split(" - ")[0].removeprefix("tests/")
    return said or ""


def judge_all(mutants: Sequence[Mutant], workers: int) -> list[Verdict]:
    for mutant in mutants:
        source = (ROOT / mutant.file).read_text()
        if source.count(mutant.text) != 1:
            raise MutantLost(f"{mutant.name}: its text is not once in {mutant.file}: rewrite the mutant")
    verdicts = []
    with ThreadPoolExecutor(workers) as pool:
        for verdict in pool.map(judge, mutants):
            verdicts.append(verdict)
            fate = "killed" if verdict.killed else "SURVIVED"
            click.echo(f"{fate:<10}{verdict.mutant.name:<58}{verdict.simulation:<18}{verdict.tests}")
    return verdicts


@click.command()
@click.option("--workers", default=2, help="Mutants judged at once.")
@click.option("--only", default="", help="Those whose name holds this text.")
def main(workers: int, only: str) -> None:
    """Plants faults in our code, one at a time; each must be found."""
    began = time.monotonic()
    chosen = [mutant for mutant in MUTANTS if only in mutant.name]
    check_tests(chosen)
    verdicts = judge_all(chosen, workers)
    survivors = [verdict.mutant.name for verdict in verdicts if not verdict.killed]
    simulated = sum(bool(verdict.simulation) for verdict in verdicts)
    click.echo(
        f"\n{len(verdicts)} mutants, {len(verdicts) - len(survivors)} killed, {simulated} of them by the simulation, "
        f"in {time.monotonic() - began:.0f} s"
    )
    if survivors:
        click.echo("survivors: " + "; ".join(survivors))
        sys.exit(1)


if __name__ == "__main__":
    main()
