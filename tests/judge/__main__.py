"""``make judge``: is each labelled fraud caught by what is meant for it, and how often are honest people accused?

Makes chains by seed, decodes and judges them as the projection does, and sets what is said beside the labels.
Exit code 0 if the goals are met, 1 if not.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from typing import Final

from rich.console import Console
from rich.progress import Progress
from rich.table import Table as RichTable

from tests.judge.made import KINDS, Chain, Kind, Sizes, make
from tests.judge.report import Run, as_json, markdown, measured, tables

_DEFAULT: Final = Sizes()


def chains(kinds: Iterable[Kind], sizes: Sizes, progress: Progress) -> Iterator[Chain]:
    """A chain of each kind, one after the other."""
    for kind in kinds:
        task = progress.add_task(f"{kind}: {KINDS[kind]}", total=1.0)
        yield make(kind, sizes, lambda share, task=task: progress.update(task, completed=share))  # type: ignore[misc]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.judge", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=_DEFAULT.seed, help="another seed, another chain")
    parser.add_argument("--batteries", type=int, default=_DEFAULT.batteries, help="in each fleet")
    parser.add_argument("--days", type=int, default=_DEFAULT.days, help="of the chains with frauds")
    parser.add_argument("--honest-days", type=int, default=_DEFAULT.honest_days, help="of the honest chains")
    parser.add_argument("--fraud-share", type=float, default=_DEFAULT.fraud_share, help="of readings that begin one")
    parser.add_argument("--only", action="append", choices=[*KINDS], help="only this chain; may be repeated")
    parser.add_argument("--json", action="store_true", help="the same for programs, and each fraud that was missed")
    parser.add_argument("--markdown", action="store_true", help="the tables as docs/frauds.md has them")
    chosen = parser.parse_args()
    sizes = Sizes(
        seed=chosen.seed,
        batteries=chosen.batteries,
        days=chosen.days,
        honest_days=chosen.honest_days,
        fraud_share=chosen.fraud_share,
    )
    with Progress(console=Console(stderr=True)) as progress:
        run = measured(chains(chosen.only or KINDS, sizes, progress))
    if chosen.json:
        sys.stdout.write(json.dumps(as_json(run, chosen.seed), indent=2) + "\n")
    elif chosen.markdown:
        sys.stdout.write(markdown(run, chosen.seed))
    else:
        _show(run)
    return 0 if run.met else 1


def _show(run: Run) -> None:
    screen = Console()
    screen = screen if screen.is_terminal else Console(width=170)
    for each in tables(run):
        shown = RichTable(*each.heads, title=each.title, title_justify="left")
        for row in each.rows:
            shown.add_row(*row)
        screen.print(shown)
    screen.print("All goals are met." if run.met else "A goal is not met.")


if __name__ == "__main__":
    sys.exit(main())
