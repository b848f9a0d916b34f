import sys

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deploy.database import database, db_options
from deploy.logs import log_of
from deploy.text import visible
from projections.database import connect
from projections.errors import SchemaMismatch
from projections.status import Status, read_status


@click.command()
@click.option("--log", "log_url", default="sqlite:events.db", show_default=True, metavar="URL", help="The event log.")
@db_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(log_url: str, db_url: str, data_dir: str, as_json: bool) -> None:
    """Says how far the tables are behind the log, who is at work, and what holds them back. Exit code 1: behind.

    \b
    cellwitness status --log sqlite:events.db
    cellwitness status --db postgresql://me@db.example/cellwitness --json
    """
    the_log = log_of(log_url)
    try:
        with database(db_url, data_dir, must_exist=True) as url, connect(url(), read_only=True) as connection:
            found = read_status(connection, the_log)
    except SchemaMismatch as mismatch:
        raise SchemaMismatch(f"{mismatch}: run `cellwitness project` on this database first") from mismatch
    finally:
        the_log.close()
    if as_json:
        click.echo(msgspec.json.encode(found))
    else:
        _print(Console(width=None if sys.stdout.isatty() else 200), found)
    if not found.caught_up:
        sys.exit(1)


def _print(console: Console, found: Status) -> None:
    if found.caught_up:
        console.print(Text("Caught up: the tables hold all of the log.", style="green"))
    else:
        console.print(Text("Behind the log.", style="yellow"))
    console.print(
        Text(
            f"Tables: step {found.consistent_step}.  Log: step {found.log_step}, slot {found.log_slot}, "
            f"height {found.log_height}."
        )
    )
    for reason in found.held_back_by:
        console.print(Text(f"- {visible(reason)}"))
    console.print()
    partitions = _table("partition", "worker", "step", "slot", "lag events", "blocks", "seconds", "held back by")
    for each in found.partitions:
        lags = (f"{each.lag_events:,}", f"{each.lag_blocks:,}", f"{each.lag_seconds:,.0f}")
        worker = "nobody" if each.worker is None else str(each.worker)
        partitions.add_row(str(each.partition), worker, str(each.step), str(each.slot), *lags, each.held_back_by or "")
    console.print(partitions)
    if not found.workers:
        return
    console.print()
    workers = _table("worker", "process", "partitions", "events/s", "heard, s ago", "host")
    for one in found.workers:
        held = sum(each.worker == one.worker for each in found.partitions)
        rate = "" if one.events_per_second is None else f"{one.events_per_second:,.0f}"
        by_hand = " by hand" if one.pinned else ""
        row = (str(one.worker), str(one.process), f"{held}{by_hand}", rate, f"{one.silent_seconds:.1f}", one.host)
        workers.add_row(*map(Text, row))
    console.print(workers)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, justify="left" if name in ("held back by", "host") else "right")
    return table
