"""Section 5: two workers that share the partitions against one, each a process of its own, on the same log."""

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from psycopg import sql

from deploy.postgres import EmbeddedPostgres
from projections.database import SCHEMA, connect
from projections.digest import TableDigest, table_digests
from tests.bench.fed import fed
from tests.bench.frames import devnet_blocks, devnet_profile
from tests.bench.plan import Plan
from tests.bench.report import Section, ratio
from tests.bench.whole import follow_into_log

BATTERIES = 60
TIMES_DAYS = 2
"""A longer log than one worker's: two have to begin and end together to be compared."""
SETS = ("0-5", "6-11")


def measure(plan: Plan) -> Section:
    """Events a second of one worker, and of two, that begin with empty tables."""
    blocks = devnet_blocks(BATTERIES, TIMES_DAYS * plan.projection_days)
    with tempfile.TemporaryDirectory(prefix="cellwitness-bench-") as folder:
        Path(folder).chmod(0o711)  # as root the server has another user, who must pass through
        path = Path(folder) / "events.db"
        with fed(blocks, len(blocks), store=True) as feed:
            read, _ = follow_into_log(feed, devnet_profile(), path)
        one: list[float] = []
        two: list[float] = []
        cpu_one: list[float] = []
        cpu_two: list[float] = []
        digests: list[tuple[TableDigest, ...]] = []
        with EmbeddedPostgres(Path(folder) / "postgres").use() as url:
            for _ in range(plan.rounds):
                for spent, cpu, sets in ((one, cpu_one, ("0-11",)), (two, cpu_two, SETS)):
                    with connect(url) as connection:
                        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(SCHEMA)))
                    seconds, cpu_seconds = _project(path, url, sets)
                    spent.append(seconds)
                    cpu.append(cpu_seconds)
                    with connect(url) as connection:
                        digests.append(table_digests(connection))
    assert len(set(digests)) == 1, "however many workers there are, the tables are the same"
    return Section(
        "sharing",
        "Workers that share the partitions, each a process (medians)",
        (
            {"": "one worker", "events/s": read.events / median(one), "workers' CPU s": median(cpu_one)},
            {"": "two workers", "events/s": read.events / median(two), "workers' CPU s": median(cpu_two)},
            {"": "two to one", "events/s": ratio(one, two), "workers' CPU s": ratio(cpu_two, cpu_one)},
        ),
        (),
        (
            f"{read.events:,} events of {BATTERIES} batteries; PostgreSQL works on the same cores.",
            "CPU: what two spend more than one is the price of sharing, on any number of cores.",
        ),
    )


def _project(path: Path, url: str, sets: tuple[str, ...]) -> tuple[float, float]:
    """Seconds that the busiest worker was at work, its start left out, and of CPU that they took, starts included."""
    before = _cpu_seconds_of_children()
    command = [sys.executable, "-m", "deploy.cli", "--log-level", "error", "project", "--until-caught-up", "--json"]
    workers = [
        subprocess.Popen(
            [*command, "--log", f"sqlite:{path}", "--db", url, "--partitions", each], stdout=subprocess.PIPE, text=True
        )
        for each in sets
    ]
    said = [json.loads(worker.communicate()[0]) for worker in workers]
    busy = max(each["events"] / each["events_per_second"] for each in said if each["events"])
    return busy, _cpu_seconds_of_children() - before


def _cpu_seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
