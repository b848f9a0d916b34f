"""``make fuzz``: inputs grown by the branches that they reach, against all that strangers' bytes reach.

Each target runs in a process of its own, under a limit of memory and of time for one input. What crashes is kept below
``found``, where every test run tries it again. Exit code 1: something crashed.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import click

from tests.fuzz.targets import FOUND, TARGETS, Target
from tests.shared import ROOT

ONE_INPUT_SECONDS: Final = 10
_STATISTIC: Final = re.compile(r"^stat::(\w+):\s+(\d+)", re.MULTILINE)
_COVERED: Final = re.compile(r"\bcov: (\d+) ft: (\d+)")


@dataclass(frozen=True)
class Outcome:
    """How one target fared."""

    target: str
    inputs: int
    seconds: float
    memory_mb: int  # at most, of the whole process
    branches: int
    kept: int  # inputs that reached something new
    crashes: tuple[str, ...]  # files below ``found``


def fuzz(name: str, target: Target, *, inputs: int, seconds: float, memory_mb: int, seed: int) -> Outcome:
    """Runs one target for so many inputs, or so long."""
    with tempfile.TemporaryDirectory(prefix="cellwitness-fuzz-") as folder:
        place = Path(folder)
        corpus, crashes, words = place / "corpus", place / "crashes", place / "words"
        corpus.mkdir()
        crashes.mkdir()
        for content in target.seeds():
            (corpus / sha256(content).hexdigest()[:16]).write_bytes(content)
        words.write_text("".join(f'"{"".join(map(_escaped, word))}"\n' for word in target.words))
        flags = [
            *(f"-runs={inputs}", f"-max_total_time={round(seconds)}", f"-max_len={target.most_bytes}"),
            *(f"-rss_limit_mb={memory_mb}", f"-timeout={ONE_INPUT_SECONDS}", f"-seed={seed}"),
            *(f"-artifact_prefix={crashes}/", "-print_final_stats=1", "-verbosity=1"),
            *([f"-dict={words}"] if target.words else []),
            str(corpus),
        ]
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "tests.fuzz.one", name, *flags],
            cwd=ROOT,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        took = time.monotonic() - began
        said = done.stdout + done.stderr
        found = tuple(_keep(name, file) for file in sorted(crashes.iterdir()))
        if done.returncode and not found:
            raise SystemExit(f"{name} could not be fuzzed:\n{said[-3_000:]}")
        if found:
            click.echo(said[-3_000:], err=True)
        counted = {key: int(value) for key, value in _STATISTIC.findall(said)}
        covered = [int(branches) for branches, _ in _COVERED.findall(said)]
        return Outcome(
            target=name,
            inputs=counted.get("number_of_executed_units", 0),
            seconds=took,
            memory_mb=counted.get("peak_rss_mb", 0),
            branches=max(covered, default=0),
            kept=counted.get("new_units_added", 0),
            crashes=found,
        )


def _escaped(byte: int) -> str:
    return f"\\x{byte:02x}"


def _keep(name: str, crash: Path) -> str:
    """Puts a crash where every test run tries it again."""
    content = crash.read_bytes()
    place = FOUND / name
    place.mkdir(parents=True, exist_ok=True)
    kept = place / sha256(content).hexdigest()[:16]
    kept.write_bytes(content)
    return str(kept.relative_to(ROOT))


def main() -> None:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="Of all targets together.")
    parser.add_argument("--seconds", type=float, default=3_600.0, help="At most; what a target leaves is the others'.")
    parser.add_argument("--memory-mb", type=int, default=512, help="Of a target's process; more is a crash.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", choices=[*TARGETS], action="append", help="Only these.")
    chosen = parser.parse_args()
    targets = {name: TARGETS[name] for name in chosen.target or TARGETS}
    whole = sum(target.share for target in targets.values())
    click.echo(f"{'target':<12} {'inputs':>9} {'a second':>9} {'memory':>8} {'branches':>9} {'kept':>6} {'crashes':>8}")
    outcomes: list[Outcome] = []
    ends = time.monotonic() + chosen.seconds
    for name, target in targets.items():
        outcome = fuzz(
            name,
            target,
            inputs=round(chosen.inputs * target.share / whole),
            seconds=max(1.0, (ends - time.monotonic()) / (len(targets) - len(outcomes))),
            memory_mb=chosen.memory_mb,
            seed=chosen.seed,
        )
        outcomes.append(outcome)
        click.echo(
            f"{name:<12} {outcome.inputs:>9,} {outcome.inputs / outcome.seconds:>9,.0f} {outcome.memory_mb:>5} MB"
            f" {outcome.branches:>9,} {outcome.kept:>6,} {len(outcome.crashes):>8}",
        )
    crashes = [crash for outcome in outcomes for crash in outcome.crashes]
    inputs, took = sum(each.inputs for each in outcomes), sum(each.seconds for each in outcomes)
    most = max(each.memory_mb for each in outcomes)
    click.echo(
        f"{inputs:,} inputs in {took:,.0f} s, {len(crashes)} crashes, at most {most} MB (limit {chosen.memory_mb} MB)"
    )
    for crash in crashes:
        click.echo(f"kept: {crash}")
    sys.exit(1 if crashes else 0)


if __name__ == "__main__":
    main()
