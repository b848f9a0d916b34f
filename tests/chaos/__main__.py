"""`make chaos MINUTES=…`: the whole system under faults for so long, then every invariant checked."""

import logging
import signal
import sys
import time
from pathlib import Path

import click
import structlog

from tests.chaos.controls import CONTROLS
from tests.chaos.run import Report, new_folder, run_chaos
from tests.chaos.services import Failed


@click.command()
@click.option("--minutes", default=5.0, show_default=True, type=click.FloatRange(0.1), help="Of faults.")
@click.option("--seed", help="Of the faults' order; how they meet the processes is never the same.")
@click.option("--control", type=click.Choice([*CONTROLS]), help="Switch this guarantee off: the run must then fail.")
@click.option("--report", type=click.Path(path_type=Path), help="Write what was found to this file, too.")
def main(minutes: float, seed: str | None, control: str | None, report: Path | None) -> None:
    """Runs devnet, followers, brokers, workers and PostgreSQL as processes, and does to them what can be done."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    # Asked to end: in order, or brokers, mounts and processes would stay behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder, seed = new_folder(), seed or str(time.time_ns() % 1_000_000)
    click.echo(f"seed {seed}, {minutes:g} minutes; logs in {folder}")
    last = 0.0

    def tell(text: str) -> None:
        nonlocal last
        if " s left " not in text or time.monotonic() - last > 10:
            last = time.monotonic()
            click.echo(text)

    try:
        found = run_chaos(minutes, seed, folder, control=control, tell=tell)
    except (Failed, AssertionError) as failure:
        click.echo(f"FAILED: {failure}")
        click.echo(f"logs: {folder}")
        if control:
            click.echo(f"as it must: {CONTROLS[control].mutant.name}")
        sys.exit(0 if control else 1)
    text = describe(found)
    click.echo(text)
    if report:
        report.write_text(text)
    if control:
        click.echo(f"NOT SEEN: {CONTROLS[control].mutant.name}")
        sys.exit(1)


def describe(report: Report) -> str:
    """The report, for people."""
    lines = [f"seed {report.seed}: {report.minutes:g} minutes of faults, every invariant held", ""]
    lines += ["what was done                                    times"]
    lines += [f"  {name:<44}{times:>8,}" for name, times in sorted(report.faults.items(), key=lambda item: -item[1])]
    lines += [f"  left out: {name}" for name in report.left_out]
    lines += ["", "services"]
    lines += [f"  {name:<12}{life}" for name, life in report.services.items()]
    lines += ["", "what was seen"]
    lines += [f"  I12   no lag {report.calm_seconds:.1f} s after the last fault was mended, without a person"]
    lines += [f"  {finding.invariant:<4}  {finding.seen}" for finding in report.findings]
    lines += [f"        a reader looked at {report.looks:,} steps, and {report.looks_refused:,} times in vain"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
