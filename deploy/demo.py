"""The whole pipeline in one place: devnet, follower, log, worker, dashboard, and a fork that is undone."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, Self

from msgspec.structs import replace
from rich.console import Console
from rich.text import Text

from consumers.timeline import Line, Timeline, read_timeline
from deploy.dashboard import TOKENS, ServeOptions, Server, parts_of, prepare_tables, read_address
from deploy.database import database
from deploy.devnet.control import ask
from deploy.health import serve_health
from deploy.housekeeping import Housekeeping
from deploy.profiles import read_profile
from deploy.progress import ChainProgress
from deploy.settings import EMBEDDED
from deploy.timeline_view import add_line, lines_table, print_timeline
from deploy.watch import Watch
from indexer.errors import CellwitnessError, ConfigurationError, OperatorMustAct, Retryable
from indexer.log.urls import open_log
from indexer.protocol.profile import Profile
from indexer.run import FollowOptions, run_follower
from indexer.session import Progress as Followed
from projections.database import Connection, connect
from projections.judging import Judging
from projections.run import Progress as Projected
from projections.run import Worker
from projections.status import consistent_step

LABELS: Final = "labels.ndjson"
"""What the devnet really did, frauds and honest oddities, for whoever wants to check what was caught."""

FRAUD_SHARE: Final = 0.08
STALE_SECONDS: Final = 20.0  # the devnet makes four blocks a second
FLEET_MINUTES: Final = 1.0

MARK: Final = "devnet.log"
"""The first file that a demo makes in its folder."""

FORK_DEPTH_BLOCKS: Final = 5
MEANWHILE_BLOCKS: Final = 2  # that the devnet may make between our question and its fork
LINES_SHOWN: Final = 12
PATIENCE_SECONDS: Final = 120.0

_RECENT: Final = """
    SELECT deployment, battery_key FROM events
     WHERE known_until_step IS NULL AND type = 'reading_submitted'
       AND height > (SELECT min(height) FROM checkpoints) - %s
     ORDER BY height DESC LIMIT 1
"""
_NEWEST_ALERT: Final = """
    SELECT first_height FROM alerts
     WHERE known_until_step IS NULL AND first_height > (SELECT min(height) FROM checkpoints) - %s
     ORDER BY first_height DESC LIMIT 1
"""
NEAR_BLOCKS: Final = 100


class DemoFailed(OperatorMustAct):
    """A part of the demo ended before its time."""


class Demo:
    """The parts at work: a devnet in a process of its own, a follower and a worker in threads."""

    def __init__(self, folder: Path, *, batteries: int, history_years: float, seed: int) -> None:
        self.folder = folder
        self.log_url = f"sqlite:{folder / 'events.db'}"
        self.followed: Followed | None = None
        self._watch = Watch()
        self._watched = ""
        self.projected: Projected | None = None
        self._fleet = ["--batteries", str(batteries), "--history-years", str(history_years), "--seed", str(seed)]
        self._stopped = threading.Event()
        self._failure: CellwitnessError | None = None
        self._life = ExitStack()
        self.ogmios = ""
        self.database_url: Callable[[], str] = lambda: ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._life.close()

    def start_devnet(self) -> dict[str, Any]:
        """Makes the history and serves it. Returns what the devnet says of itself."""
        self.folder.mkdir(parents=True)
        command = [
            sys.executable,
            "-m",
            "deploy.cli",
            "--log-level",
            "warning",
            "devnet",
            "run",
            "--port",
            "0",
            "--json",
        ]
        command += [
            "--block-seconds",
            "0.25",
            "--reading-minutes",
            "6",
            "--profile-out",
            str(self.folder / "devnet.toml"),
            "--fraud-share",
            str(FRAUD_SHARE),
            "--labels-out",
            str(self.folder / LABELS),
            *self._fleet,
        ]
        errors = self._life.enter_context((self.folder / MARK).open("w"))
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)  # noqa: S603  # our own
        self._life.callback(process.wait)
        self._life.callback(process.terminate)
        assert process.stdout is not None
        self._life.callback(process.stdout.close)
        line = process.stdout.readline()
        if not line:
            raise DemoFailed(f"the devnet did not start: {(self.folder / MARK).read_text()[-2000:]}")
        said: dict[str, Any] = json.loads(line)
        self.ogmios = said["url"]
        return said

    def start_follower(self) -> None:
        """Follows the devnet into the log, until the demo ends."""
        profile = self._profile()
        health = serve_health("127.0.0.1:0", self._watch.why_not_ready, nodes=self._watch.status)
        self._life.callback(health.shutdown)
        self._watched = f"http://127.0.0.1:{health.server_port}"

        def note(progress: Followed) -> None:
            self.followed = progress
            self._watch.note(progress, time.time())

        def work() -> None:
            log = open_log(self.log_url)
            try:
                run_follower(
                    log,
                    (profile,),
                    FollowOptions(endpoints=(self.ogmios,)),
                    stop=self._stopped.is_set,
                    pause=self._pause,
                    on_progress=note,
                    on_nodes=lambda nodes: self._watch.note_nodes(nodes, time.time()),
                )
            finally:
                log.close()

        self._start("follower", work)

    def _profile(self) -> Profile:
        return read_profile(self.folder / "devnet.toml")

    def start_worker(self) -> None:
        """Projects the log into an embedded PostgreSQL, verdicts too, until the demo ends."""
        profile = self._profile()
        judging = Judging({profile.name: profile})
        url = self._life.enter_context(database(EMBEDDED, str(self.folder)))
        self.database_url = url
        prepare_tables(url())

        def work() -> None:
            log = open_log(self.log_url)
            try:
                Worker(
                    log,
                    lambda: connect(url()),
                    judging=judging,
                    progress=lambda progress: setattr(self, "projected", progress),
                    stop=self._stopped.is_set,
                    pause=self._pause,
                ).run()
            finally:
                log.close()

        self._start("worker", work)
        housekeeping = Housekeeping(
            lambda: connect(url()), judging, fleet_minutes=FLEET_MINUTES, whole=lambda: _caught_up(self)
        )
        self._life.enter_context(housekeeping)

    def start_dashboard(self, address: str) -> str:
        """Serves the dashboard until the demo ends; where the port is taken, at another. Returns its URL."""
        host, port = read_address(address)
        options = ServeOptions(
            host=host,
            port=port,
            token_file=self.folder / TOKENS,
            stale_seconds=STALE_SECONDS,
            connections=6,
            followers=(self._watched,),
        )
        parts = self._life.enter_context(parts_of(self.database_url, options, self.fork))
        try:
            server = Server(parts, options)
        except ConfigurationError:
            server = Server(parts, replace(options, port=0))
        self._life.callback(server.stop)
        server.start()
        return server.url

    def fork(self) -> dict[str, Any]:
        """Makes the devnet abandon its newest blocks, and with them what the newest alert was found in, if near.

        Nothing of them is on the new branch: what was found there is withdrawn, and not found again a block later.
        """
        with connect(self.database_url(), read_only=True) as connection:
            row = connection.execute(_NEWEST_ALERT, (NEAR_BLOCKS,)).fetchone()
        return _fork_below(self, row[0] if row else sys.maxsize, drop_share=1.0)

    def stay(self) -> None:
        """Until somebody ends it, or a part fails."""
        while self._failure is None:
            time.sleep(0.2)
        raise self._failure

    def _pause(self, seconds: float) -> None:
        self._stopped.wait(seconds)

    def _start(self, name: str, work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                work()
            except CellwitnessError as error:
                self._failure = error

        thread = threading.Thread(target=run, name=name)
        thread.start()
        self._life.callback(thread.join)
        self._life.callback(self._stopped.set)

    def wait_for(self, true: Callable[[], bool], what: str, show: Callable[[], None] = lambda: None) -> None:
        """Waits until it is true. Raises what a part failed with, or Retryable after a long time."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not true():
            if self._failure is not None:
                raise self._failure
            if time.monotonic() > deadline:
                raise Retryable(f"the demo waited {PATIENCE_SECONDS:.0f} s in vain for {what}")
            show()
            time.sleep(0.05)


def run_demo(demo: Demo, console: Console, address: str) -> None:
    """Shows the pipeline from an empty folder to a fork being undone."""
    _say(console, "1", "A devnet: batteries with software secure elements, and a year of their transactions")
    said = demo.start_devnet()
    console.print(Text(f"  {said['blocks']:,} blocks at {demo.ogmios}, one more each quarter of a second", "dim"))

    _say(console, "2", "The follower: blocks in, events out, one step and one fsync at a time")
    began = time.monotonic()
    demo.start_follower()
    with ChainProgress("  follow") as bar:
        demo.wait_for(lambda: _at_tip(demo.followed), "the follower", lambda: _show_followed(bar, demo.followed))
    followed = demo.followed
    assert followed is not None
    seconds = time.monotonic() - began
    console.print(
        Text(f"  {followed.blocks:,} blocks and {followed.events:,} events in {seconds:.1f} s ", "dim")
        + Text(f"({followed.blocks / seconds:,.0f} blocks/s), step {followed.step}", "dim")
    )

    _say(console, "3", "The projection: events in, timelines out, in a PostgreSQL of its own")
    demo.start_worker()
    with ChainProgress("  project", "events") as bar:
        demo.wait_for(lambda: _caught_up(demo), "the worker", lambda: _show_projected(bar, demo.projected))
    projected = demo.projected
    assert projected is not None
    console.print(
        Text(
            f"  {projected.events:,} events, {projected.rows:,} rows ({projected.events_per_second:,.0f} events/s)",
            "dim",
        )
    )
    _say(console, "4", "The dashboard: open it, and leave it open while the chain forks")
    console.print(Text("  ") + Text(demo.start_dashboard(address), "bold underline"))
    with _reading(demo) as connection:
        _fork_before_ones_eyes(demo, console, connection)


def _fork_before_ones_eyes(demo: Demo, console: Console, connection: Connection) -> None:
    found: list[Timeline] = []

    def something_recent() -> bool:
        found[:] = _recent(connection)
        return bool(found)

    _say(console, "5", "The timeline of a battery that was just read")
    demo.wait_for(something_recent, "a reading near the tip")
    rollbacks = demo.followed.rollbacks if demo.followed else 0
    before = found[0]
    answer = _fork_below(demo, before.lines[-1].height)
    print_timeline(console, _tail(before))
    _say(console, "6", f"The chain forks: its last {answer['depth']} blocks are abandoned, and another branch goes on")
    demo.wait_for(lambda: demo.followed is not None and demo.followed.rollbacks > rollbacks, "the rollback")
    assert demo.followed is not None
    step = demo.followed.step
    demo.wait_for(lambda: consistent_step(connection) >= step, "the worker to undo it")
    after = read_timeline(connection, before.battery["deployment"], before.battery["battery_key"])
    known = {line.event_id for line in after.lines} if after else set()
    table = lines_table(console.width)
    for line in before.lines[-LINES_SHOWN:]:
        gone = line.event_id not in known
        add_line(table, line, style="red strike" if gone else "", remark="RETRACTED" if gone else "")
    old = {line.event_id for line in before.lines}
    for line in after.lines if after else ():
        if line.event_id not in old:
            add_line(table, line, style="green", remark="on the new branch")
    console.print(table)
    console.print(
        Text(
            f"\n  {answer['dropped']} transactions of the old branch are gone, {answer['moved']} stand in other blocks "
            "of the new one. Nothing was deleted: the log holds each event and its retraction, the tables each row "
            "with the steps between which it was believed."
        )
    )


def _fork_below(demo: Demo, height: int, *, drop_share: float = 0.1) -> dict[str, Any]:
    """Makes the devnet leave the block at this height, which may no longer be among its newest."""
    tip = ask(demo.ogmios, "devnet/status")["tip"]["height"]
    depth = max(FORK_DEPTH_BLOCKS, tip - height + 1 + MEANWHILE_BLOCKS)
    answer: dict[str, Any] = ask(demo.ogmios, "devnet/fork", {"depth": depth, "drop_share": drop_share})
    return answer


def _recent(connection: Connection) -> list[Timeline]:
    """A battery with an event among the blocks that the fork will abandon: at most one."""
    row = connection.execute(_RECENT, (FORK_DEPTH_BLOCKS - 1,)).fetchone()
    timeline = read_timeline(connection, row[0], row[1].hex()) if row else None
    return [timeline] if timeline else []


def _tail(timeline: Timeline) -> Timeline:
    lines: list[Line] = list(timeline.lines[-LINES_SHOWN:])
    return Timeline(**{field: getattr(timeline, field) for field in timeline.__struct_fields__} | {"lines": lines})


@contextmanager
def _reading(demo: Demo) -> Iterator[Connection]:
    with connect(demo.database_url()) as connection:
        yield connection


def _say(console: Console, number: str, text: str) -> None:
    console.print()
    console.print(Text(f"{number} ", "bold cyan") + Text(text, "bold"))


def _at_tip(progress: Followed | None) -> bool:
    return progress is not None and progress.tip_height > 0 and progress.height >= progress.tip_height


def _caught_up(demo: Demo) -> bool:
    return demo.projected is not None and demo.projected.caught_up and demo.projected.events > 0


def _show_followed(bar: ChainProgress, progress: Followed | None) -> None:
    if progress is not None:
        bar.update(done=progress.height, total=progress.tip_height, events=progress.events)


def _show_projected(bar: ChainProgress, progress: Projected | None) -> None:
    if progress is not None:
        bar.update(done=progress.events, total=progress.events + progress.lag_records, events=progress.events)
