import sys
from datetime import datetime

import click
import msgspec
from rich.console import Console

from consumers.as_of import step_known_at
from consumers.timeline import NEWEST_LINES, find_batteries, near_matches, read_timeline
from consumers.timeline_questions import Part
from deploy.database import database, db_options
from deploy.moments import moment_of
from deploy.text import visible
from deploy.timeline_view import print_timeline
from deploy.verdict_view import print_checks
from projections.database import connect
from projections.parked import parked_ids


@click.command()
@click.argument("battery")
@db_options
@click.option(
    "--known-at",
    "--as-of-step",
    "known_at",
    metavar="STEP|TIME",
    help="As it was known then: after this step of the log, or at this time (ISO 8601, UTC unless it says otherwise).",
)
@click.option("--as-of-slot", type=click.IntRange(0), metavar="N", help="Only what the chain said up to this slot.")
@click.option(
    "--newest", type=click.IntRange(1), metavar="N", help=f"So many of the newest events; {NEWEST_LINES} unless --json."
)
@click.option("--all", "everything", is_flag=True, help="Every event since the first.")
@click.option("--checks", is_flag=True, help="Every check of every reading, with what it was answered from.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one document a deployment.")
def timeline(
    battery: str,
    db_url: str,
    data_dir: str,
    known_at: str | None,
    as_of_slot: int | None,
    newest: int | None,
    everything: bool,
    checks: bool,
    as_json: bool,
) -> None:
    """Prints what is known of BATTERY in the chain's order, what its readings are worth, and where that holds.

    Who it is, its sums and its alerts are of its whole life; its events are the newest ones, and with --all or --json
    all of them.

    The past has two coordinates: --as-of-slot asks where the chain stood, --known-at what we knew of it, forks that
    were undone since included. Both together: what we then knew of the chain up to that slot.

    BATTERY is its id, as text or hex, or its key (56 hex digits). Exit code 1: no such battery.

    \b
    cellwitness timeline urn:eudpp:battery:demo:0001
    cellwitness timeline urn:eudpp:battery:demo:0001 --all --checks
    cellwitness timeline urn:eudpp:battery:demo:0001 --known-at 120 --json
    cellwitness timeline urn:eudpp:battery:demo:0001 --known-at 2027-05-03T14:02 --as-of-slot 155000000
    """
    if everything and newest is not None:
        raise click.UsageError("--all and --newest exclude each other")
    moment = None if known_at is None else moment_of(known_at)
    lines = None if everything or (as_json and newest is None) else newest or NEWEST_LINES
    part = Part(lines=lines, checks=checks or as_json)
    with (
        database(db_url, data_dir, must_exist=True) as url,
        connect(url(), read_only=True) as connection,
    ):
        step = step_known_at(connection, moment) if isinstance(moment, datetime) else moment
        found = find_batteries(connection, battery, step)
        timelines = [read_timeline(connection, *each, step, as_of_slot=as_of_slot, part=part) for each in found]
        waiting = parked_ids(connection, [(key, deployment) for deployment, key in found])
        near = [] if found else near_matches(connection, battery, step)
    shown = [each for each in timelines if each is not None]
    if not shown:
        click.echo(f"no battery {visible(battery)} is known here", err=True)
        for name in near:
            click.echo(f"  did you mean {visible(name)}?", err=True)
        sys.exit(1)
    if events := sum(map(len, waiting.values())):
        click.echo(
            f"INCOMPLETE: {events} later events are parked: `cellwitness parked show {visible(battery)}`", err=True
        )
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
