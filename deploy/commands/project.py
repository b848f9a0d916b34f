import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress

import click
import structlog
from msgspec.structs import asdict

from deploy.database import database, db_options
from deploy.health import serve_health
from deploy.housekeeping import Housekeeping
from deploy.judging import judging_options, read_judging
from deploy.logs import log_of
from deploy.progress import ChainProgress
from deploy.stopping import Stop
from indexer.errors import ConfigurationError
from projections.alone import FleetBusy
from projections.counts import count_fleet
from projections.database import Connection, connect
from projections.run import BATCH_RECORDS, Progress, Worker

log = structlog.get_logger(component="project")

GIVE_UP_AFTER_SECONDS = 60.0
"""With --until-caught-up somebody waits for the end; without, the worker tries for ever."""

STALE_LAG_SECONDS = 120.0
"""Ready no longer when the tables were last whole so long ago."""

SILENT_SECONDS = 60.0
"""Ready no longer when the worker has done nothing for so long: it looks at the log twice a second."""

STALE_SECONDS = 300.0
"""Ready no longer when the log's last step is older, as for the follower."""


MOST_PARTITIONS = 100_000
"""More than any log has; a mistyped number must not fill the memory."""


@click.command()
@click.option(
    "--log", "log_url", default="sqlite:events.db", show_default=True, metavar="URL", help="The event log to read."
)
@db_options
@judging_options
@click.option(
    "--fleet-minutes",
    default=60.0,
    show_default=True,
    type=click.FloatRange(0),
    help="How often fleets are judged, once caught up; 0: only by `cellwitness fleet judge`.",
)
@click.option(
    "--partitions",
    metavar="LIST",
    help="Only these, such as 0-5,8, taken from whoever has them.  [default: workers divide all among themselves]",
)
@click.option("--until-caught-up", is_flag=True, help="End, with 0, when the tables hold all of the log.")
@click.option(
    "--batch-records",
    default=BATCH_RECORDS,
    show_default=True,
    type=click.IntRange(1),
    help="Records in one transaction, about.",
)
@click.option("--http", metavar="HOST:PORT", help="Serve /metrics, /health/live and /health/ready here.")
@click.option("--json", "as_json", is_flag=True, help="Print how it ended as JSON.")
def project(
    log_url: str,
    db_url: str,
    data_dir: str,
    profile: tuple[str, ...],
    thresholds: str | None,
    fleet_minutes: float,
    partitions: str | None,
    until_caught_up: bool,
    batch_records: int,
    http: str | None,
    as_json: bool,
) -> None:
    """Projects the event log into tables: each battery's timeline, with forks undone, and what its readings are worth.

    Verdicts, findings and alerts take the deployments' profiles (--profile, or `profile` in cellwitness.toml), which
    the log does not hold. Tables are built with them or without: to change that, or a threshold, build them again.

    Goes on from its checkpoint, which moves with the rows in one transaction: kill it at any moment and start it again.
    Start as many as the machine has cores, on as many machines as you like: workers on the same tables divide the
    log's partitions among themselves, also when one comes, ends or dies.

    \b
    cellwitness project --log sqlite:events.db --profile devnet.toml --until-caught-up
    cellwitness project --log sqlite:events.db --partitions 0-5
    cellwitness project --log sqlite:events.db --db postgresql://me@db.example/cellwitness --http 127.0.0.1:9101
    """
    judging = read_judging(profile, thresholds)
    if judging is None:
        log.warning("no_verdicts", reason="no profile given: readings are not judged", mend="--profile FILE")
    chosen = None if partitions is None else partition_list(partitions)
    stop = Stop()
    the_log = log_of(log_url)
    watch = Watch()
    if http:
        serve_health(http, watch.why_not_ready)
    try:
        with ExitStack() as stack:
            url = stack.enter_context(database(db_url, data_dir))
            show = stack.enter_context(_progress(log_url))
            if not until_caught_up:
                stack.enter_context(
                    Housekeeping(
                        lambda: connect(url()), judging, fleet_minutes=fleet_minutes, whole=lambda: watch.whole
                    )
                )

            def on_progress(progress: Progress) -> None:
                watch.note(progress, time.time())
                show(progress)

            worker = Worker(
                the_log,
                lambda: connect(url()),
                partitions=chosen,
                batch_records=batch_records,
                judging=judging,
                progress=on_progress,
                stop=stop,
                pause=stop.pause,
            )
            last = worker.run(
                until_caught_up=until_caught_up,
                give_up_after_seconds=GIVE_UP_AFTER_SECONDS if until_caught_up else None,
            )
            if until_caught_up and last.caught_up:
                _count(lambda: connect(url()))
    finally:
        the_log.close()
    if as_json:
        click.echo(json.dumps(asdict(last)))
    elif last.step < 0:
        click.echo("Nothing was projected.")
    else:
        click.echo(
            f"Step {last.step}: {last.events} events and {last.retractions} retractions projected since the start, "
            f"{last.events_per_second:,.0f}/s; {last.lag_records} records to go."
        )


def _count(connect_: Callable[[], Connection]) -> None:
    """The fleet, for whoever opens its page next."""
    with closing(connect_()) as connection, suppress(FleetBusy):
        count_fleet(connection)


def partition_list(text: str) -> tuple[int, ...]:
    """``0-5,8`` as numbers. Raises ConfigurationError. Whether the log has them the worker says."""
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if not first.isdecimal() or (last and not last.isdecimal()) or int(last or first) > MOST_PARTITIONS:
            raise ConfigurationError(f"--partitions {text!r} is no list of partitions: write 0-5,8")
        found.update(range(int(first), int(last or first) + 1))
    return tuple(sorted(found))


class Watch:
    """What readiness is judged by."""

    def __init__(self) -> None:
        self.last: Progress | None = None
        self._heard_at = 0.0
        self._last_step_at = 0.0
        self._caught_up_at: float | None = None

    @property
    def whole(self) -> bool:
        """Whether the tables hold all of the log, as far as the worker last said."""
        return self.last is not None and self.last.caught_up

    def note(self, progress: Progress, now: float) -> None:
        if self.last is None or progress.step != self.last.step:
            self._last_step_at = now
        if progress.caught_up:
            self._caught_up_at = now
        self._heard_at = now
        self.last = progress

    def why_not_ready(self, now: float) -> list[str]:
        """Judged by the clock too: what the worker last said must not count as healthy when it says no more."""
        if self.last is None:
            return ["nothing was projected since the start"]
        reasons = []
        silent = now - self._heard_at
        if silent > SILENT_SECONDS:
            reasons.append(f"log or database could not be had for {silent:.0f} s")
        behind = self._caught_up_at is None or now - self._caught_up_at > STALE_LAG_SECONDS
        if not self.last.caught_up and behind:
            reasons.append(f"{self.last.lag_records} records behind the log's end")
        age = now - self._last_step_at
        if age > STALE_SECONDS:
            reasons.append(f"the last step came {age:.0f} s ago: is a follower at work?")
        return reasons


@contextmanager
def _progress(log_url: str) -> Iterator[Callable[[Progress], None]]:
    with ChainProgress(f"project {log_url}", "records") as bar:
        done = 0

        def show(progress: Progress) -> None:
            nonlocal done
            done = max(done, progress.events + progress.retractions)
            bar.update(
                done=done, total=done + progress.lag_records, events=progress.events, note=f"step {progress.step}"
            )

        yield show
