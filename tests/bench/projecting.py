"""Section 5: one projection worker into the embedded PostgreSQL, against COPY of the rows that it made, and against the
checks alone.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from msgspec import Struct
from psycopg import sql

from deploy.postgres import EmbeddedPostgres
from indexer.events import ReadingEvent
from indexer.log.port import Log
from indexer.log.sqlite import SqliteLog
from indexer.protocol.profile import Profile
from projections.batch import Battery
from projections.database import SCHEMA, Connection, connect
from projections.facts import Fact, fact_of
from projections.judging import Judging
from projections.migrate import migrate
from projections.rows import TABLES
from projections.run import Worker
from projections.verdicts.authentic import authenticity
from projections.verdicts.fold import EMPTY, fold
from tests.bench.fed import fed
from tests.bench.frames import devnet_blocks, devnet_profile
from tests.bench.plan import Plan
from tests.bench.report import Goal, Section, Value, ratio
from tests.bench.whole import follow_into_log

BATTERIES = 60
READ_RECORDS = 16_384


class Times(Struct):
    """Of one kind of work, a round each. Seconds, and those of our own processor."""

    seconds: list[float] = []
    cpu_seconds: list[float] = []

    @contextmanager
    def measured(self) -> Iterator[None]:
        began, cpu = time.perf_counter(), time.process_time()
        yield
        self.seconds.append(time.perf_counter() - began)
        self.cpu_seconds.append(time.process_time() - cpu)


def measure(plan: Plan) -> Section:
    """Events a second of one worker that begins with empty tables, with verdicts and without."""
    judging = Judging({devnet_profile().name: devnet_profile()})
    plain, judged, copied, copied_judged, checks, signatures = (Times() for _ in range(6))
    rows = rows_judged = 0
    with tempfile.TemporaryDirectory(prefix="cellwitness-bench-") as folder:
        Path(folder).chmod(0o711)  # as root the server has another user, who must pass through
        path = Path(folder) / "events.db"
        events = devnet_log(path, plan.projection_days)
        facts = _facts(path)
        with EmbeddedPostgres(Path(folder) / "postgres").use() as url:
            for _ in range(plan.rounds):
                project(SqliteLog(path), url, events, plain)
                rows = _copy(url, copied)
                project(SqliteLog(path), url, events, judged, judging)
                rows_judged = _copy(url, copied_judged)
                _checks(facts, devnet_profile(), judging, checks)
                _signatures(facts, signatures)

    def row(what: str, times: Times, versions: int | None, against: Times | None = None) -> dict[str, Value]:
        return {
            "": what,
            "events/s": events / median(times.seconds),
            "rows/s": versions / median(times.seconds) if versions else None,
            "our CPU, µs an event": 1e6 * median(times.cpu_seconds) / events,
            "share of COPY": ratio(against.seconds, times.seconds) if against else None,
        }

    readings = sum(isinstance(fact.event, ReadingEvent) for of_battery in facts.values() for fact in of_battery)
    beyond = {"the signature checks alone": signatures, "all checks and rules alone": checks}
    return Section(
        "projection",
        "One projection worker, SQLite log to embedded PostgreSQL (medians)",
        (
            row("worker, without verdicts", plain, rows, copied),
            row("COPY of the same rows", copied, rows),
            row("worker, with verdicts", judged, rows_judged, copied_judged),
            row("COPY of the same rows", copied_judged, rows_judged),
            row("all checks and rules alone", checks, None),
            row("signature checks alone", signatures, None),
        ),
        (
            Goal("events/s without signature checks", events / median(plain.seconds), 50_000),
            Goal("share of COPY, without verdicts", ratio(copied.seconds, plain.seconds), 0.3),
            *(
                Goal(f"with verdicts: times {what}", ratio(judged.seconds, times.seconds), 1.5, "at most")
                for what, times in beyond.items()
            ),
        ),
        (
            f"{events:,} events of {BATTERIES} batteries, {readings:,} of them readings.",
            f"{rows:,} row versions, {rows_judged:,} with verdicts.",
            "COPY: the same rows in binary into tables with the same indexes, nothing looked up or folded.",
            "alone: over facts that lie decoded in memory, on one core, nothing written.",
        ),
    )


def devnet_log(path: Path, days: int) -> int:
    """A log in SQLite of a devnet's blocks; returns how many events it has."""
    blocks = devnet_blocks(BATTERIES, days)
    with fed(blocks, len(blocks), store=True) as feed:
        read, _ = follow_into_log(feed, devnet_profile(), path)
    return read.events


def project(log: Log, url: str, events: int, times: Times, judging: Judging | None = None) -> None:
    """Projects a log into empty tables."""
    with connect(url) as connection:
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(SCHEMA)))
        migrate(connection)
    with times.measured():
        worker = Worker(log, lambda: connect(url), judging=judging)
        progress = worker.run(until_caught_up=True, give_up_after_seconds=10)
    log.close()
    assert progress.events == events


def _copy(url: str, times: Times) -> int:
    """How many rows COPY writes, of the tables' into tables of the same shape."""
    with connect(url) as connection:
        seconds, rows = 0.0, 0
        for table in TABLES:
            more, written = _copy_table(connection, table.name)
            seconds, rows = seconds + more, rows + written
    times.seconds.append(seconds)
    times.cpu_seconds.append(0.0)
    return rows


def _copy_table(connection: Connection, table: str) -> tuple[float, int]:
    name, bare = sql.Identifier(table), sql.Identifier(f"bare_{table}")
    with connection.cursor() as cursor:
        with cursor.copy(sql.SQL("COPY {} TO STDOUT (FORMAT binary)").format(name)) as out:
            packed = [bytes(part) for part in out]
        cursor.execute(sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(bare, name))
        began = time.perf_counter()
        with cursor.copy(sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(bare)) as into:
            for part in packed:
                into.write(part)
        return time.perf_counter() - began, cursor.rowcount


def _facts(path: Path) -> dict[Battery, list[Fact]]:
    """Each battery's, in the chain's order."""
    found: dict[Battery, list[Fact]] = {}
    log = SqliteLog(path)
    for partition in range(len(log.opened().partitions)):
        offset = 0
        while (batch := log.read(partition, offset, READ_RECORDS)).records:
            offset = batch.next_offset
            for record in batch.records:
                if record.kind == "event":
                    found.setdefault((record.key, record.deployment), []).append(fact_of(record))
    log.close()
    return found


def _checks(facts: dict[Battery, list[Fact]], profile: Profile, judging: Judging, times: Times) -> None:
    with times.measured():
        for of_battery in facts.values():
            state = EMPTY
            for fact in of_battery:
                state, _ = fold(state, fact, profile, judging.book)


def _signatures(facts: dict[Battery, list[Fact]], times: Times) -> None:
    readings = [fact.event for of_battery in facts.values() for fact in of_battery]
    signed = [
        (each.decoded, bytes.fromhex(each.account_datum.bms_public_key))
        for each in readings
        if isinstance(each, ReadingEvent) and each.account_datum
    ]
    with times.measured():
        for view, key in signed:
            authenticity(view, key)
