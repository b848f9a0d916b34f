"""Digests of the tables: equal if and only if the rows are, wherever they lie on disk and whenever they came."""

from typing import Final

from msgspec import Struct
from psycopg import sql

from projections.database import Connection
from projections.errors import translated
from projections.rows import TABLES

_TABLE: Final = sql.SQL(
    "SELECT encode(sha256(coalesce(string_agg(row_digest, '' ORDER BY row_digest), '')), 'hex'), count(*)"
    " FROM (SELECT sha256(convert_to(t::text, 'UTF8')) AS row_digest FROM {} AS t WHERE {}) AS rows"
)
_NOW: Final = sql.SQL("known_until_step IS NULL")
_ALL: Final = sql.SQL("true")


class TableDigest(Struct, frozen=True, order=True):
    """Of one table: sha256 over the sorted sha256 of each row as text. Hex."""

    table: str
    now: str  # of the rows that hold now
    all: str  # of all versions, closed ones too
    rows_now: int
    rows_all: int


def table_digests(connection: Connection) -> tuple[TableDigest, ...]:
    """Digests of every table a fold writes, at one moment, and of its states.

    Memory in the server: 32 bytes a row. Raises DatabaseUnwell, SchemaMismatch.
    """
    with translated(), connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        # A row's text depends on these.
        connection.execute("SELECT set_config('timezone', 'UTC', true), set_config('bytea_output', 'hex', true)")
        connection.execute("SELECT set_config('datestyle', 'ISO', true)")
        found = []
        for name, condition in (*((table.name, _NOW) for table in TABLES), ("states", _ALL)):
            now, rows_now = _digest(connection, name, condition)
            everything, rows_all = _digest(connection, name, _ALL)
            found.append(TableDigest(name, now, everything, rows_now, rows_all))
    return tuple(found)


def _digest(connection: Connection, table: str, condition: sql.SQL) -> tuple[str, int]:
    row = connection.execute(_TABLE.format(sql.Identifier(table), condition)).fetchone()
    assert row is not None
    return row[0], row[1]
