"""Runs a query at one moment: one read-only transaction and snapshot, bound parameters, and a time-out."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, cast

from psycopg import Cursor, errors
from psycopg.rows import dict_row

from consumers.queries.model import NOW, Answer, BadParameter, Column, Moment, NothingOfThatName, Query
from consumers.queries.moment import find_moment, relations
from consumers.queries.parameters import check_parameters
from consumers.timeline import asking, find_batteries, near_matches
from indexer.errors import Retryable
from projections.database import Connection, load_queries

TIMEOUT_SECONDS: Final = 30.0

WORK_MEMORY: Final = "32MB"
"""Of PostgreSQL, for each sort and hash of a query: a fleet's sums would go over the disk with less."""

_SQL: Final = load_queries("consumers.queries", "sql/surveillance.sql") | load_queries(
    "consumers.queries", "sql/audit.sql"
)
_HASH_JOINS: Final = "SELECT set_config('enable_nestloop', 'off', true), set_config('enable_mergejoin', 'off', true)"
_UNRESTRICTED: Final = dict.fromkeys(("deployment", "manufacturer", "model", "battery_keys"))


class TooSlow(Retryable):
    """The query took longer than it may."""


def sql_of(query: Query, moment: Moment = NOW, *, is_now: bool | None = None) -> str:
    """The SQL that answers, with ``%(name)s`` where parameters are bound.

    ``is_now``: the moment's step is the last that any table holds; without, it is if no earlier one was asked for.
    """
    body = _SQL[query.name.replace("-", "_")]
    if not query.reads:
        return body
    head = relations(query, moment, is_now=moment.known_at is None if is_now is None else is_now)
    # A query's own WITH goes on with the relations'.
    return f"{head},\n{body.removeprefix('WITH ')}" if body.startswith("WITH ") else f"{head}\n{body}"


def run(
    connection: Connection,
    query: Query,
    parameters: Mapping[str, Any],
    moment: Moment = NOW,
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Answer:
    """The query's answer, all columns. ``parameters``: by name, also as people type them.

    Raises BadParameter, NothingOfThatName, StepNotReached, NothingKnownThen, TooSlow, DatabaseUnwell, SchemaMismatch.
    """
    checked = check_parameters(query, parameters)
    with asking(), connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute(
            "SELECT set_config('statement_timeout', %s, true), set_config('work_mem', %s, true)",
            (f"{round(timeout_seconds * 1000)}ms", WORK_MEMORY),
        )
        bound = find_moment(cursor, connection, moment)
        values = _UNRESTRICTED | checked | bound.parameters
        if checked.get("battery") is not None:
            values["battery_keys"] = _battery_keys(connection, checked["battery"], bound.parameters["step"])
        else:
            # Of two tables joined by battery, deployment and fact PostgreSQL multiplies three chances that are one, and
            # expects a single row: it would look each of millions up by itself.
            cursor.execute(_HASH_JOINS)
        if "compare_with" in checked:
            values["compare_with"] = _step(checked["compare_with"], bound.parameters["latest_step"])
            checked["compare_with"] = values["compare_with"]
        values["rows"] = checked["limit"] + 1
        sql = sql_of(query, moment, is_now=bound.is_now)
        rows = _rows(cursor, query, sql, values, timeout_seconds)
    return Answer(
        query=query,
        columns=query.columns,
        rows=rows[: checked["limit"]],
        parameters=checked,
        holds=bound.holds,
        finality=moment.finality,
        known_at=moment.known_at.isoformat() if isinstance(moment.known_at, datetime) else moment.known_at,
        rules=bound.rules,
        truncated=len(rows) > checked["limit"],
    )


def _rows(
    cursor: Cursor[dict[str, Any]], query: Query, sql: str, values: dict[str, Any], timeout_seconds: float
) -> list[tuple[Any, ...]]:
    try:
        # Never prepared: a plan is made for these very values, or "no battery given" and "this one" would share one.
        cursor.execute(cast("Any", sql), values, prepare=False)
        return [tuple(_typed(row[column.name], column) for column in query.columns) for row in cursor]
    except errors.QueryCanceled as cancelled:
        raise TooSlow(
            f"the query {query.name} took longer than {timeout_seconds:g} s: ask of one model, deployment or battery,"
            " or give it more time"
        ) from cancelled


def _typed(value: Any, column: Column) -> Any:
    """An integer as int, whatever its size; a decimal without the zeros that a division leaves."""
    if isinstance(value, Decimal):
        return int(value) if column.kind == "integer" else Decimal(f"{value.normalize():f}")
    return value


def _battery_keys(connection: Connection, battery: str, step: int) -> list[bytes]:
    found = find_batteries(connection, battery, step)
    if not found:
        near = near_matches(connection, battery, step)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        raise NothingOfThatName(f"no battery {battery[:80]!r} is known at that moment{hint}")
    return [bytes.fromhex(key) for key in dict.fromkeys(key for _, key in found)]


def _step(given: int | None, latest: int) -> int:
    if given is not None and given > latest:
        raise BadParameter("compare_with", f"the tables hold step {latest}, not yet {given}; write 0 to {latest}")
    return latest if given is None else given
