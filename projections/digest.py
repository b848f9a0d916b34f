"""Digests of the tables: equal if and only if the rows are, wherever they lie on disk and whenever they came."""

from collections.abc import Iterator
from contextlib import contextmanager
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
_CONTENT: Final = sql.SQL(
    "SELECT encode(sha256(coalesce(string_agg(row_digest, '' ORDER BY row_digest), '')), 'hex'), count(*)"
    " FROM (SELECT sha256(convert_to((to_jsonb(t) - %s::text[])::text, 'UTF8')) AS row_digest"
    " FROM {} AS t WHERE {}) AS rows"
)
# Field by field in the order of their names: a column that a migration added stands at the end of a table.
_HISTORY: Final = sql.SQL(
    "SELECT encode(sha256(coalesce(string_agg(row_digest, '' ORDER BY row_digest), '')), 'hex'), count(*)"
    " FROM (SELECT sha256(convert_to((to_jsonb(t) || jsonb_build_object('known_until_step',"
    " CASE WHEN known_until_step <= {step} THEN known_until_step END))::text, 'UTF8')) AS row_digest"
    " FROM {} AS t WHERE known_from_step <= {step}) AS rows"
)
_HOW_IT_CAME_TO_BE_KNOWN: Final = [
    *("known_from_step", "known_until_step"),  # followers batch blocks into steps differently
    *("event_id", "incarnation"),  # a block that was left and entered again is counted by who saw it
    "partition",  # the log's, not the chain's
]
_NOW: Final = sql.SQL("known_until_step IS NULL")
_ALL: Final = sql.SQL("true")
_AS_OF: Final = sql.SQL("known_from_step <= {0} AND (known_until_step IS NULL OR known_until_step > {0})")


class TableDigest(Struct, frozen=True, order=True):
    """Of one table: sha256 over the sorted sha256 of each row as text. Hex."""

    table: str
    now: str  # of the rows that hold now
    all: str  # of all versions, closed ones too
    rows_now: int
    rows_all: int


class ContentDigest(Struct, frozen=True, order=True):
    """Of what one table says of the chain now: the same for every follower and worker of that chain."""

    table: str
    digest: str
    rows: int


def table_digests(connection: Connection) -> tuple[TableDigest, ...]:
    """Digests of every table a fold writes, at one moment, and of its states.

    Memory in the server: 32 bytes a row. Raises DatabaseUnwell, SchemaMismatch.
    """
    with _one_moment(connection):
        found = []
        for name, condition in _TABLES:
            now, rows_now = _digest(connection, name, condition)
            everything, rows_all = _digest(connection, name, _ALL)
            found.append(TableDigest(name, now, everything, rows_now, rows_all))
    return tuple(found)


def content_digests(connection: Connection) -> tuple[ContentDigest, ...]:
    """Digests of what holds now, with nothing in them of how one follower came to know it: the canonical log's
    counterpart. Equal for the tables of two logs that end at one block, whatever forks each has seen.

    Raises DatabaseUnwell, SchemaMismatch.
    """
    with _one_moment(connection):
        found = []
        for name, condition in _TABLES:
            query = _CONTENT.format(sql.Identifier(name), condition)
            row = connection.execute(query, (_HOW_IT_CAME_TO_BE_KNOWN,)).fetchone()
            assert row is not None
            found.append(ContentDigest(name, row[0], row[1]))
    return tuple(found)


def digests_as_of(connection: Connection, step: int) -> tuple[ContentDigest, ...]:
    """Digests of what held once this step was known: of the rows whose span of knowledge holds it.

    For a step up to the consistent one the answer never changes, whatever is written later: only the end of a span may
    be filled in, and that is left out. Raises DatabaseUnwell, SchemaMismatch.
    """
    with _one_moment(connection):
        found = []
        for table in TABLES:
            query = _CONTENT.format(sql.Identifier(table.name), _AS_OF.format(sql.Literal(step)))
            row = connection.execute(query, (["known_until_step"],)).fetchone()
            assert row is not None
            found.append(ContentDigest(table.name, row[0], row[1]))
    return tuple(found)


def history_digests(connection: Connection, step: int) -> tuple[ContentDigest, ...]:
    """Digests of all versions that were ever known up to this step, with their spans as they were known then.

    Equal for any two ways of building the tables that both hold the step, however far beyond it either is. Raises
    DatabaseUnwell, SchemaMismatch.
    """
    with _one_moment(connection):
        found = []
        for table in TABLES:
            query = _HISTORY.format(sql.Identifier(table.name), step=sql.Literal(step))
            row = connection.execute(query).fetchone()
            assert row is not None
            found.append(ContentDigest(table.name, row[0], row[1]))
    return tuple(found)


_TABLES: Final = (*((table.name, _NOW) for table in TABLES), ("states", _ALL))


@contextmanager
def _one_moment(connection: Connection) -> Iterator[None]:
    """One snapshot, in which a row's text depends on nothing but the row."""
    with translated(), connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.execute("SELECT set_config('timezone', 'UTC', true), set_config('bytea_output', 'hex', true)")
        connection.execute("SELECT set_config('datestyle', 'ISO', true)")
        yield


def _digest(connection: Connection, table: str, condition: sql.SQL) -> tuple[str, int]:
    row = connection.execute(_TABLE.format(sql.Identifier(table), condition)).fetchone()
    assert row is not None
    return row[0], row[1]
