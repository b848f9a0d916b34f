import shutil
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from deploy.demo import Demo, run_demo
from deploy.logging import configure_logging


@click.command()
@click.option("--batteries", default=12, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--history-years", default=1.0, show_default=True, type=click.FloatRange(0.05, 20))
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same chain.")
@click.option("--folder", default=".cellwitness/demo", show_default=True, help="Where it works; made anew each time.")
@click.option("--keep", is_flag=True, help="Leave the folder, to look at the log and the tables.")
def demo(batteries: int, history_years: float, seed: int, folder: str, keep: bool) -> None:
    """Shows the whole pipeline in a minute: devnet → follower → log → projection → timeline, and a fork undone.

    Needs no node, no database server and no network; everything is made in one folder.
    """
    configure_logging("error")
    console = Console(soft_wrap=False)
    place = Path(folder)
    if place.exists():
        shutil.rmtree(place)
    with Demo(place, batteries=batteries, history_years=history_years, seed=seed) as parts:
        run_demo(parts, console)
    if keep:
        console.print(Text(f"\n  Kept in {place}: try `cellwitness log verify --log sqlite:{place}/events.db`"))
    else:
        shutil.rmtree(place)
    console.print(Text("\n  Step by step, with your own hands: the README's second part.", "dim"))
