"""`make simulate SEED=… BLOCKS=…`: as many blocks as asked for, in runs of some thousand, each checked in full.

`REPLAY=file` runs one plan again, as a failed run printed it.
"""

import gc
import resource
import sys
import time
from pathlib import Path

import click
import msgspec
import structlog

from tests.simulation.plan import CALM, LIVE, LONG, STORM, Plan, make_plan
from tests.simulation.run import Result, nothing, outcome_of
from tests.simulation.shrink import shrink

MIXES = {"storm": (STORM, 600), "long": (LONG, 6_000), "live": (LIVE, 10_000), "calm": (CALM, 20_000)}
"""Weights of actions, and blocks by which chains grow in one run: its memory and the time to shrink it follow."""

SHRINK_SECONDS = 120.0


@click.command()
@click.option("--seed", default="1", help="One seed, one outcome.")
@click.option("--blocks", default=100_000, help="Blocks that follow, in all runs together.")
@click.option("--mix", type=click.Choice([*MIXES]), default="long", help="How common faults are.")
@click.option("--run", "only", type=int, help="Only the run of this number.")
@click.option("--replay", type=click.Path(exists=True, path_type=Path), help="A plan as a failed run printed it.")
@click.option("--shrink-seconds", default=SHRINK_SECONDS, help="How long to look for the shortest failing walk.")
def main(  # noqa: PLR0917  # click passes them by name
    seed: str, blocks: int, mix: str, only: int | None, replay: Path | None, shrink_seconds: float
) -> None:
    """Simulates the follower, the log and the projection under faults."""
    if replay is not None:
        _run(msgspec.json.decode(replay.read_bytes(), type=Plan), f"--replay {replay}", shrink_seconds)
        return
    gc.disable()  # a run lets go of its web of references by itself; what is left is looked for between runs
    gc.freeze()
    structlog.configure(cache_logger_on_first_use=True)  # or each rollback would make a logger, to say nothing
    total, began, shown, number = nothing(), time.process_time(), 0.0, only or 0
    while total.blocks < blocks:
        plan = run_plan(seed, number, mix)
        # A rival follows all blocks again; in the longer runs a fourth of them has one.
        rival = mix == "storm" or number % 4 == 0
        total.add(_run(plan, f"--seed {seed} --mix {mix} --run {number}", shrink_seconds, rival=rival))
        if only is not None:
            break
        number += 1
        gc.collect()
        seconds = time.process_time() - began
        if seconds - shown > 5:
            shown = seconds
            _progress(total, seconds, number)
    _report(total, time.process_time() - began, number, f"seed {seed}, mix {mix}")


def run_plan(seed: str, number: int, mix: str) -> Plan:
    weights, blocks = MIXES[mix]
    return make_plan(f"{seed}/{number}", blocks, weights=weights)


def _run(plan: Plan, how: str, shrink_seconds: float, *, rival: bool = True) -> Result:
    failure = outcome_of(plan, rival=rival)
    if isinstance(failure, Result):
        return failure
    click.echo(f"\nFAILED: {failure}\nreplay: python -m tests.simulation {how}\n{plan.settings}")
    if not shrink_seconds:
        sys.exit(1)
    click.echo(f"removing actions from the walk of {len(plan.actions)} while it still fails …")
    short, failure, least = shrink(plan, seconds=shrink_seconds)
    click.echo(f"{'shortest walk' if least else 'shortest walk so far'}, {len(short.actions)} actions: {failure}")
    for action in short.actions:
        click.echo(f"  {action}")
    click.echo("to replay it, put this in a file and give it with --replay:")
    click.echo(msgspec.json.encode(short).decode())
    sys.exit(1)


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def _progress(total: Result, seconds: float, runs: int) -> None:
    click.echo(
        f"{total.blocks:>9,} blocks  {total.rollbacks:>7,} rollbacks  {total.steps:>8,} steps  "
        f"{total.blocks / seconds:>7,.0f} blocks/s  {runs} runs  peak {_peak_mb():,.0f} MB",
    )


def _report(total: Result, seconds: float, runs: int, what: str) -> None:
    _progress(total, seconds, runs)
    click.echo(
        f"\n{what}: {total.blocks:,} blocks in {seconds:,.1f} s of processor time, {runs} runs; all checks included"
    )
    click.echo(f"steps {total.steps:,}   events {total.events:,}   retractions {total.retractions:,}")
    click.echo("lost 0   doubled 0   (every run: canonical log byte for byte that of its chain)")
    click.echo(f"peak memory {_peak_mb():,.0f} MB")
    click.echo("\nwhat happened                                times")
    for name, times in sorted(total.faults.items(), key=lambda item: (-item[1], item[0])):
        click.echo(f"  {name:<40} {times:>8,}")
    click.echo("\nrollback depth   times")
    low = 1
    while total.depths and low <= max(total.depths):
        times = sum(count for depth, count in total.depths.items() if low <= depth < 2 * low)
        span = f"{low}" if low == 1 else f"{low} to {2 * low - 1}"
        click.echo(f"  {span:<12} {times:>9,}  {'#' * round(50 * times / total.rollbacks)}")
        low *= 2


if __name__ == "__main__":
    main()
