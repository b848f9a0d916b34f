"""Versions of rows into PostgreSQL, many at once. Column types are read from the database: SQL says them once."""

import struct
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from typing import Any, Final

from psycopg import sql

from projections.batch import Battery, Folded, Position
from projections.database import Connection, load_queries
from projections.errors import SchemaMismatch, ValueRefused
from projections.folding import encode_state
from projections.packing import HEADER, TRAILER
from projections.row_packing import SPAN, row_packer
from projections.rows import TABLES, Key, Table
from projections.versions import Version

QUERIES: Final = load_queries("projections", "queries.sql")

CHUNK_BYTES: Final = 1 << 18
"""Rows are handed to the driver in pieces of about this size."""


class TableWriter:
    """Writes versions of one table's rows. Made once a connection."""

    def __init__(self, table: Table, found: dict[str, str]) -> None:
        """``found``: the table's columns, each with the name of its type in PostgreSQL's catalogue."""
        fields = table.row.__struct_fields__
        if set(found) != {*fields, *SPAN}:
            differing = ", ".join(sorted(set(found) ^ {*fields, *SPAN}))
            raise SchemaMismatch(f"table {table.name} is not the one this version writes; it differs in: {differing}")
        self.table: Final = table
        columns, self._pack = row_packer(table.row, found)
        self._copy = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
            sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, columns))
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

    def pack(self, versions: Iterable[Version]) -> tuple[int, list[bytes]]:
        """Versions as COPY takes them: how many, and pieces. Raises ValueRefused where one does not fit its column."""
        pack, rows, size = self._pack, 0, 0
        pieces: list[bytes] = []
        pending = [HEADER]
        try:
            for version in versions:
                row = pack(version.row, version.known_from_step, version.known_until_step)
                pending.append(row)
                rows += 1
                size += len(row)
                if size > CHUNK_BYTES:
                    pieces.append(b"".join(pending))
                    size, pending = 0, []
        except (struct.error, ValueError) as error:  # as PostgreSQL would say of the same value
            raise ValueRefused(f"a value of {self.table.name} is not in its column's range: {error}") from error
        return rows, [*pieces, b"".join((*pending, TRAILER))] if rows else []

    def write(self, connection: Connection, closings: dict[Key, int], rows: int, pieces: list[bytes]) -> int:
        """Ends versions and adds others, as ``pack`` gave them; returns how many it added."""
        self.close(connection, closings)
        if pieces:
            with connection.cursor() as cursor, cursor.copy(self._copy) as copy:
                for piece in pieces:
                    copy.write(piece)
        return rows


class Tables:
    """All that a fold writes: rows, states and steps. Made once a connection."""

    def __init__(self, connection: Connection) -> None:
        """Raises SchemaMismatch."""
        columns: dict[str, dict[str, str]] = {table.name: {} for table in TABLES}
        for table, column, kind in connection.execute(QUERIES["read_columns"], {"tables": list(columns)}):
            columns[table][column] = kind
        self._connection: Final = connection
        self._writers: Final = [TableWriter(table, columns[table.name]) for table in TABLES]

    def write(self, partition: int, folded: Folded, *, steps: bool = True) -> int:
        """Writes what a batch of one partition changes; returns how many versions it added."""
        return sum(job() for job in self.jobs(partition, folded, steps=steps))

    def jobs(self, partition: int, folded: Folded, *, steps: bool = True) -> Iterator[Callable[[], int]]:
        """What ``write`` does, in its order, made ready as far as that needs no connection."""
        connection = self._connection
        for writer in self._writers:
            closings = folded.versions.closings(writer.table)
            rows, pieces = writer.pack(folded.versions.inserts(writer.table))
            if closings or rows:
                yield partial(writer.write, connection, closings, rows, pieces)
        if folded.states:
            states = {
                **battery_columns(folded.states),
                "partition": [partition] * len(folded.states),
                "state": [encode_state(state) for state in folded.states.values()],
            }
            yield partial(self._execute, "write_states", states)
        if partition == 0 and steps:  # every partition tells the same steps
            yield partial(self._execute, "write_steps", _steps(folded.positions))

    def _execute(self, query: str, parameters: dict[str, list[Any]]) -> int:
        self._connection.execute(QUERIES[query], parameters, binary=True)
        return 0


def battery_columns(batteries: Collection[Battery]) -> dict[str, list[Any]]:
    """Batteries as parameters of queries."""
    return {
        "battery_key": [bytes.fromhex(key) for key, _ in batteries],
        "deployment": [deployment for _, deployment in batteries],
    }


def _steps(positions: list[Position]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {
        name: [getattr(position, name) for position in positions] for name in Position.__struct_fields__
    }
    return {**columns, "block": [bytes.fromhex(position.block) for position in positions]}
