"""How far the tables are: what every answer says of itself, and what holds them back, in words."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from msgspec import Struct
from psycopg.rows import class_row

from indexer.log.port import Log, StoredSpine
from projections.database import Connection, load_queries
from projections.errors import translated
from projections.parked import parked_totals
from projections.sharing import SILENT_SECONDS, lock_space

PROJECTION: Final = "timeline"

LOOKED_AT: Final = 1_000
"""Records of a partition among which its oldest event is looked for."""

_T = TypeVar("_T", bound=Struct)

_QUERIES: Final = load_queries("projections", "queries.sql") | load_queries("projections", "status.sql")


class WorkerStatus(Struct, frozen=True, kw_only=True):
    """A worker, by what the database hears of it."""

    worker: int
    host: str
    process: int
    pinned: bool  # was told its partitions by hand
    events_per_second: float | None
    silent_seconds: float
    connected: bool

    @property
    def trouble(self) -> str | None:
        """Why it does nothing, in words; None while it works."""
        if not self.connected:
            return "is gone: its partitions are free for others"
        if self.silent_seconds > SILENT_SECONDS:
            return f"was not heard for {self.silent_seconds:.0f} s: is the process stopped, or in one long transaction?"
        return None


class PartitionStatus(Struct, frozen=True, kw_only=True):
    """A partition: where it stands, and how far behind the log's end."""

    partition: int
    worker: int | None  # who holds it; None: nobody
    step: int
    slot: int
    height: int
    lag_events: int  # records of the log, markers too
    lag_blocks: int
    lag_seconds: float  # age of the oldest event that is in the log and not in the tables, by its slot; 0: none
    unmoved_seconds: float | None  # since it last moved
    held_back_by: str | None  # in words; None where it is at the log's end


class Status(Struct, frozen=True, kw_only=True):
    """The tables as a whole. ``consistent_step``: all partitions hold the log up to it."""

    consistent_step: int
    log_step: int
    log_slot: int
    log_height: int
    caught_up: bool
    parked_events: int
    parked_oldest_seconds: float
    workers: tuple[WorkerStatus, ...]
    partitions: tuple[PartitionStatus, ...]
    held_back_by: tuple[str, ...]  # in words


class Stands(Struct, frozen=True, kw_only=True):
    """A partition's checkpoint, as it is in the tables; of one that nobody ever took, the beginning."""

    partition: int
    owner: int | None
    next_offset: int
    last_seq: int
    step: int
    slot: int
    height: int
    unmoved_seconds: float | None


def consistent_step(connection: Connection, projection: str = PROJECTION) -> int:
    """The step up to which all partitions are projected: the least last step over them. -1 when nothing is.

    Raises DatabaseUnwell, SchemaMismatch.
    """
    with translated():
        row = connection.execute(_QUERIES["consistent_step"], {"projection": projection}).fetchone()
        assert row is not None
        return int(row[0])


def read_status(connection: Connection, log: Log) -> Status:
    """Every worker and partition, against the log's end as it is now.

    Raises LogEmpty, LogUnavailable, DatabaseUnwell, SchemaMismatch.
    """
    log.opened()
    end = log.end()
    assert end is not None
    parameters = {"projection": PROJECTION, "space": lock_space(connection, "worker")}
    with translated(), connection.transaction():
        workers = _structs(connection, WorkerStatus, "read_workers", parameters)
        stands = _structs(connection, Stands, "read_partitions", parameters)
    return judge(
        end,
        workers,
        stands,
        step=consistent_step(connection),
        parked=parked_totals(connection),
        waiting={at: time for at, time in ((each.partition, _oldest(log, each)) for each in stands) if time},
        now=datetime.now(UTC),
    )


def judge(  # noqa: PLR0913 - what is asked of the log and of the tables
    end: StoredSpine,
    workers: Sequence[WorkerStatus],
    stands: Sequence[Stands],
    *,
    step: int,
    parked: tuple[int, float],
    waiting: Mapping[int, datetime],
    now: datetime,
) -> Status:
    """What is behind, and why. ``waiting``: the time of each partition's oldest event not yet projected. Pure."""
    known = {each.worker: each for each in workers}
    partitions = tuple(_partition(each, end, known, waiting.get(each.partition), now) for each in stands)
    reasons: list[str] = []
    if not partitions:
        reasons.append("nothing was ever projected into these tables: run `cellwitness project`")
    elif not any(each.connected for each in workers):
        reasons.append("no worker is at work: run `cellwitness project`")
    reasons += [
        f"worker {each.worker} (process {each.process} on {each.host}) {each.trouble}"
        for each in workers
        if each.trouble
    ]
    behind = [each for each in partitions if each.held_back_by]
    left = sum(each.lag_events for each in behind)
    rate = sum(each.events_per_second or 0.0 for each in workers if not each.trouble)
    if behind and rate:
        eta = f"{left:,} records to go at {rate:,.0f}/s: about {left / rate:,.0f} s"
        reasons.append(f"{len(behind)} of {len(partitions)} partitions are behind the log's end, {eta}")
    if parked[0]:
        reasons.append(f"{parked[0]} events are parked, the oldest for {parked[1]:,.0f} s: `cellwitness parked ls`")
    return Status(
        consistent_step=step,
        log_step=end.spine.step,
        log_slot=getattr(end.spine.point, "slot", 0),
        log_height=end.spine.height,
        caught_up=bool(partitions) and not behind,
        parked_events=parked[0],
        parked_oldest_seconds=parked[1],
        workers=tuple(workers),
        partitions=partitions,
        held_back_by=tuple(reasons),
    )


def _partition(
    stands: Stands, end: StoredSpine, workers: dict[int, WorkerStatus], waiting: datetime | None, now: datetime
) -> PartitionStatus:
    lag = max(0, end.spine.partitions[stands.partition].last_seq - stands.last_seq)
    worker = None if stands.owner is None else workers.get(stands.owner)
    why = None
    if lag:
        why = "no worker holds it" if worker is None else f"worker {worker.worker} {worker.trouble or 'is at it'}"
    return PartitionStatus(
        partition=stands.partition,
        worker=worker.worker if worker else None,
        step=stands.step,
        slot=stands.slot,
        height=stands.height,
        lag_events=lag,
        lag_blocks=max(0, end.spine.height - stands.height) if lag else 0,
        lag_seconds=max(0.0, (now - waiting).total_seconds()) if lag and waiting else 0.0,
        unmoved_seconds=stands.unmoved_seconds,
        held_back_by=why,
    )


def _oldest(log: Log, stands: Stands) -> datetime | None:
    """When the oldest event happened that is not yet projected; None where nothing but markers is near."""
    records = log.read(stands.partition, stands.next_offset, LOOKED_AT).records
    return next((datetime.fromisoformat(each.time) for each in records if each.kind == "event"), None)


def _structs(connection: Connection, kind: type[_T], query: str, parameters: dict[str, Any]) -> list[_T]:
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(_QUERIES[query], parameters).fetchall()
