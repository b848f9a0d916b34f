"""A battery's timeline as the tables hold it: now or as it was known after a step, whole or up to a slot of the chain.

Reads, never writes.
"""

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal, LiteralString

import msgspec
from msgspec import Raw, Struct
from psycopg import sql
from psycopg.rows import dict_row

from consumers.as_of import Refolded, refold
from indexer.errors import Retryable
from projections.database import Connection, load_queries
from projections.errors import SchemaMismatch, translated

CONFIRMED_DEPTH_BLOCKS: Final = 15
"""Blocks on top of a block before it counts as confirmed: some five minutes, as exchanges ask of a deposit."""

NAMES_COMPARED: Final = 20_000
"""Batteries among which near matches of a wrong name are looked for."""

_QUERIES: Final = load_queries("consumers", "queries.sql")
_NOW: Final = sql.SQL("known_until_step IS NULL")
# Written so that each half fits one of the two partial indexes of a table.
_AFTER_STEP: Final = sql.SQL(
    "known_from_step <= %(step)s AND (known_until_step IS NULL"
    " OR (known_until_step IS NOT NULL AND known_until_step > %(step)s))"
)

Finality = Literal["pending", "confirmed", "final"]


class StepNotReached(Retryable):
    """The tables do not hold this step yet."""


class Holds(Struct, frozen=True):
    """Where an answer holds. All but the step are None where the tables don't know where that step stood."""

    step: int
    slot: int | None = None
    height: int | None = None
    block: str | None = None
    final_height: int | None = None
    tip_height: int | None = None
    as_of_slot: int | None = None  # asked for: only what the chain said up to this slot

    def finality(self, height: int) -> Finality:
        """Of a block that was on the chain then. Derived, never stored: it changes without an event."""
        if self.final_height is not None and height <= self.final_height:
            return "final"
        return "confirmed" if self.height is not None and self.height - height >= CONFIRMED_DEPTH_BLOCKS else "pending"


class Line(Struct, frozen=True):
    """One event of the timeline, with what the tables say of the reading or the commitment that it is about."""

    time: str
    slot: int
    height: int
    block: str
    transaction: str
    transaction_index: int
    event_index: int
    type: str
    event_id: str
    fact: str
    finality: Finality
    known_from_step: int
    event: Raw  # JSON, as in the log
    reading: dict[str, Any] | None = None
    commitment: dict[str, Any] | None = None  # minted here
    ended: list[dict[str, Any]] = []  # commitments that ended here


class Timeline(Struct, frozen=True):
    """Everything known of a battery, in the chain's order."""

    battery: dict[str, Any]
    holds: Holds
    lines: list[Line]


def find_batteries(connection: Connection, battery: str, as_of_step: int | None = None) -> list[tuple[str, str]]:
    """Deployment and key of the batteries of this id (text, or hex) or key (28 bytes, hex)."""
    try:
        raw = bytes.fromhex(battery)
    except ValueError:
        raw = b""
    found: list[tuple[str, str]] = []
    with _reading():
        for battery_id in (battery.encode(errors="surrogateescape"), raw):
            parameters = {"battery_id": battery_id, "battery_key": raw, "step": as_of_step}
            if battery_id:
                found += connection.execute(_query("find_batteries", as_of_step), parameters).fetchall()
    return list(dict.fromkeys(found))


def near_matches(connection: Connection, battery: str, as_of_step: int | None = None) -> list[str]:
    """Names of batteries that look like this one."""
    with _reading():
        parameters = {"limit": NAMES_COMPARED, "step": as_of_step}
        names = [name for (name,) in connection.execute(_query("battery_names", as_of_step), parameters)]
    return difflib.get_close_matches(battery, names, n=5, cutoff=0.5)


def read_timeline(
    connection: Connection,
    deployment: str,
    battery_key: str,
    as_of_step: int | None = None,
    *,
    as_of_slot: int | None = None,
) -> Timeline | None:
    """A battery's timeline; None where nothing is known of it.

    ``as_of_step``: with what was known after this step of the log, forks that were undone later included.
    ``as_of_slot``: up to this slot of the chain, as if nothing had come after it; both together: as it was known then.
    Raises StepNotReached, SchemaMismatch.
    """
    with _reading(), connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")  # one moment for all answers
        parameters = {"deployment": deployment, "battery_key": bytes.fromhex(battery_key), "step": as_of_step}
        parameters["slot"] = as_of_slot

        def rows(name: str) -> list[dict[str, Any]]:
            return [_plain(row) for row in cursor.execute(_query(name, as_of_step), parameters)]

        position = rows("checkpoint")
        if not position:
            return None
        if as_of_step is not None:
            if as_of_step > position[0]["step"]:
                raise StepNotReached(f"the tables hold step {position[0]['step']}, not yet {as_of_step}")
            position = rows("step") or [{"step": as_of_step}]
        holds = msgspec.convert(position[0] | {"as_of_slot": as_of_slot}, Holds)
        if as_of_slot is None:
            battery = rows("battery")
            if not battery:
                return None
            said = Refolded(battery[0], {row["fact"]: row for row in rows("readings")}, rows("commitments"))
            events = cursor.execute(_query("events", as_of_step), parameters).fetchall()
        else:
            events = cursor.execute(_query("events", as_of_step), parameters).fetchall()
            refolded = refold(events)
            if refolded is None:
                return None
            said = refolded
        lines = [_line(row, holds, said.readings, said.commitments) for row in events]
    return Timeline(said.battery, holds, lines)


def _line(
    row: dict[str, Any], holds: Holds, readings: dict[str, dict[str, Any]], commitments: list[dict[str, Any]]
) -> Line:
    body = Raw(row.pop("body"))
    event = _plain(row)
    fact = event["fact"]
    return Line(
        **{
            name: event[name]
            for name in (
                *("time", "slot", "height", "block", "transaction", "transaction_index", "event_index", "type"),
                *("event_id", "fact", "known_from_step"),
            )
        },
        finality=holds.finality(event["height"]),
        event=body,
        reading=readings.get(fact),
        commitment=next((each for each in commitments if each["fact"] == fact), None),
        ended=[each for each in commitments if each["ended_fact"] == fact],
    )


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row as JSON can say it: bytes as hex, numbers as integers, times as RFC 3339.

    Without the step that ended it: an answer about the past must stay the same whatever was learned after it.
    """
    return {name: _value(value) for name, value in row.items() if name != "known_until_step"}


def _value(value: Any) -> Any:
    match value:
        case bytes():
            return value.hex()
        case Decimal():
            return int(value)
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case _:
            return value


def _query(name: str, as_of_step: int | None) -> sql.Composed:
    query: LiteralString = _QUERIES[name]
    return sql.SQL(query).format(known=_NOW if as_of_step is None else _AFTER_STEP)


@contextmanager
def _reading() -> Iterator[None]:
    """Errors in our words; of a database without our tables in words that help."""
    try:
        with translated():
            yield
    except SchemaMismatch as mismatch:
        raise SchemaMismatch(f"{mismatch}: run `cellwitness project` on this database first") from mismatch
