"""A fleet's readings, counted: kept in tables up to a step, and carried on from there by what was touched since.

Counts of a battery are sums of what its rows said after a step, and batteries add up. So what is counted at a later
step is what was kept, less what the batteries touched since were worth at the kept step, and with what they are worth
at the later one: one definition, asked twice. A rollback is no different: as in the fold, nothing is undone by
arithmetic on what was.
"""

import time
from typing import Any, Final, Literal, LiteralString

from msgspec import Struct
from psycopg import Cursor, sql
from psycopg.rows import tuple_row

from projections.alone import alone
from projections.database import Connection, load_queries
from projections.errors import translated
from projections.status import consistent_step

VERSION: Final = 1
"""Of what is counted and how. Raise it with any change of it: then all is counted anew."""

MOST_TOUCHED: Final = 0.5
"""Of all batteries: where more were touched, counting everything once is less work."""

Counted = Literal["stands", "fade", "hours", "mix"]

SUMS: Final[dict[Counted, LiteralString]] = {
    "fade": "sum(readings) <> 0",
    "hours": "sum(passed + failed + not_assessable + rejected) <> 0",
    "mix": "sum(readings) <> 0",
}
"""What adds up, and when something is left of it."""

CYCLES: Final = (
    *range(32),
    *(low + step * (low // 16) for low in (2**power for power in range(5, 17)) for step in range(16)),
    2**17,
)
"""Where cycles begin to be counted together: exact up to 32, then a sixteenth of their power of two."""

LOCK: Final = 0x63656C6C636F756E

_COLUMNS: Final[dict[str, LiteralString]] = {
    "readings": "battery_key, deployment, fact, slot, time, height, transaction_index, event_index, rejected,"
    " account_unproven, soh_bp, cycle_count",
    "verdicts": "battery_key, deployment, fact, ledger, crypto, binding, plausibility, quarantined",
    "batteries": "battery_key, deployment, battery_id_text, bms_public_key, metadata, registered_slot",
}
_NEGATIVE: Final[dict[Counted, LiteralString]] = {
    "fade": "model, cycles_low, cycles_high, soh_bp, -readings",
    "hours": "hour, -passed, -failed, -not_assessable, -rejected, first_slot, last_slot",
    "mix": "verdict, result, -readings, -batteries",
}
_QUERIES: Final = load_queries("projections", "counts.sql")


class Basis(Struct, frozen=True):
    """From where an answer as of ``step`` goes on: from what is kept for an earlier one, and these batteries since.

    ``counted`` None: from nothing, which takes as long as reading every row does. ``slot``: only what the chain said
    up to it.
    """

    step: int
    slot: int | None = None
    counted: int | None = None
    touched: tuple[bytes, ...] = ()

    def parameters(self) -> dict[str, Any]:
        """Of every query with one of ``relation``'s in it."""
        return {
            "step": self.step,
            "slot": self.slot,
            "counted": self.counted,
            "keys": None if self.counted is None else [*self.touched],
            "cycles": [*CYCLES],
        }


class Count(Struct, frozen=True, kw_only=True):
    """What was done to bring the counts up to a step."""

    step: int
    batteries: int | None  # that were counted again; None: all
    seconds: float


def basis_of(cursor: Cursor[Any], step: int, slot: int | None = None) -> Basis:
    """Where an answer as of ``step`` begins, in a transaction that reads one snapshot to its end."""
    counted = None if slot is not None else _counted(cursor)
    if counted is None or counted > step:
        return Basis(step, slot)
    asked = {"counted": counted, "step": step}
    touched = tuple(row[0] for row in _plain(cursor).execute(_QUERIES["touched"], asked)) if counted < step else ()
    if touched and len(touched) > MOST_TOUCHED * _value(cursor, "count_stands"):
        return Basis(step)
    return Basis(step, None, counted, touched)


def relation(name: Counted, basis: Basis) -> sql.Composable:
    """What is counted, to stand in a FROM clause, with the parameters of the basis."""
    if basis.counted is None:
        return _counting(name, "step", some=False)
    kept = sql.Identifier(f"fleet_{name}")
    if not basis.touched:
        return kept
    if name == "stands":
        others = sql.SQL("SELECT * FROM {} WHERE battery_key <> ALL (%(keys)s::bytea[])").format(kept)
        return sql.SQL("({} UNION ALL SELECT * FROM {} AS now)").format(others, _counting(name, "step", some=True))
    parts = sql.SQL("(SELECT * FROM {} UNION ALL {})").format(kept, _changes(name))
    return _summed(name, parts, SUMS[name])


def count_fleet(connection: Connection) -> Count | None:
    """Brings the kept counts up to the consistent step; None where they are there already, or nothing is projected.

    In one transaction: whoever reads sees the counts of one step. Raises FleetBusy, DatabaseUnwell, SchemaMismatch.
    """
    began = time.monotonic()
    with translated(), alone(connection, LOCK, "counts the fleet"), connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        step = consistent_step(connection)
        with connection.cursor() as cursor:
            basis = basis_of(cursor, step)
            if step < 0 or basis.counted == step:
                return None
            _write(cursor, basis)
            seconds = time.monotonic() - began
            cursor.execute(_QUERIES["note_counted"], {"version": VERSION, "step": step, "seconds": seconds})
    return Count(step=step, batteries=None if basis.counted is None else len(basis.touched), seconds=seconds)


def _write(cursor: Cursor[Any], basis: Basis) -> None:
    asked = basis.parameters()
    cursor.execute(_QUERIES["forget_stands"], asked)
    if basis.counted is None:
        cursor.execute(_QUERIES["forget_sums"])
    some = basis.counted is not None
    if some and not basis.touched:
        return
    _add(cursor, "stands", _counting("stands", "step", some=some), asked)
    for name in SUMS:
        changed = _summed(name, sql.SQL("({})").format(_changes(name)), "true") if some else _counting(name, "step")
        _add(cursor, name, changed, asked)
    if some:
        cursor.execute(_QUERIES["drop_empty"])


def _add(cursor: Cursor[Any], name: Counted, counted: sql.Composable, asked: dict[str, Any]) -> None:
    query: LiteralString = _QUERIES[f"add_{name}"]
    cursor.execute(sql.SQL(query).format(counted=counted), asked)


def _summed(name: Counted, parts: sql.Composable, is_any: LiteralString) -> sql.Composed:
    query: LiteralString = _QUERIES[f"sum_{name}"]
    return sql.SQL("({})").format(sql.SQL(query).format(parts=parts, is_any=sql.SQL(is_any)))


def _changes(name: Counted) -> sql.Composed:
    """What the touched batteries are worth at the step, less what they were worth at the kept one."""
    now, before = _counting(name, "step", some=True), _counting(name, "counted", some=True)
    less = sql.SQL("SELECT {} FROM {} AS before").format(sql.SQL(_NEGATIVE[name]), before)
    return sql.SQL("SELECT * FROM {} AS now UNION ALL {}").format(now, less)


def _counting(name: Counted, at: str, *, some: bool = False) -> sql.Composed:
    """A count as of the step in this parameter, of all batteries or of those touched."""
    query: LiteralString = _QUERIES[name]
    tables = {table: _then(table, at, some=some) for table in _COLUMNS}
    return sql.SQL("({})").format(sql.SQL(query).format(**tables))


def _then(table: str, at: str, *, some: bool) -> sql.Composed:
    """A table's rows after a step, in halves that fit its two partial indexes."""
    of_some = sql.SQL("AND battery_key = ANY (%(keys)s::bytea[])" if some else "")
    up_to_slot = sql.SQL("" if table == "batteries" else "AND (%(slot)s::bigint IS NULL OR slot <= %(slot)s)")
    return sql.SQL(
        "(SELECT {columns} FROM {table} WHERE known_until_step IS NULL AND known_from_step <= {at} {some} {slot}"
        " UNION ALL"
        " SELECT {columns} FROM {table} WHERE known_until_step > {at} AND known_from_step <= {at} {some} {slot})"
    ).format(
        columns=sql.SQL(_COLUMNS[table]),
        table=sql.Identifier(table),
        at=sql.Placeholder(at),
        some=of_some,
        slot=up_to_slot,
    )


def _counted(cursor: Cursor[Any]) -> int | None:
    rows = _plain(cursor).execute(_QUERIES["read_counted"], {"version": VERSION}).fetchall()
    return rows[0][0] if rows else None


def _value(cursor: Cursor[Any], query: str) -> int:
    row = _plain(cursor).execute(_QUERIES[query]).fetchone()
    assert row is not None
    return int(row[0])


def _plain(cursor: Cursor[Any]) -> Cursor[tuple[Any, ...]]:
    """A cursor of the same connection whose rows are tuples."""
    return cursor.connection.cursor(row_factory=tuple_row)
