"""Versions of rows into PostgreSQL, many at once. Column types are read from the database: SQL says them once."""

import struct
from collections.abc import Iterable, Iterator
from typing import Any, Final

from msgspec.structs import astuple
from psycopg import sql

from projections.database import Connection, load_queries
from projections.errors import SchemaMismatch, ValueRefused
from projections.packing import HEADER, NULL, PACKERS, TRAILER, pack_int8, row_prefix
from projections.rows import TABLES, Key, Table
from projections.versions import Version

QUERIES: Final = load_queries("projections", "queries.sql")

SPAN: Final = ("known_from_step", "known_until_step")

CHUNK_BYTES: Final = 1 << 18
"""Rows are handed to the driver in pieces of about this size."""


class TableWriter:
    """Writes versions of one table's rows. Made once a connection."""

    def __init__(self, connection: Connection, table: Table) -> None:
        found: dict[str, str] = dict(connection.execute(QUERIES["read_columns"], {"table": table.name}).fetchall())
        fields = table.row.__struct_fields__
        if set(found) != {*fields, *SPAN}:
            differing = ", ".join(sorted(set(found) ^ {*fields, *SPAN}))
            raise SchemaMismatch(f"table {table.name} is not the one this version writes; it differs in: {differing}")
        self.table: Final = table
        self._packers = [PACKERS[found[field]] for field in fields]
        self._prefix = row_prefix(len(fields) + len(SPAN))
        self._copy = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
            sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, (*fields, *SPAN)))
        )
        self._close = QUERIES[f"close_{table.name}"]
        self._hex_keys = [found[column] == "bytea" for column in table.key]

    def close(self, connection: Connection, closings: dict[Key, int]) -> None:
        """Ends the versions that hold now under these keys. Raises SchemaMismatch where one is not there."""
        if not closings:
            return
        columns: dict[str, list[Any]] = {}
        for place, name in enumerate(self.table.key):
            values = [key[place] for key in closings]
            columns[name] = [bytes.fromhex(str(value)) for value in values] if self._hex_keys[place] else values
        columns["step"] = list(closings.values())
        closed = connection.execute(self._close, columns, binary=True).rowcount
        if closed != len(closings):
            raise SchemaMismatch(
                f"{len(closings)} rows of {self.table.name} should end, {closed} were there: the tables are not what"
                " the fold wrote; rebuild them"
            )

    def insert(self, connection: Connection, versions: Iterable[Version]) -> int:
        """Adds versions by COPY; returns how many. Raises ValueRefused where a value does not fit its column."""
        try:
            packed = list(self._pack(versions))
        except struct.error as error:  # what PostgreSQL would say of the same value as text
            raise ValueRefused(f"a value of {self.table.name} is out of its column's range: {error}") from error
        if not packed:
            return 0
        with connection.cursor() as cursor, cursor.copy(self._copy) as copy:
            size, pending = 0, [HEADER]
            for row in packed:
                pending.append(row)
                size += len(row)
                if size > CHUNK_BYTES:
                    copy.write(b"".join(pending))
                    size, pending = 0, []
            copy.write(b"".join((*pending, TRAILER)))
        return len(packed)

    def _pack(self, versions: Iterable[Version]) -> Iterator[bytes]:
        packers, prefix = self._packers, self._prefix
        for version in versions:
            values = [
                NULL if value is None else pack(value)
                for pack, value in zip(packers, astuple(version.row), strict=True)
            ]
            until = version.known_until_step
            span = (pack_int8(version.known_from_step), NULL if until is None else pack_int8(until))
            yield b"".join((prefix, *values, *span))


def table_writers(connection: Connection) -> list[TableWriter]:
    """A writer for each table, in the order in which they are written."""
    return [TableWriter(connection, table) for table in TABLES]
