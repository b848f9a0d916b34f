"""Parked events in PostgreSQL: set aside in the transaction of their batch, listed, and tried again."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from psycopg.rows import class_row

from indexer.log.records import Record, decode_record, encode_record
from projections.batch import Battery
from projections.database import Connection, load_queries
from projections.errors import translated
from projections.packing import storable_text
from projections.parking import Aside, Parked

QUERIES: Final = load_queries("projections", "parked.sql")


class Waiting(Struct, frozen=True, kw_only=True):
    """A battery that waits: what stops it, and how many events wait in all."""

    battery_key: str
    deployment: str
    partition: int
    events: int
    since_step: int
    since_slot: int
    since: datetime
    type: str | None  # of the event that can't be handled
    reason: str | None


class ParkedEvent(Struct, frozen=True, kw_only=True):
    """One event that waits. ``reason`` None: behind another."""

    seq: int
    event_id: str
    type: str
    step: int
    slot: int
    height: int
    reason: str | None
    parked_at: datetime
    record: bytes  # JSON, as in the log
    partition: int


def parked_ids(connection: Connection, batteries: Collection[Battery]) -> dict[Battery, set[str]]:
    """Ids of the events that wait, of those of these batteries that have any. Raises DatabaseUnwell, SchemaMismatch."""
    found: dict[Battery, set[str]] = {}
    parameters = {
        "battery_key": [bytes.fromhex(key) for key, _ in batteries],
        "deployment": [deployment for _, deployment in batteries],
    }
    with translated():
        for key, deployment, event_id in connection.execute(QUERIES["read_parked_ids"], parameters):
            found.setdefault((key, deployment), set()).add(event_id)
    return found


def write_aside(connection: Connection, partition: int, aside: Aside) -> None:
    """Parks and un-parks what a batch of a partition says."""
    if aside.parked:
        with connection.cursor() as cursor:
            cursor.executemany(QUERIES["park"], [_row(partition, each) for each in aside.parked])
    end_parked(connection, partition, aside.retracted, "retracted")


def end_parked(connection: Connection, partition: int, event_ids: Sequence[str], how: str) -> None:
    if event_ids:
        parameters = {"partition": partition, "event_id": [bytes.fromhex(each) for each in event_ids], "how": how}
        connection.execute(QUERIES["end_parked"], parameters)


def tell_reasons(connection: Connection, partition: int, parked: Sequence[Parked]) -> None:
    """Notes why events still can't be handled, or that they only wait."""
    for each in parked:
        reason = None if each.reason is None else storable_text(each.reason)
        parameters = {"partition": partition, "event_id": bytes.fromhex(each.record.id), "reason": reason}
        connection.execute(QUERIES["tell_reason"], parameters)


def parked_totals(connection: Connection) -> tuple[int, float]:
    """How many events wait, and since how many seconds the oldest. Raises DatabaseUnwell, SchemaMismatch."""
    with translated():
        row = connection.execute(QUERIES["parked_totals"]).fetchone()
        assert row is not None
        return int(row[0]), float(row[1])


def waiting_batteries(connection: Connection) -> list[Waiting]:
    """Every battery that waits, the one that waits longest first. Raises DatabaseUnwell, SchemaMismatch."""
    with translated(), connection.cursor(row_factory=class_row(Waiting)) as cursor:
        return cursor.execute(QUERIES["list_parked"]).fetchall()


def parked_events(connection: Connection, battery: Battery) -> list[ParkedEvent]:
    """All that waits of a battery, in order. Raises DatabaseUnwell, SchemaMismatch."""
    parameters = {"battery_key": bytes.fromhex(battery[0]), "deployment": battery[1]}
    with translated(), connection.cursor(row_factory=class_row(ParkedEvent)) as cursor:
        return cursor.execute(QUERIES["read_parked"], parameters).fetchall()


def record_of(event: ParkedEvent) -> Record:
    record: Record = decode_record(event.record)
    return record


def _row(partition: int, parked: Parked) -> dict[str, Any]:
    record = parked.record
    return {
        "partition": partition,
        "seq": record.seq,
        "battery_key": bytes.fromhex(record.key),
        "deployment": record.deployment,
        "event_id": bytes.fromhex(record.id),
        "type": storable_text(record.type),
        "step": record.step,
        "slot": record.slot,
        "height": record.height,
        "reason": None if parked.reason is None else storable_text(parked.reason),
        "record": encode_record(record),
    }
