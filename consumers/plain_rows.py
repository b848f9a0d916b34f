"""Rows of PostgreSQL as JSON can say them: bytes as hex, numbers as integers, times as RFC 3339.

Of each kind of row one expression is made, as ``projections/row_packing.py`` does for what is written: a battery's
timeline has some ten thousand values, and asking each one what it is takes longer than PostgreSQL does.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final

from psycopg import Cursor
from psycopg.postgres import types
from psycopg.rows import no_result

from projections.database import Connection

Plain = dict[str, Any]

BODY: Final = "body"
"""The column of an event's JSON, which stays bytes: it is what JSON says already."""

NOT_TOLD: Final = "known_until_step"
"""Left out: an answer about the past must stay the same whatever was learned after it."""

_SAID_AS: Final = {
    types["bytea"].oid: "{0}.hex()",
    types["numeric"].oid: "int({0})",
    types["timestamptz"].oid: "{0}.isoformat().replace('+00:00', 'Z')",
}


def plain_cursor(connection: Connection) -> Cursor[Plain]:
    """A cursor whose rows are plain. Results come in binary: of bytes that is half of what hex takes."""
    return connection.cursor(binary=True, row_factory=plain_row)


def plain_row(cursor: Cursor[Any]) -> Callable[[Sequence[Any]], Plain]:
    """A row factory of psycopg's."""
    result = cursor.pgresult
    if result is None or not result.nfields:
        return no_result
    return _maker(tuple((result.fname(at), result.ftype(at)) for at in range(result.nfields)))


@cache
def _maker(columns: tuple[tuple[bytes | None, int], ...]) -> Callable[[Sequence[Any]], Plain]:
    names = [(name or b"").decode() for name, _ in columns]
    said = ", ".join(
        f"{name!r}: {_said(f'row[{at}]', name, columns[at][1])}" for at, name in enumerate(names) if name != NOT_TOLD
    )
    maker: Callable[[Sequence[Any]], Plain] = eval(f"lambda row: {{{said}}}")  # noqa: S307 - of our queries' columns
    return maker


def _said(value: str, name: str, kind: int) -> str:
    if kind not in _SAID_AS or name == BODY:
        return value
    return f"None if {value} is None else {_SAID_AS[kind].format(value)}"
