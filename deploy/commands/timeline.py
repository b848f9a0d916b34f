import sys

import click
import msgspec
from rich.console import Console

from consumers.timeline import find_batteries, near_matches, read_timeline
from deploy.database import database, db_options
from deploy.text import visible
from deploy.timeline_view import print_timeline
from deploy.verdict_view import print_checks
from projections.database import connect


@click.command()
@click.argument("battery")
@db_options
@click.option("--as-of-step", type=click.IntRange(0), metavar="N", help="As it was known after this step of the log.")
@click.option("--checks", is_flag=True, help="Every check of every reading, with what it was answered from.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one document a deployment.")
def timeline(battery: str, db_url: str, data_dir: str, as_of_step: int | None, checks: bool, as_json: bool) -> None:
    """Prints everything known of BATTERY in the chain's order, what its readings are worth, and where that holds.

    BATTERY is its id, as text or hex, or its key (56 hex digits). Exit code 1: no such battery.

    \b
    cellwitness timeline urn:eudpp:battery:demo:0001
    cellwitness timeline urn:eudpp:battery:demo:0001 --as-of-step 120 --json
    """
    with (
        database(db_url, data_dir, must_exist=True) as url,
        connect(url(), read_only=True) as connection,
    ):
        found = find_batteries(connection, battery, as_of_step)
        timelines = [read_timeline(connection, deployment, key, as_of_step) for deployment, key in found]
        near = [] if found else near_matches(connection, battery, as_of_step)
    shown = [each for each in timelines if each is not None]
    if not shown:
        click.echo(f"no battery {visible(battery)} is known here", err=True)
        for name in near:
            click.echo(f"  did you mean {visible(name)}?", err=True)
        sys.exit(1)
    # As wide as it takes when the output is no terminal: a file must not depend on a window.
    console = Console(width=None if sys.stdout.isatty() else 200, soft_wrap=not sys.stdout.isatty())
    for number, each in enumerate(shown):
        if as_json:
            click.echo(msgspec.json.encode(each))
            continue
        if number:
            console.print()
        print_timeline(console, each)
        if checks:
            print_checks(console, each)
