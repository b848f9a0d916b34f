"""Section 5: the timeline of one battery among ten million readings."""

import random
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Final, LiteralString

from psycopg import sql

from consumers.dashboard.pages.battery import LINES
from consumers.timeline import NEWEST_LINES, read_timeline
from consumers.timeline_questions import WHOLE, Part
from deploy.postgres import EmbeddedPostgres
from indexer.log.sqlite import SqliteLog
from projections.database import Connection, connect
from projections.judging import Judging
from projections.rows import READINGS, TABLES
from tests.bench.frames import devnet_profile
from tests.bench.plan import Plan
from tests.bench.projecting import Times, devnet_log, project
from tests.bench.report import Goal, Section, Value

WHOLE_COPIES: Final = 50
"""Copies of the fleet of which all tables have the rows. Of the others there are readings: all would be 100 GB."""
ASKED: Final = 500
WARMING_UP: Final = 20
"""Questions that are not counted: a pool's connection has prepared what it asks, and read the catalogue."""
DAYS: Final = 600

PARTS: Final = {
    "`cellwitness timeline`": Part(lines=NEWEST_LINES, checks=False),
    "a battery's page": Part(bodies=LINES),
    "everything, as JSON": WHOLE,
}
"""What is asked, by who asks it so."""


def measure(plan: Plan) -> Section:
    """What a person, a page and a program ask of one battery."""
    judging = Judging({devnet_profile().name: devnet_profile()})
    with tempfile.TemporaryDirectory(prefix="cellwitness-bench-") as folder:
        Path(folder).chmod(0o711)
        path = Path(folder) / "events.db"
        events = devnet_log(path, min(DAYS, plan.projection_days))
        with EmbeddedPostgres(Path(folder) / "postgres").use() as url:
            project(SqliteLog(path), url, events, Times(), judging)
            with connect(url) as connection:
                readings, asked = _fill(connection, plan.timeline_readings)
                measured = {who: _ask(connection, asked, part, plan) for who, part in PARTS.items()}
    return Section(
        "timeline",
        f"The timeline of one battery among {readings:,} readings, from PostgreSQL",
        tuple({"": who} | row for who, row in measured.items()),
        (
            Goal(
                "timeline of one battery, p99 (ms)", float(measured[next(iter(PARTS))]["p99 (ms)"] or 0), 10, "at most"
            ),
        ),
        (
            "In one process, and all that the answer is made of decoded. The goal is for what a person is shown first:",
            f"identity, sums of the whole life, alerts, the newest {NEWEST_LINES} lines with verdicts and findings.",
            f"Events, commitments, verdicts and findings are there for {len(asked):,} batteries, readings for all.",
            f"On a connection that has asked {WARMING_UP} times before; `first` is the first of these.",
            "The tables were vacuumed before, as autovacuum would have done in tables that grew with the chain.",
        ),
    )


def _ask(connection: Connection, asked: list[tuple[str, str]], part: Part, plan: Plan) -> dict[str, Value]:
    """Batteries in a random order, others for each kind of question."""
    chance = random.Random(repr(part))
    warming_up = []
    for _ in range(WARMING_UP):
        key, deployment = chance.choice(asked)
        began = time.perf_counter()
        read_timeline(connection, deployment, key, part=part)
        warming_up.append(time.perf_counter() - began)
    seconds, cpu, lines, of_all = [], [], [], []
    for _ in range(ASKED if plan.rounds > 1 else 20):
        key, deployment = chance.choice(asked)
        began, began_cpu = time.perf_counter(), time.process_time()
        timeline = read_timeline(connection, deployment, key, part=part)
        seconds.append(time.perf_counter() - began)
        cpu.append(time.process_time() - began_cpu)
        assert timeline is not None
        lines.append(len(timeline.lines))
        of_all.append(len(timeline.lines) + timeline.earlier)
    return {
        "asked": len(seconds),
        "lines": median(lines),
        "of": median(of_all),
        "first (ms)": 1e3 * warming_up[0],
        "p50 (ms)": 1e3 * median(seconds),
        "p99 (ms)": 1e3 * quantiles(seconds, n=100)[98],
        "our CPU (ms)": 1e3 * median(cpu),
    }


def _fill(connection: Connection, readings: int) -> tuple[int, list[tuple[str, str]]]:
    """Copies of all batteries under other keys; returns how many readings there are, and whom to ask for."""
    copies = max(1, readings // _count(connection))
    whole = min(copies, WHOLE_COPIES)
    for table in TABLES:
        columns = [*table.row.__struct_fields__, "known_from_step"]
        _copy(connection, table.name, columns, copies if table is READINGS else whole, "WHERE known_until_step IS NULL")
        connection.execute(sql.SQL("VACUUM ANALYZE {}").format(sql.Identifier(table.name)))
    _copy(connection, "states", ["battery_key", "deployment", "partition", "state"], whole, "")
    connection.execute("VACUUM ANALYZE states")
    query = "SELECT encode(battery_key, 'hex'), deployment FROM batteries WHERE known_until_step IS NULL ORDER BY 1"
    return _count(connection), connection.execute(query).fetchall()


def _copy(connection: Connection, table: str, columns: list[str], copies: int, condition: LiteralString) -> None:
    """The rows of a table again for each copy, whose number ends the battery key."""
    name, originals = sql.Identifier(table), sql.Identifier(f"original_{table}")
    values = [
        sql.SQL("substr(battery_key, 1, 24) || int4send(copy)") if each == "battery_key" else sql.Identifier(each)
        for each in columns
    ]
    listed = sql.SQL(", ").join(map(sql.Identifier, columns))
    made = sql.SQL("CREATE TEMPORARY TABLE {} AS SELECT {} FROM {} {}")
    connection.execute(made.format(originals, listed, name, sql.SQL(condition)))
    added = sql.SQL("INSERT INTO {} ({}) SELECT {} FROM generate_series(1, {}) AS copy, {}")
    connection.execute(added.format(name, listed, sql.SQL(", ").join(values), sql.Literal(copies), originals))


def _count(connection: Connection) -> int:
    row = connection.execute("SELECT count(*) FROM readings WHERE known_until_step IS NULL").fetchone()
    assert row is not None
    return int(row[0])
