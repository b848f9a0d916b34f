"""Section 5: the projection into the embedded PostgreSQL, against COPY of the rows that it made."""

import tempfile
import time
from pathlib import Path
from statistics import median

from psycopg import sql

from deploy.postgres import EmbeddedPostgres
from indexer.log.sqlite import SqliteLog
from projections.database import SCHEMA, Connection, connect
from projections.rows import TABLES
from projections.run import Worker
from tests.bench.fed import fed
from tests.bench.frames import devnet_blocks, devnet_profile
from tests.bench.plan import Plan
from tests.bench.report import Section, ratio
from tests.bench.whole import follow_into_log

BATTERIES = 60


def measure(plan: Plan) -> Section:
    """Events a second of one worker that begins with empty tables."""
    blocks = devnet_blocks(BATTERIES, plan.projection_days)
    with tempfile.TemporaryDirectory(prefix="cellwitness-bench-") as folder:
        Path(folder).chmod(0o711)  # as root the server has another user, who must pass through
        path = Path(folder) / "events.db"
        with fed(blocks, len(blocks), store=True) as feed:
            read, _ = follow_into_log(feed, devnet_profile(), path)
        workers: list[float] = []
        copies: list[float] = []
        rows = 0
        with EmbeddedPostgres(Path(folder) / "postgres").use() as url:
            for _ in range(plan.rounds):
                with connect(url) as connection:
                    connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(SCHEMA)))
                workers.append(_project(path, url, read.events))
                with connect(url) as connection:
                    seconds, rows = _copy(connection)
                copies.append(seconds)
    return Section(
        "projection",
        "One projection worker, SQLite log to embedded PostgreSQL (medians)",
        (
            {"": "worker", "events/s": read.events / median(workers), "rows/s": rows / median(workers)},
            {"": "COPY of the same rows", "events/s": read.events / median(copies), "rows/s": rows / median(copies)},
            {"": "share of COPY", "events/s": ratio(copies, workers), "rows/s": None},
        ),
        (),
        (
            f"{read.events:,} events of {BATTERIES} batteries, {rows:,} row versions.",
            "COPY: the same rows in binary into tables with the same indexes, nothing looked up or folded.",
        ),
    )


def _project(path: Path, url: str, events: int) -> float:
    log = SqliteLog(path)
    began = time.perf_counter()
    progress = Worker(log, lambda: connect(url)).run(until_caught_up=True, give_up_after_seconds=10)
    spent = time.perf_counter() - began
    log.close()
    assert progress.events == events
    return spent


def _copy(connection: Connection) -> tuple[float, int]:
    """Seconds that COPY takes to write the tables' rows into tables of the same shape, and how many rows."""
    seconds, rows = 0.0, 0
    for table in TABLES:
        name, bare = sql.Identifier(table.name), sql.Identifier(f"bare_{table.name}")
        with connection.cursor() as cursor:
            with cursor.copy(sql.SQL("COPY {} TO STDOUT (FORMAT binary)").format(name)) as out:
                packed = [bytes(part) for part in out]
            cursor.execute(sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(bare, name))
            began = time.perf_counter()
            with cursor.copy(sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(bare)) as into:
                for part in packed:
                    into.write(part)
            seconds += time.perf_counter() - began
            rows += cursor.rowcount
    return seconds, rows
