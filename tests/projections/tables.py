"""The tables as tests compare them: rows read back from PostgreSQL, and rows that a short fold of the log expects."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
from msgspec.structs import asdict
from psycopg import sql

from indexer.log.port import Log
from indexer.log.records import Record
from projections.database import Connection, connect
from projections.facts import Fact, fact_of
from projections.folding import EMPTY, fold
from projections.judging import Judging
from projections.packing import storable_json
from projections.rows import TABLES
from projections.run import Progress, Worker

Rows = dict[str, set[str]]


def project(log: Log, url: str, **options: Any) -> Progress:
    """Brings the tables up to the log's end."""
    return Worker(log, lambda: connect(url), **options).run(until_caught_up=True, give_up_after_seconds=20)


def rows_at(connection: Connection, step: int | None) -> Rows:
    """What the tables said after a step; None asks for now."""
    found: Rows = {}
    for table in TABLES:
        condition = sql.SQL(
            "known_until_step IS NULL"
            if step is None
            else "known_from_step <= %(step)s AND (known_until_step > %(step)s OR known_until_step IS NULL)"
        )
        with connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
            cursor.execute(
                sql.SQL("SELECT * FROM {} WHERE {}").format(sql.Identifier(table.name), condition), {"step": step}
            )
            rows = cursor.fetchall()
        for row in rows:
            del row["known_from_step"], row["known_until_step"]
        found[table.name] = {_text(row) for row in rows}
        assert len(found[table.name]) == len(rows), "a row stands twice"
    return found


def all_records(log: Log) -> list[Record]:
    """Every record, by partition."""
    records: list[Record] = []
    for partition in range(len(log.opened().partitions)):
        batch = log.read(partition, 0, 10_000)
        while batch.records:
            records += batch.records
            batch = log.read(partition, batch.next_offset, 10_000)
    return records


def expected_at(records: list[Record], step: int, judging: Judging | None = None) -> Rows:
    """The short way: drop what was retracted by then, fold the rest of each battery from nothing."""
    seen = [record for record in records if record.step <= step]
    retracted = {record.retracts for record in seen if record.kind == "retraction"}
    live = [record for record in seen if record.kind == "event" and record.id not in retracted]
    found: Rows = {table.name: set() for table in TABLES}
    batteries: dict[tuple[str, str], list[tuple[Fact, Record]]] = {}
    for record in live:
        batteries.setdefault((record.key, record.deployment), []).append((fact_of(record), record))
    for facts in batteries.values():
        state, rows = EMPTY, {}
        for fact, record in sorted(facts, key=lambda each: each[0].place):
            state, puts = fold(state, fact, judging)
            rows.update({(put.table.name, put.key): put.row for put in puts})
            found["events"].add(_text(_event(fact, record)))
        for (table, _), row in rows.items():
            found[table].add(_text(asdict(row)))
    return found


def _event(fact: Fact, record: Record) -> dict[str, Any]:
    return {
        "deployment": record.deployment,
        "battery_key": record.key,
        "height": record.height,
        "transaction_index": fact.event.transaction_index,
        "event_index": fact.event.index,
        "slot": record.slot,
        "block": record.block,
        "time": record.time,
        "fact": record.fact,
        "event_id": record.id,
        "incarnation": record.incarnation,
        "type": record.type,
        "transaction": fact.event.transaction,
        "body": bytes(record.body),
    }


def _text(row: dict[str, Any]) -> str:
    return json.dumps({name: _plain(value) for name, value in row.items()}, sort_keys=True)


def _plain(value: Any) -> Any:
    """One form for what a struct holds and what PostgreSQL gives back."""
    match value:
        case bytes():
            return value.hex()
        case Decimal():
            return int(value)
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case dict() | list() | tuple() | str():
            return storable_json(value)
        case _:
            return value
