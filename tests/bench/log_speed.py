"""Section 3: the log's appending and reading, against bare sqlite3 with the same blobs and the same fsyncs."""

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from typing import Final, TypeVar

from indexer.chain import Tip
from indexer.events import CommitmentMinted, OutputView, encode_event
from indexer.log.port import Step, StoredSpine
from indexer.log.records import BlockEntry, decode_records, encode_spine, step_digest
from indexer.log.sqlite import SqliteLog
from indexer.log.sqlite_file import SCHEMA, WAL_PAGES
from indexer.log.steps import PlacedEvent, forward_step, opened_step, place
from tests.bench.plan import Plan
from tests.bench.report import Section, Value, ratio
from tests.bench.template import block_id

EVENTS_A_STEP: Final = 500
BLOCKS_A_STEP: Final = 50
READ_RECORDS: Final = 16_384
BATTERIES: Final = 1_000

Given = TypeVar("Given")


def measure(plan: Plan) -> Section:
    """Events and steps a second."""
    began = time.perf_counter()
    steps = list(_steps(plan.log_steps))
    made = plan.log_steps * EVENTS_A_STEP / (time.perf_counter() - began)
    events = plan.log_steps * EVENTS_A_STEP
    times: dict[str, list[float]] = {"append": [], "bare append": [], "read": [], "bare read": [], "bare blobs": []}
    for _ in range(plan.rounds):
        with tempfile.TemporaryDirectory(prefix="cellwitness-bench-") as folder:
            ours, bare = Path(folder) / "ours.db", Path(folder) / "bare.db"
            times["append"].append(_timed(_append, ours, steps))
            times["bare append"].append(_timed(_bare_append, bare, steps))
            times["read"].append(_timed(_read, ours, events))
            times["bare read"].append(_timed(_bare_read, bare, events))
            times["bare blobs"].append(_timed(_bare_blobs, bare, steps))

    def row(name: str, what: str, against: str | None) -> dict[str, Value]:
        seconds = median(times[name])
        return {
            "": what,
            "events/s": events / seconds,
            "steps/s": plan.log_steps / seconds,
            "share of bare": ratio(times[against], times[name]) if against else None,
        }

    event_bytes = len(encode_event(_events(1)[0].event))
    record_bytes = sum(len(blob) for blob in steps[1].blobs) / EVENTS_A_STEP
    return Section(
        "log",
        "The log in SQLite: steps of 500 events, an fsync each (medians)",
        (
            row("append", "append, steps ready", "bare append"),
            row("bare append", "bare sqlite3: append", None),
            row("read", "read into records", "bare read"),
            row("bare read", "bare sqlite3: read, msgspec", None),
            row("bare blobs", "bare sqlite3: read blobs only", None),
            {
                "": "making steps of events",
                "events/s": made,
                "steps/s": made / EVENTS_A_STEP,
                "share of bare": None,
            },
        ),
        (),
        (f"Events of {event_bytes} bytes; with all that a record adds, {record_bytes:.0f} bytes each.",),
    )


def _timed(work: Callable[[Path, Given], None], path: Path, given: Given) -> float:
    began = time.perf_counter()
    work(path, given)
    return time.perf_counter() - began


def _events(step: int) -> list[PlacedEvent]:
    placed: list[PlacedEvent] = []
    output = OutputView(index=0, address="addr_test1wq", lovelace=2_000_000)
    for number in range(BLOCKS_A_STEP):
        height = (step - 1) * BLOCKS_A_STEP + number
        entry = BlockEntry(height, height * 20, block_id(height).decode())
        events = [
            CommitmentMinted(
                deployment="bench",
                battery_key=f"{(height * 10 + index) % BATTERIES:056x}",
                transaction=f"{height * 10 + index:064x}",
                transaction_index=index,
                index=0,
                output=output,
                token_name="00",
                quantity=1,
                battery_id="00",
                user_pkh="00",
            )
            for index in range(EVENTS_A_STEP // BLOCKS_A_STEP)
        ]
        placed += place(events, entry, "2026-01-01T00:00:00Z", 42)
    return placed


def _steps(count: int) -> Iterator[Step]:
    """A log's steps from the opening one on, each ready to be written."""
    step = opened_step(network="devnet", network_magic=42, security_parameter=2160, deployments={}, since="origin")
    yield step
    for number in range(1, count + 1):
        previous = StoredSpine(step.spine, step_digest(encode_spine(step.spine)))
        events = _events(number)
        blocks = list(dict.fromkeys(placed.block for placed in events))
        last = blocks[-1]
        step = forward_step(
            previous,
            blocks=blocks,
            parent=block_id(blocks[0].height - 1).decode() if blocks[0].height else "genesis",
            boundaries={},
            tip=Tip(last.slot, last.id, last.height),
            security_parameter=2160,
            events=events,
            retracted={},
        )
        yield step


def _append(path: Path, steps: list[Step]) -> None:
    writer = SqliteLog(path).writer()
    for step in steps:
        writer.append(step)
    writer.close()


def _read(path: Path, events: int) -> None:
    log = SqliteLog(path)
    found = 0
    for partition in range(len(log.opened().partitions)):
        offset = 0
        while (batch := log.read(partition, offset, READ_RECORDS)).records:
            offset = batch.next_offset
            found += sum(record.kind == "event" for record in batch.records)
    assert found == events
    log.close()


@contextmanager
def _bare(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        yield connection


def _bare_append(path: Path, steps: list[Step]) -> None:
    with _bare(path) as connection:
        for statement in SCHEMA:
            connection.execute(statement)
        for number, step in enumerate(steps):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO spine VALUES (?, ?, ?)", (number, encode_spine(step.spine), ""))
            first = number * len(step.blobs)
            connection.executemany("INSERT INTO records VALUES (?, ?)", enumerate(step.blobs, first))
            connection.execute("COMMIT")


_LINES: Final = "SELECT lines FROM records ORDER BY position"


def _bare_read(path: Path, events: int) -> None:
    """All records in the order in which they lie, not partition by partition."""
    with _bare(path) as connection:
        found = sum(
            record.kind == "event" for (lines,) in connection.execute(_LINES) for record in decode_records(lines)
        )
    assert found == events


def _bare_blobs(path: Path, steps: list[Step]) -> None:
    with _bare(path) as connection:
        found = sum(len(lines) for (lines,) in connection.execute(_LINES))
    assert found == sum(len(blob) for step in steps for blob in step.blobs)
