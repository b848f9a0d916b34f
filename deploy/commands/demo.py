import contextlib
import shutil
import signal
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from deploy.dashboard import DEFAULT_ADDRESS
from deploy.database import embedded
from deploy.demo import MARK, Demo, run_demo
from deploy.logging import configure_logging
from indexer.errors import ConfigurationError

UNWATCHED_COLUMNS = 140


@click.command()
@click.option("--batteries", default=12, show_default=True, type=click.IntRange(1, 10_000), help="In the fleet.")
@click.option("--history-years", default=1.0, show_default=True, type=click.FloatRange(0.05, 20), help="Made at start.")
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same chain.")
@click.option("--folder", default=".cellwitness/demo", show_default=True, help="Where it works; made anew each time.")
@click.option("--address", default=DEFAULT_ADDRESS, show_default=True, metavar="HOST:PORT", help="Of the dashboard.")
@click.option("--stay/--no-stay", default=True, help="Go on until Ctrl-C, with the dashboard open.  [default: stay]")
@click.option("--keep", is_flag=True, help="Leave the folder, to look at the log and the tables.")
def demo(batteries: int, history_years: float, seed: int, folder: str, address: str, stay: bool, keep: bool) -> None:
    """Shows the whole pipeline in a minute: devnet → follower → log → projection → dashboard, and a fork undone.

    Some batteries of the fleet are frauds, labelled in the folder's labels.ndjson. It ends with the dashboard open, and
    stays until Ctrl-C. Needs no node, no database server and no network (but once, for two scripts of the pages);
    everything is made in one folder, and gone at the end.

    \b
    cellwitness demo --batteries 4 --history-years 0.2
    cellwitness demo --keep --folder /tmp/demo
    """
    configure_logging("error")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the parts must end with it, as they do on Ctrl-C
    # Where no person looks, the table must not be cut to a window's usual width.
    console = Console(width=None if sys.stdout.isatty() else UNWATCHED_COLUMNS)
    place = Path(folder)
    _remove(place)
    try:
        with Demo(place, batteries=batteries, history_years=history_years, seed=seed) as parts:
            run_demo(parts, console, address)
            if stay:
                _stay(parts, console)
    except KeyboardInterrupt:
        _remove(place)
        raise
    if keep:
        console.print(Text(f"\n  Kept in {place}: try `cellwitness log verify --log sqlite:{place}/events.db`"))
    else:
        _remove(place)
    console.print(Text("\n  Step by step, with your own hands: the README's second part.", "dim"))


def _stay(parts: Demo, console: Console) -> None:
    console.print(
        Text("\n  The dashboard stays open until Ctrl-C. Look at a rollback arrive there: its last button, or", "bold")
    )
    console.print(Text(f"    cellwitness devnet fork --ogmios {parts.ogmios} --depth 5"))
    with contextlib.suppress(KeyboardInterrupt):
        parts.stay()


def _remove(place: Path) -> None:
    """What a demo made, its database too, which may live elsewhere. Refuses a folder that no demo made."""
    if not place.exists():
        return
    if any(place.iterdir()) and not (place / MARK).exists():
        raise ConfigurationError(f"--folder {place} holds something else, and a demo's folder is deleted: name another")
    embedded(str(place)).remove()
    shutil.rmtree(place)
