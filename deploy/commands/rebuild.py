import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
import msgspec
from rich.console import Console
from rich.table import Table

from deploy.database import database, db_options
from deploy.health import serve_health
from deploy.judging import judging_options, read_judging
from deploy.logs import log_of
from deploy.progress import ChainProgress
from deploy.stopping import Stop
from projections.database import connect
from projections.rebuild import Comparison, Rebuild
from projections.run import BATCH_RECORDS, Progress

DIGEST_SHOWN = 16  # hex digits; --json has all


@click.command()
@click.option(
    "--log", "log_url", default="sqlite:events.db", show_default=True, metavar="URL", help="The event log to read."
)
@db_options
@judging_options
@click.option("--keep-live", is_flag=True, help="Build and compare; leave the tables in use, and the new ones beside.")
@click.option("--begin-again", is_flag=True, help="Throw away what an interrupted rebuild has done.")
@click.option("--even-if-different", is_flag=True, help="Swap although the digests differ: the new ones are the log's.")
@click.option(
    "--batch-records", default=BATCH_RECORDS, show_default=True, type=click.IntRange(1), help="A transaction."
)
@click.option("--http", metavar="HOST:PORT", help="Serve /metrics and /health here.")
@click.option("--json", "as_json", is_flag=True, help="Print how it ended as JSON.")
def rebuild(
    log_url: str,
    db_url: str,
    data_dir: str,
    profile: tuple[str, ...],
    thresholds: str | None,
    keep_live: bool,
    begin_again: bool,
    even_if_different: bool,
    batch_records: int,
    http: str | None,
    as_json: bool,
) -> None:
    """Builds the tables anew from the log's beginning, beside those in use, and puts them in their place.

    Workers and readers go on meanwhile, and after the swap: it is one transaction. Where both are of one fold version
    all that they ever said is compared first; if it differs nothing is swapped and the exit code is 1. Kill it at any
    moment and start it again: it goes on where it was.

    \b
    cellwitness rebuild --log sqlite:events.db
    cellwitness rebuild --log sqlite:events.db --keep-live      # prove the tables, change nothing
    """
    judging = read_judging(profile, thresholds)
    stop = Stop()
    the_log = log_of(log_url)
    if http:
        serve_health(http, lambda _: ["a rebuild is under way"])
    try:
        with (
            database(db_url, data_dir, must_exist=True) as url,
            _progress(log_url) as show,
            Rebuild(
                the_log,
                lambda schema: connect(url(), schema=schema),
                batch_records=batch_records,
                judging=judging,
                progress=show,
                stop=stop,
                pause=stop.pause,
            ) as work,
        ):
            went_on = work.prepare(begin_again=begin_again)
            loaded = work.load()
            comparison = work.compare() if loaded else None
            sound = comparison is None or comparison.equal
            swapped = loaded and not keep_live and (sound or even_if_different) and work.swap()
            if loaded and not swapped and not stop():
                work.note("left beside" if sound else "different")
    finally:
        the_log.close()
    _say(went_on, loaded, comparison, swapped, as_json=as_json)
    if not sound:
        sys.exit(1)


def _say(went_on: bool, loaded: bool, comparison: Comparison | None, swapped: bool, *, as_json: bool) -> None:
    if as_json:
        compared = msgspec.to_builtins(comparison) | {"equal": comparison.equal} if comparison else None
        click.echo(json.dumps({"went_on": went_on, "loaded": loaded, "comparison": compared, "swapped": swapped}))
        return
    if not loaded:
        click.echo("Stopped. Run it again to go on.")
        return
    if comparison is None:
        click.echo(
            "The tables in use are of another fold version, or judged by something else: nothing to compare with."
        )
    else:
        table = Table("table", "versions", "in use", "rebuilt", "", box=None, pad_edge=False)
        for live, rebuilt in zip(comparison.live, comparison.rebuilt, strict=True):
            words = "equal" if live == rebuilt else f"DIFFERENT, {live.rows:,} in use"
            shown = (live.digest[:DIGEST_SHOWN], rebuilt.digest[:DIGEST_SHOWN])
            table.add_row(live.table, f"{rebuilt.rows:,}", *shown, words)
        Console(width=None if sys.stdout.isatty() else 120).print(table)
        click.echo(
            f"{'Equal' if comparison.equal else 'DIFFERENT'} in all that was ever known up to step {comparison.step}."
        )
    if swapped:
        click.echo("The new tables are in use.")
    elif comparison is None or comparison.equal:
        click.echo("The tables in use were left; the new ones are in the schema cellwitness_next.")
    else:
        click.echo(
            "Nothing was swapped. `cellwitness log verify` says whether the log is sound; if it is, the tables in use"
            " are wrong: run it again with --even-if-different."
        )


@contextmanager
def _progress(log_url: str) -> Iterator[Callable[[Progress, float], None]]:
    with ChainProgress(f"rebuild {log_url}", "records") as bar:
        done = 0

        def show(progress: Progress, ratio: float) -> None:
            nonlocal done
            done = max(done, progress.events + progress.retractions)
            total = round(progress.lag_records / (1 - ratio)) if ratio < 1 else done
            note = f"{ratio:.1%}, step {progress.step}"
            bar.update(done=total - progress.lag_records, total=total, events=progress.events, note=note)

        yield show
