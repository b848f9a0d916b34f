"""``make bench``: speed and memory, as ratios within one run."""

import argparse
import gc
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec
import structlog
from rich.console import Console

from tests.bench import (
    drawing,
    following,
    kafka,
    kafka_projecting,
    live,
    log_speed,
    memory,
    pages,
    projecting,
    rebuilding,
    rolling_back,
    sharing,
    timelines,
    whole,
)
from tests.bench.plan import QUICK, Plan
from tests.bench.report import Report, Section, machine, markdown, print_report
from tests.consumers.browser.tools import missing as browser_lacks


def kafka_is_to_be_had() -> bool:
    return bool(shutil.which("java") and shutil.which("mvn"))


def kafka_projection(plan: Plan) -> Iterator[Section]:
    if kafka_is_to_be_had():
        yield kafka_projecting.measure(plan)


PROJECTIONS: Final[dict[str, Callable[[Plan], Iterable[Section]]]] = {
    "projection": lambda plan: [projecting.measure(plan)],
    "projection-from-kafka": kafka_projection,
    "rollback": lambda plan: [rolling_back.measure(plan)],
    "timeline": lambda plan: [timelines.measure(plan)],
    "rebuild": lambda plan: [rebuilding.measure(plan)],
}
"""Of all that they do, one part after another: ``--only projections`` is these."""

SECTIONS: Final[dict[str, Callable[[Plan], Iterable[Section]]]] = {
    "follow": following.measure,
    "whole": lambda plan: [whole.measure(plan)],
    "log": lambda plan: [log_speed.measure(plan)],
    "memory": lambda plan: [memory.measure(plan)],
    **PROJECTIONS,
    "sharing": lambda plan: [sharing.measure(plan)],
    "pages": lambda plan: [pages.measure(plan)],
    "live": lambda plan: [live.measure(plan)],
    "drawing": lambda plan: [drawing.measure(plan)],
    "kafka": lambda plan: [kafka.measure(plan)],
}


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="seconds instead of minutes: shows that it runs")
    arguments.add_argument(
        "--only", action="append", choices=[*SECTIONS, "projections"], help="only this section; may be repeated"
    )
    arguments.add_argument("--json", type=Path, metavar="FILE", help="write the numbers to this file as well")
    arguments.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables to this file as well")
    chosen = arguments.parse_args()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    began = machine()
    progress = Console(stderr=True)
    sections: list[Section] = []
    # The bench holds far more than a follower does, which the collector would search again and again while ours works.
    gc.collect()
    gc.freeze()
    for name in _names(chosen.only or SECTIONS):
        if name == "kafka" and not chosen.only and not kafka_is_to_be_had():
            progress.print("left out: kafka, which needs Java 17 and Maven")
            continue
        if name == "drawing" and not chosen.only and browser_lacks():
            progress.print(f"left out: drawing: {'; '.join(browser_lacks())}")
            continue
        with progress.status(f"measuring: {name}"):
            sections += SECTIONS[name](QUICK if chosen.quick else Plan())
    report = Report(began | {"load after": round(os.getloadavg()[0], 1)}, tuple(sections))
    screen = Console()
    print_report(report, screen if screen.is_terminal else Console(width=160))
    if chosen.json:
        chosen.json.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))
    if chosen.markdown:
        chosen.markdown.write_text(markdown(report))


def _names(asked: Iterable[str]) -> Iterator[str]:
    for name in asked:
        yield from PROJECTIONS if name == "projections" else [name]


if __name__ == "__main__":
    main()
